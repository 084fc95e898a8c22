// Loads WordPress with everything that is active and says what came up.

require Upkeep::$in['site']['root'] . '/wp-load.php';
if ( is_admin() ) {
	Upkeep::$step = 'administration';
	require_once ABSPATH . 'wp-admin/includes/admin.php';
}
Upkeep::$step   = 'loaded';
Upkeep::$answer = array(
	'version' => $wp_version,
	'schema'  => (string) get_option( 'db_version' ),
	'loaded'  => array_values( array_map( 'plugin_basename', array_merge( is_multisite() ? wp_get_active_network_plugins() : array(), wp_get_active_and_valid_plugins() ) ) ),
);
Upkeep::done();
