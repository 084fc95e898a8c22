<?php
// {{version}}
defined('_JEXEC') or die;
require_once JPATH_CONFIGURATION . '/configuration.php';
require_once JPATH_ROOT . '/libraries/vendor/autoload.php';
