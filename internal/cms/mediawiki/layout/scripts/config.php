<?php
// Evaluates LocalSettings.php where it is not static, and answers with the
// values asked for. MediaWiki itself does not start: what would load an
// extension or a skin notes its name. PHP 7.2 to 8.x.
error_reporting(0);
final class UpkeepNoted {
	public static $extensions = array();
	public static $skins = array();
}
function wfLoadExtension($name, $path = null) {
	UpkeepNoted::$extensions[] = (string) $name;
}
function wfLoadExtensions(array $names) {
	foreach ($names as $name) {
		wfLoadExtension($name);
	}
}
function wfLoadSkin($name, $path = null) {
	UpkeepNoted::$skins[] = (string) $name;
}
function wfLoadSkins(array $names) {
	foreach ($names as $name) {
		wfLoadSkin($name);
	}
}
function wfIsWindows() {
	return false;
}
define('MEDIAWIKI', true);
define('MW_ENTRY_POINT', 'cli');
define('UPKEEP_AT_WORK', true);
$upkeep = json_decode(stream_get_contents(fopen('php://fd/3', 'r')), true);
define('MW_INSTALL_PATH', $upkeep['root']);
define('MW_CONFIG_FILE', $upkeep['file']);
$_SERVER['SERVER_NAME'] = $_SERVER['HTTP_HOST'] = 'localhost';
$_SERVER['REQUEST_URI'] = '/';
$IP = $upkeep['root'];
$wgCommandLineMode = true;
$wgScriptPath = '/wiki';
foreach (array('AutoLoader', 'Defines') as $upkeep_name) { // constants, and classes that are named
	if (is_file($IP . '/includes/' . $upkeep_name . '.php')) {
		include_once $IP . '/includes/' . $upkeep_name . '.php';
	}
}
$upkeep_before = get_included_files();
ob_start();
if (strpos((string) file_get_contents($upkeep['file']), $upkeep['mark']) !== false) {
	include $upkeep['waiting'];
} else {
	include $upkeep['file'];
}
ob_end_clean();
$upkeep_answer = array(
	'php' => PHP_VERSION, 'values' => new stdClass(), 'extensions' => UpkeepNoted::$extensions, 'skins' => UpkeepNoted::$skins,
	'shared' => array(), 'files' => array_values(array_diff(get_included_files(), $upkeep_before)),
);
foreach ($upkeep['names'] as $upkeep_name) {
	if (isset($$upkeep_name) && is_scalar($$upkeep_name)) {
		$upkeep_answer['values']->$upkeep_name = (string) $$upkeep_name;
	}
}
foreach ($upkeep['shared'] as $upkeep_name) {
	if (!empty($$upkeep_name)) {
		$upkeep_answer['shared'][] = $upkeep_name;
	}
}
fwrite(fopen('php://fd/4', 'w'), json_encode($upkeep_answer, 2097152 /* JSON_INVALID_UTF8_SUBSTITUTE */));
