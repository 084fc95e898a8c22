<?php
// Evaluates a settings.php that is not static, as Drupal includes it, and
// answers with what matters of it. Drupal itself does not start. PHP 5.6 to 8.x.
error_reporting(0);
$upkeep = json_decode(stream_get_contents(fopen('php://fd/3', 'r')), true);
register_shutdown_function(static function () {
	$scalar = static function ($value) {
		return is_scalar($value) ? (string) $value : '';
	};
	$connection = isset($GLOBALS['databases']['default']['default']) ? $GLOBALS['databases']['default']['default'] : array();
	if (isset($connection['prefix']) && is_array($connection['prefix'])) {
		$connection['prefix'] = count($connection['prefix']) > 1 ? implode(', ', array_keys($connection['prefix'])) : (isset($connection['prefix']['default']) ? $connection['prefix']['default'] : '');
	}
	$own = array();
	foreach (array('conf', 'settings') as $name) {
		$own += isset($GLOBALS[$name]) && is_array($GLOBALS[$name]) ? $GLOBALS[$name] : array();
	}
	fwrite(fopen('php://fd/4', 'w'), json_encode(array(
		'php' => PHP_VERSION,
		'connection' => (object) array_map($scalar, $connection),
		'files' => $scalar(isset($own['file_public_path']) ? $own['file_public_path'] : ''),
		'private' => $scalar(isset($own['file_private_path']) ? $own['file_private_path'] : ''),
		'sync' => $scalar(isset($own['config_sync_directory']) ? $own['config_sync_directory'] : ''),
		'home' => $scalar(isset($GLOBALS['base_url']) ? $GLOBALS['base_url'] : ''),
	), 2097152 /* JSON_INVALID_UTF8_SUBSTITUTE */));
});
$upkeep_host = $upkeep['host'] === '' || $upkeep['host'] === null ? 'localhost' : $upkeep['host'];
$_SERVER['HTTP_HOST'] = $upkeep_host;
$_SERVER['SERVER_NAME'] = $upkeep_host;
$_SERVER['REQUEST_METHOD'] = 'GET';
$_SERVER['REQUEST_URI'] = '/';
$_SERVER['SCRIPT_NAME'] = '/index.php';
$_SERVER['REMOTE_ADDR'] = '127.0.0.1';
chdir($upkeep['root']);
define('DRUPAL_ROOT', $upkeep['root']);
$app_root = $upkeep['root'];
$site_path = ltrim(substr($upkeep['site'], strlen($upkeep['root'])), '/');
if (is_file($app_root . '/autoload.php')) {
	$class_loader = require $app_root . '/autoload.php'; // settings may ask Composer's classes
}
$databases = $settings = $config = $conf = array();
include $upkeep['file'];
