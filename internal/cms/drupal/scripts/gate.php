<?php
// Upkeep is updating this site and opens it again by itself, whatever happens.
//
// Drupal includes this file first on each entry, before any cache of pages. The
// digest is read from the file's end, not written into the code: a bytecode
// cache that never looks at files again would keep that of an earlier time.
// The variables are those of who includes it: what is set here must go again.
// PHP 5.6 to 8.x.
$upkeep_gate = (string) @file_get_contents(__FILE__);
if (!strpos($upkeep_gate, 'UPKEEP_AT_WORK')) {
	// The gate is open, and the site's own file is back in its place: a
	// bytecode cache still has this one.
	if (function_exists('opcache_invalidate')) {
		@opcache_invalidate(__FILE__, true);
	}
	if ($upkeep_gate !== '') {
		eval('?>' . $upkeep_gate);
	}
} elseif ((defined('UPKEEP_AT_WORK') || isset($_SERVER['HTTP_X_UPKEEP_PROBE']) && hash_equals(substr($upkeep_gate, -64), hash('sha256', $_SERVER['HTTP_X_UPKEEP_PROBE'])))
	&& is_readable(__DIR__ . '/settings.upkeep.php')) {
	if (!defined('UPKEEP_AT_WORK')) {
		$upkeep_root = isset($app_root) ? $app_root : (defined('DRUPAL_ROOT') ? DRUPAL_ROOT : dirname(dirname(__DIR__)));
		// upkeep: code
		unset($upkeep_root);
	}
	if (function_exists('opcache_invalidate')) {
		@opcache_invalidate(__DIR__ . '/settings.upkeep.php', true); // one of that name may have been here before
	}
	unset($upkeep_gate);
	include __DIR__ . '/settings.upkeep.php';
	// Who looks through the gate sees pages made anew, and starts no errands.
	if (defined('DRUPAL_ROOT')) {
		$conf['cache'] = 0;
		$conf['cron_safe_threshold'] = 0;
		$conf['page_cache_without_database'] = false;
	}
	if (isset($app_root)) {
		$settings['cache']['bins']['page'] = 'cache.backend.memory';
		$settings['cache']['bins']['dynamic_page_cache'] = 'cache.backend.memory';
		$settings['cache']['bins']['render'] = 'cache.backend.memory';
		$config['automated_cron.settings']['interval'] = 0;
	}
} elseif (PHP_SAPI === 'cli' || PHP_SAPI === 'phpdbg') {
	fwrite(STDERR, "This site is being updated: nothing may change it now. Try again in a few minutes.\n");
	exit(75);
} else {
	if (!headers_sent()) {
		http_response_code(503);
		header('Retry-After: 300');
		header('Cache-Control: no-store, no-cache, must-revalidate, max-age=0');
		header('Content-Type: text/html; charset=utf-8');
	}
	echo '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Maintenance</title></head><body><h1>Maintenance</h1><p>This site is being updated and will be back in a few minutes.</p></body></html>';
	exit;
}
unset($upkeep_gate);
// 