
// Brings the database of a Drupal 8 or later to the level of its files, as
// update.php does, and builds anew what depends on code.
try {
	upkeep_boot($upkeep_in, UpdateKernel::class);
	require_once $upkeep_in['root'] . '/core/includes/install.inc';
	require_once $upkeep_in['root'] . '/core/includes/update.inc';
	drupal_load_updates();
	Upkeep::$step = 'requirements';
	if (function_exists('update_fix_compatibility')) {
		update_fix_compatibility();
	}
	if (function_exists('update_check_requirements')) {
		$upkeep_said = array();
		foreach (update_check_requirements() as $upkeep_requirement) {
			if (isset($upkeep_requirement['severity'])) {
				$upkeep_severity = $upkeep_requirement['severity'];
				if ((is_object($upkeep_severity) ? $upkeep_severity->value : $upkeep_severity) === 2) {
					$upkeep_said[] = $upkeep_requirement['title'] . ': ' . strip_tags((string) (isset($upkeep_requirement['description']) && !is_array($upkeep_requirement['description']) ? $upkeep_requirement['description'] : ''));
				}
			}
		}
		if ($upkeep_said) {
			throw new RuntimeException(implode('; ', $upkeep_said));
		}
	}
	$upkeep_start = array();
	foreach (update_get_update_list() as $upkeep_module => $upkeep_list) {
		if (isset($upkeep_list['start'])) {
			$upkeep_start[$upkeep_module] = $upkeep_list['start'];
		}
	}
	Upkeep::$answer['ran'] = array();
	foreach (update_resolve_dependencies($upkeep_start) as $upkeep_function => $upkeep_update) {
		if (!$upkeep_update['allowed']) {
			throw new RuntimeException($upkeep_function . ' waits for what is not there: ' . implode(', ', $upkeep_update['missing_dependencies']));
		}
		if (isset($upkeep_start[$upkeep_update['module']])) {
			if (Drupal::hasService('update.update_hook_registry')) {
				Drupal::service('update.update_hook_registry')->setInstalledVersion($upkeep_update['module'], $upkeep_update['number'] - 1);
			} else {
				drupal_set_installed_schema_version($upkeep_update['module'], $upkeep_update['number'] - 1);
			}
			unset($upkeep_start[$upkeep_update['module']]);
		}
		$upkeep_needs = empty($upkeep_update['reverse_paths']) ? array() : array_keys($upkeep_update['reverse_paths']);
		Upkeep::run($upkeep_function, function (&$context) use ($upkeep_update, $upkeep_needs) {
			update_do_one($upkeep_update['module'], $upkeep_update['number'], $upkeep_needs, $context);
		});
		Upkeep::$answer['ran'][] = $upkeep_function;
	}
	$upkeep_later = Drupal::service('update.post_update_registry')->getPendingUpdateFunctions();
	if ($upkeep_later) {
		Upkeep::$step = 'caches';
		drupal_flush_all_caches();
	}
	foreach ($upkeep_later as $upkeep_function) {
		Upkeep::run($upkeep_function, function (&$context) use ($upkeep_function) {
			update_invoke_post_update($upkeep_function, $context);
		});
		Upkeep::$answer['ran'][] = $upkeep_function;
	}
	Upkeep::$step = 'caches';
	drupal_flush_all_caches();
	if (Drupal::moduleHandler()->moduleExists('update')) {
		Drupal::keyValueExpirable('update')->deleteAll();
		Drupal::keyValueExpirable('update_available_releases')->deleteAll(); // what it knows of releases is of old versions
	}
	Upkeep::$step = 'migrated';
} catch (Throwable $e) {
	Upkeep::fail($e);
}
Upkeep::done();
