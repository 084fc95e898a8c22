<?php
// Installs a Drupal 8 or later without a browser and fills it.
error_reporting(E_ALL & ~E_DEPRECATED & ~E_NOTICE & ~E_WARNING);
$in = json_decode(stream_get_contents(STDIN), true);
chdir($in['root']);
$_SERVER['HTTP_HOST'] = $in['host'];
$_SERVER['REMOTE_ADDR'] = '127.0.0.1';
$_SERVER['REQUEST_METHOD'] = 'GET';
$_SERVER['SCRIPT_NAME'] = '/index.php';
$_SERVER['SCRIPT_FILENAME'] = $in['root'] . '/index.php';
$loader = require $in['root'] . '/autoload.php';
require_once $in['root'] . '/core/includes/install.core.inc';
try {
install_drupal($loader, array(
	'interactive' => false, 'site_path' => 'sites/default',
	'parameters' => array('profile' => 'minimal', 'langcode' => 'en'),
	'forms' => array(
		'install_settings_form' => array('driver' => $in['database']['driver'], $in['database']['driver'] => $in['database']),
		'install_configure_form' => array(
			'site_name' => $in['title'], 'site_mail' => 'admin@example.org',
			'account' => array('name' => $in['user'], 'mail' => 'admin@example.org', 'pass' => array('pass1' => $in['password'], 'pass2' => $in['password'])),
			'enable_update_status_module' => null, 'enable_update_status_emails' => null,
		),
	),
));
} catch (Throwable $e) {
	fwrite(STDERR, get_class($e) . ' ' . strip_tags($e->getMessage()));
	exit(1);
}
\Drupal::service('module_installer')->install(array_merge(array('node', 'text', 'page_cache', 'dynamic_page_cache'), $in['modules']));
\Drupal\node\Entity\NodeType::create(array('type' => 'page', 'name' => 'Page'))->save();
foreach (array('Welcome', 'Second') as $title) {
	\Drupal\node\Entity\Node::create(array('type' => 'page', 'title' => $title, 'uid' => 1, 'status' => 1, 'promote' => 1))->save();
}
user_role_grant_permissions('anonymous', array('access content'));
\Drupal::configFactory()->getEditable('system.site')->set('page.front', '/node/1')->save();
\Drupal::configFactory()->getEditable('system.performance')->set('cache.page.max_age', 300)->save();
drupal_flush_all_caches();
echo json_encode(array('version' => \Drupal::VERSION));
