
// Loads Joomla with every plugin that is switched on, and each extension that
// was updated.
Upkeep::run(function ($app) {
	foreach (isset(Upkeep::$in['load']) ? Upkeep::$in['load'] : array() as $extension) {
		list($type, $element, $group) = $extension;
		Upkeep::$step = "$type $element";
		if ($type === 'component') {
			$app->bootComponent($element);
		} elseif ($type === 'plugin') {
			$app->bootPlugin($element, $group);
		}
	}
	Upkeep::$step = 'loaded';
	Upkeep::done();
});
