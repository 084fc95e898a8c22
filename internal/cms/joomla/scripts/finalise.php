
// Joomla finishes its own update: schema, records, what this release no longer
// has, and everything else that its script does after the files are there.
Upkeep::run(function ($app) {
	Upkeep::$step = 'finalise';
	$app->getLanguage()->load('com_joomlaupdate', JPATH_ADMINISTRATOR);
	$model = $app->bootComponent('com_joomlaupdate')->getMVCFactory($app)->createModel('Update', 'Administrator', array('ignore_request' => true));
	$ok    = $model->finaliseUpgrade();
	foreach (method_exists($model, 'getErrors') ? $model->getErrors() : array() as $error) {
		Upkeep::$said[] = $error instanceof \Throwable ? $error->getMessage() : (string) $error;
	}
	if (!$ok || Upkeep::$said) {
		Upkeep::hear($app);
		return;
	}
	Upkeep::$step = 'records';
	$model->purge();
	if (method_exists($model, 'resetUpdateSource')) {
		$model->resetUpdateSource();
	}
	foreach (array(JPATH_CACHE . '/autoload_psr4.php', JPATH_ROOT . '/joomla.xml') as $file) {
		is_file($file) && @unlink($file);
	}
	Upkeep::done();
});
