<?php
// A program of our own that keeps its records and updates its tables as Drupal
// 7 does.
define('DRUPAL_ROOT', getcwd());
require_once DRUPAL_ROOT . '/includes/bootstrap.inc';
drupal_bootstrap(DRUPAL_BOOTSTRAP_FULL);
drupal_show(isset($_GET['q']) ? $_GET['q'] : 'node');
