
// Loads a Drupal 8 or later with everything that is enabled, past the gate, and
// says which updates of the database still wait.
try {
	$upkeep_kernel = upkeep_boot($upkeep_in, Drupal\Core\DrupalKernel::class);
	Upkeep::$step = 'updates';
	require_once $upkeep_in['root'] . '/core/includes/install.inc';
	require_once $upkeep_in['root'] . '/core/includes/update.inc';
	drupal_load_updates();
	Upkeep::$answer['pending'] = array();
	foreach (update_get_update_list() as $upkeep_module => $upkeep_list) {
		Upkeep::$answer['pending'][] = $upkeep_module;
	}
	foreach (Drupal::service('update.post_update_registry')->getPendingUpdateFunctions() as $upkeep_function) {
		Upkeep::$answer['pending'][] = $upkeep_function;
	}
	Upkeep::$step = 'loaded';
} catch (Throwable $e) {
	Upkeep::fail($e);
}
Upkeep::done();
