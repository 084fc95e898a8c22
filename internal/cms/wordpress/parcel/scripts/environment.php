<?php
// Says what the site's PHP is. Runs no code of the site.
$answer = array(
	'php'        => PHP_VERSION,
	'extensions' => get_loaded_extensions(),
);
file_put_contents( 'php://fd/4', json_encode( $answer ) );
