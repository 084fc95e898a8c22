<?php
// The installer, told all by its command line.
$in = array();
foreach ($argv as $argument) {
	if (preg_match('/^--([a-z-]+)=(.*)$/s', $argument, $match)) {
		$in[$match[1]] = $match[2];
	}
}
$root  = dirname(__DIR__);
$lines = '';
foreach (array('dbtype' => 'mysqli', 'host' => $in['db-host'], 'user' => $in['db-user'], 'password' => $in['db-pass'], 'db' => $in['db-name'], 'dbprefix' => $in['db-prefix'],
	'live_site' => '', 'tmp_path' => $root . '/tmp', 'log_path' => $root . '/administrator/logs') as $name => $value) {
	$lines .= "\tpublic \$$name = " . var_export($value, true) . ";\n";
}
file_put_contents($root . '/configuration.php', "<?php\nclass JConfig {\n$lines}\n");
foreach (array('tmp', 'cache', 'administrator/logs', 'administrator/cache') as $dir) {
	is_dir("$root/$dir") || mkdir("$root/$dir");
}
define('_JEXEC', 1);
define('JPATH_BASE', $root);
require_once $root . '/includes/defines.php';
require_once $root . '/includes/framework.php';
$db = Joomla\CMS\Factory::getDbo();
$db->script(file_get_contents(__DIR__ . '/joomla.sql'));
$db->setQuery('INSERT INTO #__users VALUES (42, ' . $db->quote($in['admin-username']) . ')')->execute();
Joomla\CMS\Installer\Installer::migrate($root . '/administrator/components/com_admin/sql/updates/mysql', 1);
