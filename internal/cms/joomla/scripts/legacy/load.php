
// Loads Joomla 3 with every plugin that is switched on, and each one that was
// updated.
Upkeep::run(function ($app) {
	foreach (isset(Upkeep::$in['load']) ? Upkeep::$in['load'] : array() as $extension) {
		list($type, $element, $group) = $extension;
		Upkeep::$step = "$type $element";
		if ($type === 'plugin') {
			JPluginHelper::importPlugin($group, $element);
		}
	}
	Upkeep::$step = 'loaded';
	Upkeep::done();
});
