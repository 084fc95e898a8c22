<?php
namespace Joomla\CMS;

class Factory {
	public static $application;
	private static $database;
	private static $container;

	public static function getApplication() {
		return self::$application;
	}

	public static function getDbo() {
		return self::$database ?: self::$database = new Database(new \JConfig());
	}

	public static function getContainer() {
		return self::$container ?: self::$container = new Container();
	}
}
