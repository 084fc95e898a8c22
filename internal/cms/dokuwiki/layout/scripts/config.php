<?php
// Evaluates DokuWiki's cascade of configuration files where it is not static,
// as inc/init.php does, and answers with the values asked for. DokuWiki itself
// does not start.
error_reporting(0);
$upkeep = json_decode(stream_get_contents(fopen('php://fd/3', 'r')), true);
if (!function_exists('fullpath')) {
	function fullpath($path) {
		$real = realpath($path);
		return $real === false ? $path : $real;
	}
}
if (!function_exists('nice_die')) {
	function nice_die($message) {
		exit(1);
	}
}
$_SERVER['SCRIPT_NAME'] = '/doku.php';
$_SERVER['SCRIPT_FILENAME'] = $upkeep['root'] . 'doku.php';
$_SERVER['HTTP_HOST'] = '';
$config_cascade = array();
define('DOKU_INC', $upkeep['root']);
if (is_file($upkeep['preload'])) {
	include $upkeep['preload'];
}
if (!defined('DOKU_CONF')) {
	define('DOKU_CONF', DOKU_INC . 'conf/');
}
include DOKU_INC . 'inc/config_cascade.php';
$conf = array();
foreach (array('default', 'local', 'protected') as $upkeep_group) {
	foreach ((array) $config_cascade['main'][$upkeep_group] as $upkeep_file) {
		if (file_exists($upkeep_file)) {
			include $upkeep_file;
		}
	}
}
function upkeep_group($groups) {
	$lists = array();
	foreach (array('default', 'local', 'protected') as $group) {
		$lists[$group] = isset($groups[$group]) ? array_values(array_filter((array) $groups[$group], 'is_string')) : array();
	}
	return $lists;
}
$upkeep_answer = array(
	'php' => PHP_VERSION,
	'confdir' => DOKU_CONF,
	'conf' => new stdClass(),
	'main' => upkeep_group($config_cascade['main']),
	'plugins' => upkeep_group($config_cascade['plugins']),
	// Debian's package always asks for a farm; there is one when it has animals.
	'farm' => defined('DOKU_FARMDIR') || defined('DOKU_FARM') && DOKU_FARM || isset($farm_conf) && (bool) glob($farm_conf . '/*/', GLOB_ONLYDIR),
);
foreach ($upkeep['names'] as $upkeep_name) {
	if (isset($conf[$upkeep_name]) && is_scalar($conf[$upkeep_name])) {
		$upkeep_answer['conf']->$upkeep_name = (string) $conf[$upkeep_name];
	}
}
fwrite(fopen('php://fd/4', 'w'), json_encode($upkeep_answer, 2097152 /* JSON_INVALID_UTF8_SUBSTITUTE */));
