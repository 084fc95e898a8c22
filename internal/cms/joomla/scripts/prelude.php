<?php
// Runs work of Upkeep's inside the site's own command line, past the gate, and
// says how it went, however it ends. PHP 7.2 to 8.x, Joomla 4 to 6.

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
		fwrite(self::$out, json_encode($answer, JSON_INVALID_UTF8_SUBSTITUTE | JSON_PARTIAL_OUTPUT_ON_ERROR));
		fclose(self::$out);
	}

	// run boots Joomla as cli/joomla.php does, and has it run work as a command.
	public static function run($work) {
		self::$work = $work;
		try { // Joomla's own handler would make a page of it
			self::boot();
		} catch (\Throwable $e) {
			self::failed($e);
		}
	}

	private static function boot() {
		$container  = \Joomla\CMS\Factory::getContainer();
		$container->alias('session', 'session.cli')->alias('JSession', 'session.cli')
			->alias(\Joomla\CMS\Session\Session::class, 'session.cli')
			->alias(\Joomla\Session\Session::class, 'session.cli')
			->alias(\Joomla\Session\SessionInterface::class, 'session.cli');
		$app = $container->get(\Joomla\Console\Application::class);
		\Joomla\CMS\Factory::$application = $app;
		self::$step = 'plugins';
		$app->addCommand(new class('upkeep:work') extends \Joomla\Console\Command\AbstractCommand {
			protected function doExecute(\Symfony\Component\Console\Input\InputInterface $input, \Symfony\Component\Console\Output\OutputInterface $output): int {
				try {
					(Upkeep::$work)($this->getApplication());
				} catch (\Throwable $e) {
					Upkeep::failed($e);
				}
				return 0;
			}
		});
		$app->execute();
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
$_SERVER['argv']        = $argv = array('joomla.php', 'upkeep:work', '--no-interaction');
$_SERVER['argc']        = $argc = count($argv);
$_SERVER['HTTP_HOST']   = 'localhost';
$_SERVER['SCRIPT_NAME'] = $_SERVER['PHP_SELF'] = '/cli/joomla.php';
chdir(Upkeep::$in['root']);
Upkeep::$step = 'framework';
define('JPATH_BASE', Upkeep::$in['root']);
if (is_file(JPATH_BASE . '/defines.php')) {
	require_once JPATH_BASE . '/defines.php';
}
if (!defined('_JDEFINES')) {
	require_once JPATH_BASE . '/includes/defines.php';
}
require_once JPATH_BASE . '/includes/framework.php';
