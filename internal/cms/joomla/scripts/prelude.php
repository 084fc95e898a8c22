<?php
// Runs work of Upkeep's inside the site's own command line, past the gate, and
// says how it went, however it ends. PHP 5.6 to 8.x.

final class Upkeep {
	public static $in;
	public static $step = 'start';
	public static $said = array();
	public static $work;
	private static $done = false;
	private static $out;

	public static function begin() {
		self::$out = fopen('php://fd/4', 'w');
		self::$in  = json_decode(file_get_contents('php://fd/3'), true);
		register_shutdown_function(array(__CLASS__, 'end'));
		ob_start();
		define('UPKEEP_AT_WORK', true); // no visitor can define a constant
		define('_JEXEC', 1);
		// A program that comes on standard input has none of these, and Joomla
		// goes without a word where they are missing.
		defined('STDIN') || define('STDIN', fopen('/dev/null', 'r'));
		defined('STDOUT') || define('STDOUT', fopen('php://stdout', 'w'));
		defined('STDERR') || define('STDERR', fopen('php://stderr', 'w'));
	}

	public static function done() {
		self::$done = true;
	}

	public static function failed($e) {
		for ($depth = 0; $e && $depth < 5; $e = $e->getPrevious(), $depth++) {
			self::$said[] = $e->getMessage() . ' in ' . str_replace(self::$in['root'] . '/', '', $e->getFile()) . ':' . $e->getLine();
		}
	}

	public static function end() {
		$said = array();
		foreach (array_slice(array_values(array_unique(self::$said)), 0, 20) as $text) {
			$said[] = substr(trim(strip_tags((string) $text)), 0, 1000);
		}
		$answer = array('done' => self::$done, 'step' => self::$step, 'said' => $said);
		$last   = error_get_last();
		if (!self::$done && $last && ($last['type'] & (E_ERROR | E_PARSE | E_CORE_ERROR | E_COMPILE_ERROR | E_USER_ERROR | E_RECOVERABLE_ERROR))) {
			$answer['fatal'] = array('message' => substr((string) strtok($last['message'], "\n"), 0, 2000), 'file' => $last['file'], 'line' => $last['line']);
		}
		fwrite(self::$out, json_encode($answer, 2097152 /* JSON_INVALID_UTF8_SUBSTITUTE */ | JSON_PARTIAL_OUTPUT_ON_ERROR));
		fclose(self::$out);
	}

	// run boots Joomla, and has it run work.
	public static function run($work) {
		self::$work = $work;
		try { // Joomla's own handler would make a page of it
			upkeep_boot();
		} catch (\Exception $e) { // what PHP 5 knows
			self::failed($e);
		} catch (\Throwable $e) {
			self::failed($e);
		}
	}

	// hear keeps what Joomla has told its user meanwhile: a list by type on the
	// command line, of messages with their types elsewhere.
	public static function hear($app) {
		foreach (method_exists($app, 'getMessageQueue') ? $app->getMessageQueue() : array() as $type => $messages) {
			$messages = isset($messages['message']) ? array($messages['message']) : (array) $messages;
			if ($type !== 'message' && $type !== 'info' && $type !== 'notice' && $type !== 'debug') {
				self::$said = array_merge(self::$said, $messages);
			}
		}
	}
}

Upkeep::begin();
chdir(Upkeep::$in['root']);
Upkeep::$step = 'framework';
