
// Joomla's installer puts a package in the place of what is installed.
Upkeep::run(function ($app) {
	Upkeep::$step = 'install';
	$in = Upkeep::$in;
	$db = \Joomla\CMS\Factory::getContainer()->get('DatabaseDriver');
	$app->getLanguage()->load('com_installer', JPATH_ADMINISTRATOR);
	$app->getLanguage()->load('lib_joomla', JPATH_SITE);
	$installer = new \Joomla\CMS\Installer\Installer();
	if (method_exists($installer, 'setDatabase')) {
		$installer->setDatabase($db);
	}
	$installer->setPath('source', $in['folder']);
	$ok = $installer->install($in['folder']);
	if (!$ok) {
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
		\Joomla\CMS\Cache\Cache::getInstance('callback', array('defaultgroup' => $group, 'cachebase' => $app->get('cache_path', JPATH_CACHE)))->clean();
	}
	@unlink(JPATH_CACHE . '/autoload_psr4.php');
	Upkeep::done();
});
