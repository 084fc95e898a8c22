// Does what WordPress's upgraders do after moving files: tells plugins what
// was updated and forgets what it had remembered about it.

require Upkeep::$in['site']['root'] . '/wp-load.php';
Upkeep::$step = 'administration';
require_once ABSPATH . 'wp-admin/includes/admin.php';
require_once ABSPATH . 'wp-admin/includes/class-wp-upgrader.php';

// An offer that was taken is no longer one. The record is changed in place,
// not deleted: it holds what the updaters of bought plugins found out about
// the others. It is written past set_site_transient, on whose filters those
// updaters would ask their vendors again.
function upkeep_forget( $record, $versions ) {
	$offers = get_site_transient( $record );
	if ( ! is_object( $offers ) ) {
		return;
	}
	foreach ( $versions as $id => $version ) {
		unset( $offers->response[ $id ] );
		if ( isset( $offers->checked[ $id ] ) ) {
			$offers->checked[ $id ] = $version;
		}
	}
	if ( wp_using_ext_object_cache() ) {
		wp_cache_set( $record, $offers, 'site-transient' );
	} else {
		update_site_option( '_site_transient_' . $record, $offers );
	}
}

// A language pack is offered with what it translates: in the record of its kind.
function upkeep_forget_languages( $translations ) {
	foreach ( array( 'core', 'plugin', 'theme' ) as $kind ) {
		$record = 'core' === $kind ? 'update_core' : 'update_' . $kind . 's';
		$offers = get_site_transient( $record );
		if ( ! is_object( $offers ) || empty( $offers->translations ) ) {
			continue;
		}
		foreach ( $offers->translations as $i => $offer ) {
			foreach ( $translations as $taken ) {
				if ( $kind === $taken['type'] && $offer['slug'] === $taken['slug'] && $offer['language'] === $taken['language'] ) {
					unset( $offers->translations[ $i ] );
				}
			}
		}
		$offers->translations = array_values( $offers->translations );
		if ( wp_using_ext_object_cache() ) {
			wp_cache_set( $record, $offers, 'site-transient' );
		} else {
			update_site_option( '_site_transient_' . $record, $offers );
		}
	}
}

Upkeep::$step = 'caches';
wp_cache_flush();
wp_clean_plugins_cache( false );
wp_clean_themes_cache( false );
upkeep_forget( 'update_plugins', Upkeep::$in['plugins'] );
upkeep_forget( 'update_themes', Upkeep::$in['themes'] );
upkeep_forget_languages( Upkeep::$in['translations'] );
if ( Upkeep::$in['core'] ) {
	delete_site_transient( 'update_core' );
}

// WordPress's own listeners fetch news and language packs. The engine does
// both, journaled.
remove_action( 'upgrader_process_complete', array( 'Language_Pack_Upgrader', 'async_upgrade' ), 20 );
foreach ( array( 'wp_version_check', 'wp_update_plugins', 'wp_update_themes' ) as $upkeep_errand ) {
	remove_action( 'upgrader_process_complete', $upkeep_errand, 10 );
}

function upkeep_tell( $upgrader, $facts ) {
	Upkeep::$step = 'upgrader_process_complete for ' . $facts['type'];
	do_action( 'upgrader_process_complete', $upgrader, array_merge( array( 'action' => 'update' ), $facts ) );
}

$upkeep_skin = new Automatic_Upgrader_Skin();
if ( Upkeep::$in['core'] ) {
	// Updates of core carry no list and are not a bulk, in WordPress too.
	upkeep_tell( new Core_Upgrader( $upkeep_skin ), array( 'type' => 'core' ) );
	// Its usual listener shows a page, and is in the upgrader that did not run.
	remove_action( '_core_updated_successfully', '_redirect_to_about_wordpress' );
	do_action( '_core_updated_successfully', $wp_version );
	delete_site_option( 'auto_core_update_failed' );
}
if ( Upkeep::$in['plugins'] ) {
	upkeep_tell( new Plugin_Upgrader( $upkeep_skin ), array( 'type' => 'plugin', 'bulk' => true, 'plugins' => array_keys( Upkeep::$in['plugins'] ) ) );
}
if ( Upkeep::$in['themes'] ) {
	upkeep_tell( new Theme_Upgrader( $upkeep_skin ), array( 'type' => 'theme', 'bulk' => true, 'themes' => array_keys( Upkeep::$in['themes'] ) ) );
}
if ( Upkeep::$in['translations'] ) {
	upkeep_tell( new Language_Pack_Upgrader( $upkeep_skin ), array( 'type' => 'translation', 'bulk' => true, 'translations' => Upkeep::$in['translations'] ) );
}
wp_cache_flush();
