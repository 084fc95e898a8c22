<?php
// Installs a Drupal 7 without a browser and fills it.
error_reporting(E_ALL & ~E_DEPRECATED & ~E_NOTICE & ~E_WARNING);
$in = json_decode(stream_get_contents(STDIN), true);
chdir($in['root']);
define('DRUPAL_ROOT', $in['root']);
define('MAINTENANCE_MODE', 'install');
$_SERVER['HTTP_HOST'] = $in['host'];
$_SERVER['REMOTE_ADDR'] = '127.0.0.1';
$_SERVER['REQUEST_METHOD'] = 'GET';
$_SERVER['SERVER_SOFTWARE'] = NULL;
$_SERVER['SCRIPT_NAME'] = '/install.php';
$_SERVER['REQUEST_URI'] = '/install.php';
require_once DRUPAL_ROOT . '/includes/install.core.inc';
try {
install_drupal(array(
	'parameters' => array('profile' => 'minimal', 'locale' => 'en'),
	'forms' => array(
		'install_settings_form' => array('driver' => $in['database']['driver'], $in['database']['driver'] => $in['database']),
		'install_configure_form' => array(
			'site_name' => $in['title'], 'site_mail' => 'admin@example.org',
			'account' => array('name' => $in['user'], 'mail' => 'admin@example.org', 'pass' => array('pass1' => $in['password'], 'pass2' => $in['password'])),
			'clean_url' => 1,
		),
	),
));
} catch (Exception $e) {
	fwrite(STDERR, get_class($e) . ' ' . $e->getMessage());
	exit(1);
}
module_enable(array_merge(array('path'), $in['modules']));
drupal_flush_all_caches();
$type = (object) array('type' => 'page', 'name' => 'Page', 'base' => 'node_content', 'custom' => 1, 'modified' => 1, 'locked' => 0, 'description' => '', 'help' => '', 'has_title' => 1, 'title_label' => 'Title', 'module' => 'node', 'orig_type' => '', 'disabled' => 0, 'is_new' => 1);
node_type_save($type);
node_add_body_field($type);
foreach (array('Welcome', 'Second') as $title) {
	$node = (object) array('type' => 'page', 'language' => LANGUAGE_NONE, 'uid' => 1, 'status' => 1, 'promote' => 1, 'title' => $title, 'body' => array(LANGUAGE_NONE => array(array('value' => 'A page of the owner.', 'format' => 'plain_text'))));
	node_save($node);
}
user_role_grant_permissions(DRUPAL_ANONYMOUS_RID, array('access content'));
variable_set('clean_url', 1);
variable_set('cache', 1);
variable_set('cron_safe_threshold', 0);
echo json_encode(array('version' => VERSION));
