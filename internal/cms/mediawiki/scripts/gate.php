<?php
// Upkeep is updating this wiki and opens it again by itself, whatever happens.
//
// MediaWiki includes this file, its configuration, on each request and in each
// script before it does anything. The digest is read from the file's end, not
// written into the code: a bytecode cache that never looks at files again would
// keep that of an earlier time. PHP 7.2 to 8.x.
$upkeep_gate = (string) @file_get_contents(__FILE__);
if (!strpos($upkeep_gate, 'UPKEEP_AT_WORK')) {
	// The gate is open, and the site's own file is back in its place: a bytecode
	// cache still has this one.
	if (function_exists('opcache_invalidate')) {
		@opcache_invalidate(__FILE__, true);
	}
	return eval('?>' . $upkeep_gate);
}
if (defined('UPKEEP_AT_WORK') || isset($_SERVER['HTTP_X_UPKEEP_PROBE']) && hash_equals(substr($upkeep_gate, -64), hash('sha256', $_SERVER['HTTP_X_UPKEEP_PROBE']))) {
	$upkeep_root = __DIR__;
	// upkeep: code
	unset($upkeep_root);
	if (!defined('MEDIAWIKI')) {
		exit; // asked for by itself
	}
	unset($upkeep_gate);
	$upkeep_settings = include __DIR__ . '/LocalSettings.upkeep.php';
	if (!defined('UPKEEP_AT_WORK')) {
		// What is looked at is made anew and leaves nothing behind.
		$wgMainCacheType = $wgMessageCacheType = $wgParserCacheType = $wgSessionCacheType = $wgLanguageConverterCacheType = CACHE_NONE;
		$wgMainStash = CACHE_NONE;
		$wgObjectCaches[CACHE_DB] = $wgObjectCaches['db-replicated'] = array('class' => class_exists('Wikimedia\\ObjectCache\\EmptyBagOStuff') ? 'Wikimedia\\ObjectCache\\EmptyBagOStuff' : 'EmptyBagOStuff');
		$wgUseFileCache = false;
		$wgJobRunRate = 0;
		$wgInvalidateCacheOnLocalSettingsChange = false;
	}
	return $upkeep_settings;
}
if (PHP_SAPI === 'cli' || PHP_SAPI === 'phpdbg') {
	fwrite(STDERR, "This wiki is being updated: nothing may change it now. Try again in a few minutes.\n");
	exit(75);
}
while (ob_get_level()) {
	ob_end_clean();
}
if (!headers_sent()) {
	http_response_code(503);
	header('Retry-After: 300');
	header('Cache-Control: no-store, no-cache, must-revalidate, max-age=0');
	header('Content-Type: text/html; charset=utf-8');
}
echo '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Maintenance</title></head><body><h1>Maintenance</h1><p>This wiki is being updated and will be back in a few minutes.</p></body></html>';
exit;
// 