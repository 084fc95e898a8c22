<?php
// The command line: extension:install --path=FILE. {{version}}
define('_JEXEC', 1);
if (file_exists(dirname(__DIR__) . '/defines.php')) {
	require_once dirname(__DIR__) . '/defines.php';
}
define('JPATH_BASE', dirname(__DIR__));
require_once JPATH_BASE . '/includes/defines.php';
require_once JPATH_BASE . '/includes/framework.php';
list(, $file) = explode('=', $argv[2], 2);
$installer = new Joomla\CMS\Installer\Installer();
$folder    = Joomla\CMS\Installer\Installer::unpack($file);
exit($installer->install($folder) ? 0 : 1);
