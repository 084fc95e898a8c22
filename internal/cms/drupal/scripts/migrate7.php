
// Brings the database of a Drupal 7 to the level of its files, as update.php
// does, and empties every cache.
define('DRUPAL_ROOT', $upkeep_in['root']);
define('MAINTENANCE_MODE', 'update');
try {
	Upkeep::$step = 'includes/bootstrap.inc';
	require_once DRUPAL_ROOT . '/includes/bootstrap.inc';
	drupal_bootstrap(DRUPAL_BOOTSTRAP_VARIABLES);
	// What is remembered about where classes and hooks are is about the old files.
	require_once DRUPAL_ROOT . '/includes/common.inc';
	foreach (array('lookup_cache', 'system_list', 'module_implements', 'hook_info', 'bootstrap_modules') as $upkeep_cid) {
		cache_clear_all($upkeep_cid, 'cache_bootstrap');
	}
	Upkeep::$step = 'bootstrap';
	drupal_bootstrap(DRUPAL_BOOTSTRAP_FULL);
	Upkeep::$answer['site'] = conf_path();
	require_once DRUPAL_ROOT . '/includes/install.inc';
	require_once DRUPAL_ROOT . '/includes/update.inc';
	drupal_load_updates();
	update_fix_compatibility();
	$upkeep_start = array();
	foreach (update_get_update_list() as $upkeep_module => $upkeep_list) {
		if (isset($upkeep_list['start'])) {
			$upkeep_start[$upkeep_module] = $upkeep_list['start'];
		}
	}
	$upkeep_updates = update_resolve_dependencies($upkeep_start);
	Upkeep::$answer['ran'] = array();
	foreach ($upkeep_updates as $upkeep_function => $upkeep_update) {
		if (!$upkeep_update['allowed']) {
			throw new RuntimeException($upkeep_function . ' waits for what is not there: ' . implode(', ', $upkeep_update['missing_dependencies']));
		}
		if (isset($upkeep_start[$upkeep_update['module']])) {
			drupal_set_installed_schema_version($upkeep_update['module'], $upkeep_update['number'] - 1);
			unset($upkeep_start[$upkeep_update['module']]);
		}
		$upkeep_needs = empty($upkeep_update['reverse_paths']) ? array() : array_keys($upkeep_update['reverse_paths']);
		Upkeep::run($upkeep_function, function (&$context) use ($upkeep_update, $upkeep_needs) {
			update_do_one($upkeep_update['module'], $upkeep_update['number'], $upkeep_needs, $context);
		});
		Upkeep::$answer['ran'][] = $upkeep_function;
	}
	Upkeep::$step = 'caches';
	drupal_flush_all_caches();
	if (module_exists('update')) {
		cache_clear_all('update_', 'cache_update', true); // what it knows of releases is of old versions
	}
	Upkeep::$step = 'migrated';
} catch (Exception $e) {
	Upkeep::fail($e);
} catch (Throwable $e) {
	Upkeep::fail($e);
}
Upkeep::done();
