<?php
// Says what a configuration holds that cannot be read without running it. PHP 5.6 to 8.x.
$upkeep_in = json_decode(file_get_contents('php://fd/3'), true);
defined('_JEXEC') || define('_JEXEC', 1);
ob_start();
require $upkeep_in['file'];
$upkeep_config = new JConfig();
$upkeep_out    = array();
foreach ($upkeep_in['names'] as $upkeep_name) {
	if (isset($upkeep_config->$upkeep_name)) {
		$upkeep_out[$upkeep_name] = (string) $upkeep_config->$upkeep_name;
	}
}
fwrite(fopen('php://fd/4', 'w'), json_encode((object) $upkeep_out));
