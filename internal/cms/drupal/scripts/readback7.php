
// Loads a Drupal 7 with everything that is enabled, past the gate, and says
// which updates of the database still wait.
define('DRUPAL_ROOT', $upkeep_in['root']);
try {
	Upkeep::$step = 'includes/bootstrap.inc';
	require_once DRUPAL_ROOT . '/includes/bootstrap.inc';
	drupal_bootstrap(DRUPAL_BOOTSTRAP_CONFIGURATION);
	Upkeep::$step = 'bootstrap';
	drupal_bootstrap(DRUPAL_BOOTSTRAP_FULL);
	Upkeep::$answer['site'] = conf_path();
	Upkeep::$step = 'updates';
	require_once DRUPAL_ROOT . '/includes/install.inc';
	require_once DRUPAL_ROOT . '/includes/update.inc';
	drupal_load_updates();
	Upkeep::$answer['pending'] = array();
	foreach (update_get_update_list() as $upkeep_module => $upkeep_list) {
		Upkeep::$answer['pending'][] = $upkeep_module;
	}
	Upkeep::$step = 'loaded';
} catch (Exception $e) {
	Upkeep::fail($e);
} catch (Throwable $e) {
	Upkeep::fail($e);
}
Upkeep::done();
