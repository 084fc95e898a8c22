<?php // after prelude.php: runs MediaWiki's own updater
$upkeep_arguments = array($upkeep_in['root'] . '/maintenance/update.php', '--quick');
if (is_file($upkeep_in['root'] . '/maintenance/run.php')) {
	$upkeep_arguments = array($upkeep_in['root'] . '/maintenance/run.php', 'update', '--quick');
}
$argv = $GLOBALS['argv'] = $_SERVER['argv'] = $upkeep_arguments;
$argc = $GLOBALS['argc'] = $_SERVER['argc'] = count($argv);
Upkeep::$step = basename($argv[0]);
require $argv[0];
Upkeep::$step = 'updated';
Upkeep::done();
