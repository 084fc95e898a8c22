<?php
// Upkeep is updating this wiki and opens it again by itself, whatever happens.
//
// DokuWiki runs this file first on each request, and once more as the last of
// its configuration files, where a request that was let in gets folders of its
// own. The digest is read from the file's end, not written into the code: a
// bytecode cache that never looks at files again would keep that of an earlier
// time. PHP 5.6 to 8.x.
$upkeep_gate = (string) @file_get_contents(__FILE__);
if (defined('UPKEEP_SCRATCH') && isset($conf)) {
	foreach (array('cachedir' => 'cache', 'lockdir' => 'locks', 'tmpdir' => 'tmp', 'logdir' => 'log') as $upkeep_key => $upkeep_name) {
		$conf[$upkeep_key] = UPKEEP_SCRATCH . '/' . $upkeep_name;
	}
} elseif (!strpos($upkeep_gate, 'UPKEEP_AT_WORK')) {
	// The gate is open, and the site's own file, or none, is back in its place:
	// a bytecode cache still has this one.
	if (function_exists('opcache_invalidate')) {
		@opcache_invalidate(__FILE__, true);
	}
	if ($upkeep_gate !== '') {
		eval('?>' . $upkeep_gate);
	}
} elseif (defined('UPKEEP_AT_WORK') || isset($_SERVER['HTTP_X_UPKEEP_PROBE']) && hash_equals(substr($upkeep_gate, -64), hash('sha256', $_SERVER['HTTP_X_UPKEEP_PROBE']))) {
	$upkeep_root = dirname(__DIR__);
	// upkeep: code
	if (is_file(__DIR__ . '/preload.upkeep.php')) {
		include __DIR__ . '/preload.upkeep.php';
	}
	$upkeep_scratch = sys_get_temp_dir() . '/upkeep-' . bin2hex(function_exists('random_bytes') ? random_bytes(16) : openssl_random_pseudo_bytes(16));
	if (@mkdir($upkeep_scratch, 0700)) {
		foreach (array('cache', 'locks', 'tmp', 'log') as $upkeep_name) {
			mkdir($upkeep_scratch . '/' . $upkeep_name, 0700);
		}
		define('UPKEEP_SCRATCH', $upkeep_scratch);
		register_shutdown_function(function () {
			register_shutdown_function(function () { // after all of DokuWiki's own
				$upkeep_all = new RecursiveIteratorIterator(new RecursiveDirectoryIterator(UPKEEP_SCRATCH, FilesystemIterator::SKIP_DOTS), RecursiveIteratorIterator::CHILD_FIRST);
				foreach ($upkeep_all as $upkeep_entry) {
					$upkeep_entry->isDir() && !$upkeep_entry->isLink() ? @rmdir($upkeep_entry->getPathname()) : @unlink($upkeep_entry->getPathname());
				}
				@rmdir(UPKEEP_SCRATCH);
			});
		});
		// The rest of the cascade stays as it is without us.
		if (!isset($config_cascade['main'])) {
			$upkeep_conf = defined('DOKU_CONF') ? DOKU_CONF : dirname(__DIR__) . '/conf/';
			$config_cascade['main'] = array('default' => array($upkeep_conf . 'dokuwiki.php'), 'local' => array($upkeep_conf . 'local.php'), 'protected' => array($upkeep_conf . 'local.protected.php'));
		}
		$config_cascade['main']['protected'] = isset($config_cascade['main']['protected']) ? (array) $config_cascade['main']['protected'] : array();
		$config_cascade['main']['protected'][] = __FILE__;
	}
} elseif (PHP_SAPI === 'cli' || PHP_SAPI === 'phpdbg') {
	fwrite(STDERR, "This wiki is being updated: nothing may change it now. Try again in a few minutes.\n");
	exit(75);
} else {
	if (!headers_sent()) {
		http_response_code(503);
		header('Retry-After: 300');
		header('Cache-Control: no-store, no-cache, must-revalidate, max-age=0');
		header('Content-Type: text/html; charset=utf-8');
	}
	echo '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Maintenance</title></head><body><h1>Maintenance</h1><p>This wiki is being updated and will be back in a few minutes.</p></body></html>';
	exit;
}
unset($upkeep_gate);
// 