<?php
// The administration. {{version}}
define('JOOMLA_MINIMUM_PHP', '7.4.0');
define('_JEXEC', 1);
if (file_exists(__DIR__ . '/defines.php')) {
	include_once __DIR__ . '/defines.php';
}
if (!defined('_JDEFINES')) {
	define('JPATH_BASE', __DIR__);
	require_once JPATH_BASE . '/includes/defines.php';
}
require_once JPATH_BASE . '/includes/framework.php';
(new Joomla\CMS\Site())->show();
