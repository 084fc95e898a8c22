// Loads WordPress as a page of its administration does. Plugins compare the
// version they were with the one they are there, and migrate what they keep.
// One that sends the administrator to a welcome page ends the script, as it
// would end the request; the caller then comes again, like a browser. It follows
// complete.php in the same process, or stands alone.

require_once Upkeep::$in['site']['root'] . '/wp-load.php';
require_once ABSPATH . 'wp-admin/includes/admin.php';
Upkeep::$step = 'admin_init';

$upkeep_admins = is_multisite()
	? array_filter( array_map( 'get_user_by', array_fill( 0, count( get_super_admins() ), 'login' ), get_super_admins() ) )
	: get_users( array( 'role' => 'administrator', 'number' => 1, 'orderby' => 'ID' ) );
if ( $upkeep_admins ) {
	wp_set_current_user( reset( $upkeep_admins )->ID );
}
do_action( 'admin_init' );
Upkeep::$step = 'settled';
wp_cache_flush();
Upkeep::done();
