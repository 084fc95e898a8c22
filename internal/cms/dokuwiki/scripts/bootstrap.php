<?php
// Loads DokuWiki with every plugin that is switched on, past the gate, and
// each part of those that were updated, and says how that went, however it ends. PHP 5.6 to 8.x.

final class Upkeep {
	public static $step = 'start';
	public static $said = '';
	public static $culprit = '';
	private static $done = false;
	private static $out;

	public static function begin() {
		self::$out = fopen('php://fd/4', 'w');
		register_shutdown_function(array(__CLASS__, 'end'));
		ob_start();
		define('UPKEEP_AT_WORK', true); // no visitor can define a constant
		define('NOSESSION', true);
	}

	public static function done() {
		self::$done = true;
		exit(0);
	}

	public static function end() {
		$answer = array('done' => self::$done, 'step' => self::$step, 'said' => self::$said, 'culprit' => self::$culprit);
		$last   = error_get_last();
		if (!self::$done && $last && ($last['type'] & (E_ERROR | E_PARSE | E_CORE_ERROR | E_COMPILE_ERROR | E_USER_ERROR | E_RECOVERABLE_ERROR))) {
			$answer['fatal'] = array('message' => substr(strtok($last['message'], "\n"), 0, 2000), 'file' => $last['file'], 'line' => $last['line']);
		}
		fwrite(self::$out, json_encode($answer, 2097152 /* JSON_INVALID_UTF8_SUBSTITUTE */ | JSON_PARTIAL_OUTPUT_ON_ERROR));
		fclose(self::$out);
	}
}

Upkeep::begin();
$upkeep_in = json_decode(file_get_contents('php://fd/3'), true);
$_SERVER   = array_merge($_SERVER, array(
	'HTTP_HOST' => 'localhost', 'SERVER_NAME' => 'localhost', 'SERVER_PORT' => '80', 'SERVER_PROTOCOL' => 'HTTP/1.1',
	'REQUEST_METHOD' => 'GET', 'REQUEST_URI' => '/doku.php', 'QUERY_STRING' => '', 'REMOTE_ADDR' => '127.0.0.1', 'HTTP_USER_AGENT' => 'Upkeep',
	'DOCUMENT_ROOT' => $upkeep_in['root'], 'SCRIPT_FILENAME' => $upkeep_in['root'] . '/doku.php', 'SCRIPT_NAME' => '/doku.php', 'PHP_SELF' => '/doku.php',
));
chdir($upkeep_in['root']);
Upkeep::$step = 'inc/init.php';
require $upkeep_in['root'] . '/inc/init.php';
// What else is broken was so before, or shows on the pages: DokuWiki catches
// what a plugin throws, says so, and goes on without the plugin.
foreach (array('syntax', 'action', 'renderer', 'helper', 'admin', 'remote') as $upkeep_type) {
	foreach (plugin_list($upkeep_type) as $upkeep_component) {
		$upkeep_plugin = $upkeep_component;
		while ($upkeep_plugin !== '' && !in_array($upkeep_plugin, $upkeep_in['updated'], true)) {
			$upkeep_plugin = (string) substr($upkeep_plugin, 0, (int) strrpos($upkeep_plugin, '_'));
		}
		if ($upkeep_plugin === '') {
			continue;
		}
		Upkeep::$step = $upkeep_type . ' of plugin ' . $upkeep_plugin;
		try {
			if (!class_exists($upkeep_type . '_plugin_' . $upkeep_component)) {
				Upkeep::$said = 'no class ' . $upkeep_type . '_plugin_' . $upkeep_component;
			}
		} catch (Throwable $e) {
			Upkeep::$said = $e->getMessage() . ' in ' . basename($e->getFile());
		}
		if (Upkeep::$said !== '') {
			Upkeep::$culprit = $upkeep_plugin;
			exit(1);
		}
	}
}
Upkeep::$step = 'parser';
p_get_instructions("====== Upkeep ======\n\n  * **list**\n\n[[start]] ''code''\n");
Upkeep::$step = 'loaded';
Upkeep::done();
