// Package layout finds a WordPress: its core, its configuration, where it
// keeps plugins, themes, languages and visitors' files, and which tables are
// its own.
package layout

import (
	"upkeep/internal/cms"
	"upkeep/internal/cms/integrity"
)

// Keys of cms.Layout.Dirs. Every value is absolute with links resolved; a
// folder need not exist.
const (
	DirCore      = "core"       // ABSPATH: wp-load.php, wp-admin, wp-includes; the root unless installed in a subfolder of it
	DirContent   = "content"    // WP_CONTENT_DIR
	DirPlugins   = "plugins"    // WP_PLUGIN_DIR
	DirMustUse   = "mu-plugins" // WPMU_PLUGIN_DIR
	DirThemes    = "themes"     // the default theme root
	DirLanguages = "languages"  // WP_LANG_DIR
	DirUploads   = "uploads"    // uploads of the main site
)

// Keys of cms.Layout.Options. A key is absent when the site does not set it.
const (
	OptionMultisite  = "multisite"  // "1": tables of several sites
	OptionNetwork    = "network"    // multisite: the number of the network, "1"
	OptionConfig     = "config"     // path of wp-config.php
	OptionHome       = "home"       // WP_HOME
	OptionSiteURL    = "siteurl"    // WP_SITEURL
	OptionDebugLog   = "debug_log"  // path of the log that WP_DEBUG_LOG asks for
	OptionNoFileMods = "no_mods"    // "1": DISALLOW_FILE_MODS
	OptionNoUpdater  = "no_updater" // "1": AUTOMATIC_UPDATER_DISABLED
	OptionCoreAuto   = "core_auto"  // WP_AUTO_UPDATE_CORE: "1", "", "minor", "beta", …
	OptionCache      = "cache"      // "1": WP_CACHE, so that advanced-cache.php is run
	OptionSunrise    = "sunrise"    // "1": SUNRISE, so that sunrise.php is run
	OptionPHP        = "php"        // version of the interpreter that evaluated the configuration
	OptionBedrock    = "composer"   // "1": assembled by Composer
	OptionVersion    = "version"    // of core
	OptionUserTable  = "user_table" // CUSTOM_USER_TABLE
	OptionWPLANG     = "locale"     // WPLANG, where the configuration still sets it
	OptionUploads    = "uploads"    // "1": UPLOADS says where uploads are
	OptionDynamic    = "dynamic"    // "1": the configuration had to be evaluated
)

// CoreDir is where wp-load.php is.
func CoreDir(l *cms.Layout) string {
	if dir := l.Dirs[DirCore]; dir != "" {
		return dir
	}
	return l.Root
}

// CoreDomain is the text domain, and the slug, of core's own translations.
const CoreDomain = "default"

// PassedOver reports an error at which WordPress takes no notice of a file.
func PassedOver(err error) bool { return integrity.PassedOver(err) }
