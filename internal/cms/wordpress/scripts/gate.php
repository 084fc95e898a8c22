<?php
// Upkeep is updating this site and opens it again by itself, whatever happens.
//
// WordPress runs this file on each request. INF never expires, and is not the
// integer that WordPress's own way past the gate asks for. The digest is read
// from the file's end, not written into the code: a bytecode cache that never
// looks at files again would keep that of an earlier time.
$upgrading = INF;
if ( ! strpos( (string) @file_get_contents( __FILE__ ), 'UPKEEP_AT_WORK' ) ) {
	// The gate is open, and an older file of this name is back in its place: a
	// bytecode cache still has this one.
	$upgrading = 0;
	if ( function_exists( 'opcache_invalidate' ) ) {
		@opcache_invalidate( __FILE__, true );
	}
} elseif ( defined( 'UPKEEP_AT_WORK' ) ) {
	$upgrading = 0;
} elseif ( isset( $_SERVER['HTTP_X_UPKEEP_PROBE'] ) && hash_equals( substr( file_get_contents( __FILE__ ), -64 ), hash( 'sha256', $_SERVER['HTTP_X_UPKEEP_PROBE'] ) ) ) {
	$upgrading = 0;
	if ( isset( $_SERVER['HTTP_X_UPKEEP_RESET'] ) && ! headers_sent() && ! defined( 'UPKEEP_RESET' ) ) {
		define( 'UPKEEP_RESET', true ); // WordPress runs this file again when a request ends early
		clearstatcache( true );
		if ( function_exists( 'apcu_clear_cache' ) ) {
			apcu_clear_cache();
		}
		// Where PHP trusts a file for longer, only a reset after all changes helps.
		$watches = ini_get( 'opcache.validate_timestamps' ) && (int) ini_get( 'opcache.revalidate_freq' ) <= 2;
		$status  = $watches && function_exists( 'opcache_get_status' ) ? @opcache_get_status( true ) : false;
		header( 'X-Upkeep-Reset: ' . ( ! function_exists( 'opcache_reset' ) || ! ini_get( 'opcache.enable' ) || @opcache_reset() ? 'done' : 'refused' ) );
		if ( $status && isset( $status['scripts'] ) ) {
			$held = array();
			foreach ( array_keys( $status['scripts'] ) as $path ) {
				if ( 0 === strpos( $path, __DIR__ . '/' ) ) {
					$held[] = substr( $path, strlen( __DIR__ ) + 1 );
				}
			}
			echo json_encode( array( 'root' => __DIR__, 'scripts' => $held ) );
		}
		exit; // this request would still run what the cache held
	}
	if ( isset( $_SERVER['HTTP_X_UPKEEP_COMPILE'] ) && ! headers_sent() && ! defined( 'UPKEEP_COMPILE' ) ) {
		define( 'UPKEEP_COMPILE', true );
		$compiled = array();
		$until    = microtime( true ) + 4;
		// Before PHP 8 compiling declares what it compiles, and may fail on that.
		$list = PHP_VERSION_ID >= 80000 ? json_decode( (string) file_get_contents( 'php://input' ), true ) : array();
		foreach ( is_array( $list ) ? $list : array() as $name ) {
			$path = is_string( $name ) ? __DIR__ . '/' . $name : '';
			if ( $path && false === strpos( $name, '..' ) && is_file( $path ) && microtime( true ) < $until && @opcache_compile_file( $path ) ) {
				$compiled[] = $path;
			}
		}
		// What else this request has loaded, as the configuration, may be changed
		// within the time for which PHP now trusts it.
		foreach ( function_exists( 'opcache_invalidate' ) ? array_diff( get_included_files(), $compiled ) : array() as $path ) {
			@opcache_invalidate( $path, true );
		}
		header( 'X-Upkeep-Compile: ' . count( $compiled ) );
		exit;
	}
} else {
	if ( headers_sent() ) {
		exit; // wp-cron.php, which answers before it begins; WordPress would log a warning
	}
	if ( function_exists( 'remove_all_filters' ) ) {
		remove_all_filters( 'enable_maintenance_mode' );
	}
	http_response_code( 503 );
	header( 'Retry-After: 300' );
	header( 'Cache-Control: no-store, no-cache, must-revalidate, max-age=0' );
}
if ( 0 === $upgrading && ! defined( 'UPKEEP_LOOKING' ) && function_exists( 'add_filter' ) ) {
	define( 'UPKEEP_LOOKING', true );
	// An error that we are here to find, and take back, is not news for the
	// owner's mailbox.
	add_filter( 'recovery_mode_email', function ( $mail ) {
		$mail['to'] = '';
		return $mail;
	}, PHP_INT_MAX );
}
if ( 0 === $upgrading && ! defined( 'DISABLE_WP_CRON' ) ) {
	// The configuration has been read: it cannot define this again. A page that
	// we look at shall start no errands, which the gate would turn away.
	define( 'DISABLE_WP_CRON', true );
}
// 