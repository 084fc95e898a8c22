// Brings the database of the given blogs to the level of the files, as
// wp-admin/upgrade.php does for one: with WP_INSTALLING, so without plugins.

require Upkeep::$in['site']['root'] . '/wp-load.php';
require_once ABSPATH . 'wp-admin/includes/upgrade.php';

Upkeep::$answer['levels'] = new stdClass();
if ( is_multisite() ) {
	update_site_option( 'wpmu_upgrade_site', $wp_db_version );
}
foreach ( Upkeep::$in['blogs'] as $upkeep_blog ) {
	Upkeep::$step = 'schema of blog ' . $upkeep_blog;
	if ( is_multisite() ) {
		switch_to_blog( $upkeep_blog );
	}
	wp_upgrade();
	wp_cache_delete( 'alloptions', 'options' );
	Upkeep::$answer['levels']->{ $upkeep_blog } = (string) get_option( 'db_version' );
	if ( is_multisite() ) {
		do_action( 'wpmu_upgrade_site', $upkeep_blog );
		restore_current_blog();
	}
}
Upkeep::done();
