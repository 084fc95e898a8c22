<?php
// Upkeep is updating this site and opens it again by itself, whatever happens.
//
// Each of Joomla's applications includes a file of this name before all else.
// The digest is read from the file's end, not written into the code: a
// bytecode cache that never looks at files again would keep that of an earlier
// time. PHP 5.6 to 8.x.
$upkeep_gate = (string) @file_get_contents(__FILE__);
if (!strpos($upkeep_gate, 'UPKEEP_AT_WORK')) {
	// The gate is open, and the site's own file, or none, is back in its place:
	// a bytecode cache still has this one.
	if (function_exists('opcache_invalidate')) {
		@opcache_invalidate(__FILE__, true);
	}
	if ($upkeep_gate !== '') {
		eval('?>' . $upkeep_gate);
	}
} elseif (defined('UPKEEP_AT_WORK')) {
	if (is_file(__DIR__ . '/defines.upkeep.php')) {
		include __DIR__ . '/defines.upkeep.php';
	}
} elseif (PHP_SAPI === 'cli' || PHP_SAPI === 'phpdbg') {
	// Who is at the command line knows what they do. Tasks that a clock starts
	// do not: what they write now could be lost.
	if (isset($argv) && (basename((string) $argv[0]) !== 'joomla.php' || isset($argv[1]) && preg_match('/^(scheduler|finder|session):/', $argv[1]))) {
		fwrite(STDERR, "This site is being updated: nothing may change it now. Try again in a few minutes.\n");
		exit(75);
	}
	if (is_file(__DIR__ . '/defines.upkeep.php')) {
		include __DIR__ . '/defines.upkeep.php';
	}
} elseif (isset($_SERVER['HTTP_X_UPKEEP_PROBE']) && hash_equals(substr($upkeep_gate, -64), hash('sha256', $_SERVER['HTTP_X_UPKEEP_PROBE']))) {
	$upkeep_root = __DIR__;
	// upkeep: code
	if (is_file(__DIR__ . '/defines.upkeep.php')) {
		include __DIR__ . '/defines.upkeep.php';
	}
	// A look at the site must not change it: sessions, caches and logs of this
	// request go to a folder of its own, which goes with it.
	$upkeep_scratch = sys_get_temp_dir() . '/upkeep-' . bin2hex(function_exists('random_bytes') ? random_bytes(16) : openssl_random_pseudo_bytes(16));
	$upkeep_config  = (defined('JPATH_CONFIGURATION') ? JPATH_CONFIGURATION : (basename(__DIR__) === 'administrator' || basename(__DIR__) === 'api' ? dirname(__DIR__) : __DIR__)) . '/configuration.php';
	if (!defined('JPATH_CONFIGURATION') && @mkdir($upkeep_scratch, 0700)) {
		foreach (array('cache', 'session', 'tmp', 'log') as $upkeep_name) {
			mkdir($upkeep_scratch . '/' . $upkeep_name, 0700);
		}
		define('UPKEEP_SCRATCH', $upkeep_scratch);
		define('JPATH_CONFIGURATION', $upkeep_scratch);
		defined('JPATH_CACHE') || define('JPATH_CACHE', $upkeep_scratch . '/cache');
		$upkeep_text = preg_replace('/\bclass\s+JConfig\b/', 'class UpkeepOwnConfig', (string) file_get_contents($upkeep_config), 1);
		file_put_contents($upkeep_scratch . '/own.php', $upkeep_text);
		// Joomla 3 has another name for sessions in files, and defines its folders
		// without asking whether they are: its list without these two does for it.
		$upkeep_text = (string) @file_get_contents(__DIR__ . '/includes/defines.php');
		$upkeep_old  = strpos($upkeep_text, 'JPATH_CONFIGURATION') && !strpos($upkeep_text, "defined('JPATH_CONFIGURATION')");
		if ($upkeep_old && !defined('_JDEFINES')) {
			define('_JDEFINES', true);
			define('JPATH_BASE', __DIR__);
			eval('?>' . preg_replace('/^define\(\'JPATH_(CONFIGURATION|CACHE)\'.*$/m', '', $upkeep_text));
		}
		ini_set('session.save_path', $upkeep_scratch . '/session');
		file_put_contents($upkeep_scratch . '/configuration.php', '<?php
require_once __DIR__ . "/own.php";
class JConfig extends UpkeepOwnConfig {
	public $session_handler = "' . ($upkeep_old ? 'none' : 'filesystem') . '";
	public $session_filesystem_path = "' . $upkeep_scratch . '/session";
	public $session_metadata = false;
	public $session_metadata_for_guest = false;
	public $caching = 0;
	public $cache_handler = "file";
	public $cache_path = "' . $upkeep_scratch . '/cache";
	public $tmp_path = "' . $upkeep_scratch . '/tmp";
	public $log_path = "' . $upkeep_scratch . '/log";
}
');
		register_shutdown_function(function () use ($upkeep_old) {
			register_shutdown_function(function () use ($upkeep_old) { // after all of Joomla's own
				if ($upkeep_old && session_id() !== '' && class_exists('JFactory', false)) {
					// It has noted the visitor in a table.
					$upkeep_db = JFactory::getDbo();
					$upkeep_db->setQuery('DELETE FROM #__session WHERE session_id = ' . $upkeep_db->quote(session_id()))->execute();
				}
				session_write_close();
				$upkeep_all = new RecursiveIteratorIterator(new RecursiveDirectoryIterator(UPKEEP_SCRATCH, FilesystemIterator::SKIP_DOTS), RecursiveIteratorIterator::CHILD_FIRST);
				foreach ($upkeep_all as $upkeep_entry) {
					$upkeep_entry->isDir() && !$upkeep_entry->isLink() ? @rmdir($upkeep_entry->getPathname()) : @unlink($upkeep_entry->getPathname());
				}
				@rmdir(UPKEEP_SCRATCH);
			});
		});
	}
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