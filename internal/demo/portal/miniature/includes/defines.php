<?php
defined('_JEXEC') or die;
$root = basename(JPATH_BASE) === 'administrator' ? dirname(JPATH_BASE) : JPATH_BASE;
defined('JPATH_ROOT') || define('JPATH_ROOT', $root);
defined('JPATH_SITE') || define('JPATH_SITE', $root);
defined('JPATH_CONFIGURATION') || define('JPATH_CONFIGURATION', $root);
defined('JPATH_ADMINISTRATOR') || define('JPATH_ADMINISTRATOR', $root . '/administrator');
defined('JPATH_CACHE') || define('JPATH_CACHE', JPATH_BASE . '/cache');
