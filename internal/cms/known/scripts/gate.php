<?php
// Upkeep is at work on this site and opens it again by itself, whatever
// happens. This file stands in the place of one that every request runs before
// it writes anything; what was in it waits below. The digest of the token is
// read from the file, not written into the code: a bytecode cache that never
// looks at files again would keep that of an earlier time. PHP 5.3 to 8.x.
$upkeep_gate = (string) @file_get_contents(__FILE__);
$upkeep_mark = '__halt_compiler();' . 'UPKEEP_AT_WORK ';
$upkeep_at = strpos($upkeep_gate, $upkeep_mark);
if ($upkeep_at === false) {
	// The gate is open, and the site's own file is back in its place: a bytecode
	// cache still has this one.
	if (function_exists('opcache_invalidate')) {
		@opcache_invalidate(__FILE__, true);
	}
	return eval('?>' . $upkeep_gate);
}
if (PHP_SAPI === 'cli' || PHP_SAPI === 'phpdbg') {
	fwrite(STDERR, "This site is being worked on: nothing may change it now. Try again in a few minutes.\n");
	exit(75);
}
if (isset($_SERVER['HTTP_X_UPKEEP_PROBE'], $_SERVER['HTTP_X_UPKEEP_RESET']) && hash('sha256', $_SERVER['HTTP_X_UPKEEP_PROBE']) === substr($upkeep_gate, $upkeep_at + strlen($upkeep_mark), 64)) {
	clearstatcache(true);
	if (function_exists('apcu_clear_cache')) {
		apcu_clear_cache();
	}
	header('X-Upkeep-Reset: ' . (!function_exists('opcache_reset') || !ini_get('opcache.enable') || @opcache_reset() ? 'done' : 'refused'));
}
if (!headers_sent()) {
	header('HTTP/1.1 503 Service Unavailable', true, 503);
	header('Retry-After: 300');
	header('Cache-Control: no-store, no-cache, must-revalidate, max-age=0');
	header('Content-Type: text/html; charset=utf-8');
}
echo '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Maintenance</title></head><body><h1>Maintenance</h1><p>This site is being worked on and will be back in a few minutes.</p></body></html>';
exit;
