
// Joomla 3 finishes its own update: schema, records, what this release no
// longer has, and everything else that its script does after the files are
// there.
Upkeep::run(function ($app) {
	Upkeep::$step = 'finalise';
	define('JPATH_COMPONENT', JPATH_ADMINISTRATOR . '/components/com_joomlaupdate');
	define('JPATH_COMPONENT_ADMINISTRATOR', JPATH_COMPONENT);
	JFactory::getLanguage()->load('com_joomlaupdate', JPATH_ADMINISTRATOR);
	JModelLegacy::addIncludePath(JPATH_COMPONENT . '/models', 'JoomlaupdateModel');
	$model = JModelLegacy::getInstance('Default', 'JoomlaupdateModel', array('ignore_request' => true));
	$ok    = $model->finaliseUpgrade();
	foreach ($model->getErrors() as $error) {
		Upkeep::$said[] = $error instanceof \Exception ? $error->getMessage() : (string) $error;
	}
	if (!$ok || Upkeep::$said) {
		Upkeep::hear($app);
		return;
	}
	Upkeep::$step = 'records';
	$model->purge();
	if (is_file(JPATH_ROOT . '/joomla.xml')) {
		@unlink(JPATH_ROOT . '/joomla.xml');
	}
	Upkeep::done();
});
