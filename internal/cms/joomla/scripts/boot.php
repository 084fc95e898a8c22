
// Joomla 4 and later, booted as cli/joomla.php does. PHP 7.2 to 8.x.
function upkeep_boot() {
	$container = \Joomla\CMS\Factory::getContainer();
	$container->alias('session', 'session.cli')->alias('JSession', 'session.cli')
		->alias(\Joomla\CMS\Session\Session::class, 'session.cli')
		->alias(\Joomla\Session\Session::class, 'session.cli')
		->alias(\Joomla\Session\SessionInterface::class, 'session.cli');
	$app = $container->get(\Joomla\Console\Application::class);
	\Joomla\CMS\Factory::$application = $app;
	Upkeep::$step = 'plugins';
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

$_SERVER['argv']        = $argv = array('joomla.php', 'upkeep:work', '--no-interaction');
$_SERVER['argc']        = $argc = count($argv);
$_SERVER['HTTP_HOST']   = 'localhost';
$_SERVER['SCRIPT_NAME'] = $_SERVER['PHP_SELF'] = '/cli/joomla.php';
define('JPATH_BASE', Upkeep::$in['root']);
if (is_file(JPATH_BASE . '/defines.php')) {
	require_once JPATH_BASE . '/defines.php';
}
if (!defined('_JDEFINES')) {
	require_once JPATH_BASE . '/includes/defines.php';
}
require_once JPATH_BASE . '/includes/framework.php';
