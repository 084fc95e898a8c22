if (isset($_SERVER['HTTP_X_UPKEEP_RESET'])) {
	clearstatcache(true);
	if (function_exists('apcu_clear_cache')) {
		apcu_clear_cache();
	}
	// Where PHP trusts a file for longer, only a reset after all changes helps.
	$upkeep_held = ini_get('opcache.validate_timestamps') && (int) ini_get('opcache.revalidate_freq') <= 2 && function_exists('opcache_get_status') ? @opcache_get_status(true) : false;
	header('X-Upkeep-Reset: ' . (!function_exists('opcache_reset') || !ini_get('opcache.enable') || @opcache_reset() ? 'done' : 'refused'));
	if ($upkeep_held && isset($upkeep_held['scripts'])) {
		$upkeep_list = array();
		foreach (array_keys($upkeep_held['scripts']) as $upkeep_path) {
			if (strpos($upkeep_path, $upkeep_root . '/') === 0) {
				$upkeep_list[] = substr($upkeep_path, strlen($upkeep_root) + 1);
			}
		}
		echo json_encode(array('root' => $upkeep_root, 'scripts' => $upkeep_list));
	}
	exit; // this request would still run what the cache held
}
if (isset($_SERVER['HTTP_X_UPKEEP_COMPILE'])) {
	$upkeep_done  = array();
	$upkeep_until = microtime(true) + 4;
	// Before PHP 8 compiling declares what it compiles, and may fail on that.
	$upkeep_list = PHP_VERSION_ID >= 80000 ? json_decode((string) file_get_contents('php://input'), true) : array();
	foreach (is_array($upkeep_list) ? $upkeep_list : array() as $upkeep_name) {
		$upkeep_path = is_string($upkeep_name) ? $upkeep_root . '/' . $upkeep_name : '';
		if ($upkeep_path && strpos($upkeep_name, '..') === false && is_file($upkeep_path) && microtime(true) < $upkeep_until && @opcache_compile_file($upkeep_path)) {
			$upkeep_done[] = $upkeep_path;
		}
	}
	// What else this request has loaded, as the configuration, may be changed
	// within the time for which PHP now trusts it.
	foreach (function_exists('opcache_invalidate') ? array_diff(get_included_files(), $upkeep_done) : array() as $upkeep_path) {
		@opcache_invalidate($upkeep_path, true);
	}
	header('X-Upkeep-Compile: ' . count($upkeep_done));
	exit;
}
