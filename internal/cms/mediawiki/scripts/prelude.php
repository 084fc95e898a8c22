<?php
// What our scripts begin with: they run inside MediaWiki, past the gate, and say
// how that went, however it ends. PHP 7.2 to 8.x.

final class Upkeep {
	public static $step = 'start';
	public static $version = '';
	public static $file = '';
	public static $said = '';
	public static $extensions = array();
	private static $done = false;
	private static $tail = '';
	private static $out;

	public static function begin() {
		self::$out = fopen('php://fd/4', 'w');
		register_shutdown_function(array(__CLASS__, 'end'));
		ob_start(array(__CLASS__, 'printed'), 4096);
		define('UPKEEP_AT_WORK', true); // no visitor can define a constant
	}

	// What is printed goes to the log; its end says why something stopped.
	public static function printed($text) {
		self::$tail = substr(self::$tail . $text, -2000);
		return $text;
	}

	public static function done() {
		self::$done = true;
	}

	public static function end() {
		while (ob_get_level() && @ob_end_flush());
		$answer = array('done' => self::$done, 'step' => self::$step, 'version' => self::$version, 'file' => self::$file, 'extensions' => (object) self::$extensions);
		$lines = array_filter(array_map('trim', explode("\n", self::$tail)));
		$answer['said'] = self::$done ? '' : (self::$said !== '' ? self::$said : (string) end($lines));
		$last = error_get_last();
		if (!self::$done && $last && ($last['type'] & (E_ERROR | E_PARSE | E_CORE_ERROR | E_COMPILE_ERROR | E_USER_ERROR | E_RECOVERABLE_ERROR))) {
			$answer['fatal'] = array('message' => substr(strtok($last['message'], "\n"), 0, 2000), 'file' => $last['file']);
		}
		fwrite(self::$out, json_encode($answer, 2097152 /* JSON_INVALID_UTF8_SUBSTITUTE */ | JSON_PARTIAL_OUTPUT_ON_ERROR));
		fclose(self::$out);
	}
}

Upkeep::begin();
$upkeep_in = json_decode(file_get_contents('php://fd/3'), true);
chdir($upkeep_in['root']);
putenv('MW_INSTALL_PATH=' . $upkeep_in['root']);
// A script that comes by standard input has none of these.
foreach (array('STDIN' => '/dev/null', 'STDOUT' => 'php://stdout', 'STDERR' => 'php://stderr') as $upkeep_name => $upkeep_stream) {
	if (!defined($upkeep_name)) {
		define($upkeep_name, fopen($upkeep_stream, $upkeep_name === 'STDIN' ? 'r' : 'w'));
	}
}
