
// Joomla 3's installer puts a package in the place of what is installed.
Upkeep::run(function ($app) {
	Upkeep::$step = 'install';
	$in = Upkeep::$in;
	$db = JFactory::getDbo();
	foreach (array('com_installer' => JPATH_ADMINISTRATOR, 'lib_joomla' => JPATH_SITE) as $name => $base) {
		JFactory::getLanguage()->load($name, $base);
	}
	$installer = new JInstaller;
	$installer->setPath('source', $in['folder']);
	if (!$installer->install($in['folder'])) {
		Upkeep::hear($app);
		Upkeep::$said[] = (string) $installer->message;
		return;
	}
	Upkeep::$step = 'records';
	$is = $db->quoteName('type') . ' = ' . $db->quote($in['type']) . ' AND ' . $db->quoteName('element') . ' = ' . $db->quote($in['element'])
		. ' AND ' . $db->quoteName('client_id') . ' = ' . (int) $in['client'] . ' AND ' . $db->quoteName('folder') . ' = ' . $db->quote(isset($in['group']) ? $in['group'] : '');
	$db->setQuery('DELETE FROM ' . $db->quoteName('#__updates') . ' WHERE ' . $is)->execute();
	Upkeep::$step = 'caches';
	foreach (array('_system', 'com_modules', 'com_plugins', 'com_languages', 'mod_menu', $in['element']) as $group) {
		foreach (array(JPATH_SITE . '/cache', JPATH_ADMINISTRATOR . '/cache') as $base) {
			JCache::getInstance('callback', array('defaultgroup' => $group, 'cachebase' => JFactory::getConfig()->get('cache_path', $base)))->clean();
		}
	}
	Upkeep::done();
});
