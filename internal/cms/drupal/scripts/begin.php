<?php
// What every script of ours that loads Drupal begins with: it says how that
// went, however it ends. PHP 5.6 to 8.x.
final class Upkeep {
	public static $step = 'start';
	public static $answer = array();
	private static $done = false;
	private static $out;

	public static function begin() {
		self::$out = fopen('php://fd/4', 'w');
		register_shutdown_function(array(__CLASS__, 'end'));
		ob_start();
		define('UPKEEP_AT_WORK', true); // no visitor can define a constant
		return json_decode(file_get_contents('php://fd/3'), true);
	}

	public static function request($in) {
		$_SERVER = array_merge($_SERVER, array(
			'HTTP_HOST' => $in['host'], 'SERVER_NAME' => $in['host'], 'SERVER_PORT' => $in['https'] ? '443' : '80', 'SERVER_PROTOCOL' => 'HTTP/1.1',
			'REQUEST_METHOD' => 'GET', 'REQUEST_URI' => '/', 'QUERY_STRING' => '', 'REMOTE_ADDR' => '127.0.0.1', 'HTTP_USER_AGENT' => 'Upkeep',
			'DOCUMENT_ROOT' => $in['root'], 'SCRIPT_FILENAME' => $in['root'] . '/index.php', 'SCRIPT_NAME' => '/index.php', 'PHP_SELF' => '/index.php',
			'SERVER_SOFTWARE' => null,
		));
		if ($in['https']) {
			$_SERVER['HTTPS'] = 'on';
		}
		chdir($in['root']);
	}

	public static function run($function, $do) {
		self::$step = $function;
		$context = array('sandbox' => array(), 'results' => array(), 'message' => '', 'finished' => 1);
		$rounds  = 0;
		do {
			$context['finished'] = 1;
			$do($context);
			if (++$rounds > 1000000) {
				throw new RuntimeException($function . ' does not come to an end');
			}
		} while ($context['finished'] < 1 && empty($context['results']['#abort']));
		if (!empty($context['results']['#abort'])) {
			$said = array();
			array_walk_recursive($context['results'], function ($value, $key) use (&$said) {
				if ($key === 'query' && (is_string($value) || is_object($value) && method_exists($value, '__toString'))) {
					$said[] = strip_tags((string) $value);
				}
			});
			throw new RuntimeException($function . ': ' . implode('; ', $said));
		}
	}

	public static function done() {
		self::$done = true;
		exit(0);
	}

	public static function fail($e) {
		self::$answer['fatal'] = array('message' => substr($e->getMessage(), 0, 2000), 'file' => $e->getFile(), 'line' => $e->getLine());
		exit(1);
	}

	public static function end() {
		$answer = self::$answer + array('done' => self::$done, 'step' => self::$step);
		$last   = error_get_last();
		if (!self::$done && empty($answer['fatal']) && $last && ($last['type'] & (E_ERROR | E_PARSE | E_CORE_ERROR | E_COMPILE_ERROR | E_USER_ERROR | E_RECOVERABLE_ERROR))) {
			$answer['fatal'] = array('message' => substr(strtok($last['message'], "\n"), 0, 2000), 'file' => $last['file'], 'line' => $last['line']);
		}
		fwrite(self::$out, json_encode($answer, 2097152 /* JSON_INVALID_UTF8_SUBSTITUTE */ | JSON_PARTIAL_OUTPUT_ON_ERROR));
		fclose(self::$out);
	}
}

$upkeep_in = Upkeep::begin();
Upkeep::request($upkeep_in);
