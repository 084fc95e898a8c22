<?php
defined('_JEXEC') or die;
$root = basename(JPATH_BASE) === 'administrator' ? dirname(JPATH_BASE) : JPATH_BASE;
foreach (array(
	'JPATH_ROOT' => $root, 'JPATH_SITE' => $root, 'JPATH_CONFIGURATION' => $root, 'JPATH_ADMINISTRATOR' => $root . '/administrator',
	'JPATH_CACHE' => JPATH_BASE . '/cache',
) as $name => $value) {
	defined($name) || define($name, $value);
}
