<?php
// Begins every script of ours that runs code of the site: PHP 5.6 to 8.x.
// It sets up what a web request would have, and sees to it that we get an
// answer however the site's code ends: fatal error, exit, wp_die.

final class Upkeep {
	public static $in;
	public static $step   = 'bootstrap';
	public static $answer = array();
	private static $out;
	private static $done = false;
	private static $died = '';

	public static function begin() {
		self::$in  = json_decode( file_get_contents( 'php://fd/3' ), true );
		self::$out = fopen( 'php://fd/4', 'w' );
		register_shutdown_function( array( __CLASS__, 'end' ) );

		// The gate lets us in. No visitor can define a constant.
		define( 'UPKEEP_AT_WORK', true );
		// Keeps WordPress from sending its owner a mail about a fatal error
		// that we are here to find.
		define( 'WP_SANDBOX_SCRAPING', true );
		define( 'WP_USE_THEMES', false );
		foreach ( self::$in['constants'] as $name ) {
			define( $name, true );
		}

		$site    = self::$in['site'];
		$request = array(
			'HTTP_HOST'       => $site['host'],
			'SERVER_NAME'     => preg_replace( '/:\d+$/', '', $site['host'] ),
			'SERVER_PORT'     => $site['https'] ? '443' : '80',
			'SERVER_PROTOCOL' => 'HTTP/1.1',
			'SERVER_SOFTWARE' => '',
			'REQUEST_METHOD'  => 'GET',
			'REQUEST_URI'     => $site['path'] . self::$in['uri'],
			'QUERY_STRING'    => '',
			'REMOTE_ADDR'     => '127.0.0.1',
			'HTTP_USER_AGENT' => 'Upkeep',
			'DOCUMENT_ROOT'   => $site['root'],
			'SCRIPT_FILENAME' => $site['root'] . '/' . self::$in['uri'] . 'index.php',
			'SCRIPT_NAME'     => $site['path'] . self::$in['uri'] . 'index.php',
			'PHP_SELF'        => $site['path'] . self::$in['uri'] . 'index.php',
		);
		if ( $site['https'] ) {
			$request['HTTPS'] = 'on';
		}
		$_SERVER = array_merge( $_SERVER, $request );

		// Filters set before WordPress loads; it takes them over.
		self::early( 'wp_die_handler', array( __CLASS__, 'die_handler' ) );
		self::early( 'wp_die_ajax_handler', array( __CLASS__, 'die_handler' ) );
		self::early( 'automatic_updater_disabled', array( __CLASS__, 'yes' ) );
		self::early( 'http_request_args', array( __CLASS__, 'hurry' ) );
		self::early( 'muplugins_loaded', array( __CLASS__, 'quiet' ) );
	}

	private static function early( $hook, $callback ) {
		$GLOBALS['wp_filter'][ $hook ][ PHP_INT_MAX ][] = array(
			'function'      => $callback,
			'accepted_args' => 1,
		);
	}

	public static function yes() {
		return true;
	}

	// Visitors wait: nothing of this site may wait long for another.
	public static function hurry( $args ) {
		$args['timeout'] = min( 5, isset( $args['timeout'] ) ? (float) $args['timeout'] : 5 );
		return $args;
	}

	// WordPress's own errands begin with a request to itself, which the gate
	// would refuse, or ask the publishers, which the engine has done.
	public static function quiet() {
		remove_action( 'init', 'wp_cron' );
		remove_action( 'wp_loaded', '_wp_cron', 20 );
		remove_action( 'init', 'wp_schedule_update_checks' );
		foreach ( array( '_maybe_update_core', '_maybe_update_plugins', '_maybe_update_themes' ) as $errand ) {
			remove_action( 'admin_init', $errand );
		}
	}

	public static function die_handler() {
		return array( __CLASS__, 'died' );
	}

	public static function died( $message ) {
		if ( is_object( $message ) && method_exists( $message, 'get_error_message' ) ) {
			$message = $message->get_error_message();
		}
		self::$died = trim( strip_tags( (string) $message ) );
		exit( 1 );
	}

	public static function done() {
		self::$done = true;
		exit( 0 );
	}

	public static function end() {
		$answer = self::$answer + array(
			'done' => self::$done,
			'step' => self::$step,
			'died' => substr( self::$died, 0, 2000 ),
		);
		$last   = error_get_last();
		if ( ! self::$done && $last && ( $last['type'] & ( E_ERROR | E_PARSE | E_CORE_ERROR | E_COMPILE_ERROR | E_USER_ERROR | E_RECOVERABLE_ERROR ) ) ) {
			$answer['fatal'] = array(
				'message' => substr( strtok( $last['message'], "\n" ), 0, 2000 ),
				'file'    => $last['file'],
				'line'    => $last['line'],
			);
		}
		fwrite( self::$out, json_encode( $answer, 2097152 /* JSON_INVALID_UTF8_SUBSTITUTE, where known */ | JSON_PARTIAL_OUTPUT_ON_ERROR ) );
		fclose( self::$out );
	}
}

Upkeep::begin();
