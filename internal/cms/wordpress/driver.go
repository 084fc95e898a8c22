// Package wordpress knows WordPress: where a site keeps what, what is
// installed, and how an update is checked, put in place and read back.
package wordpress

import (
	"time"

	"upkeep"
	"upkeep/internal/cms"
)

// Keys of cms.Layout.Dirs. Every value is absolute with links resolved; a
// folder need not exist.
const (
	dirCore      = "core"       // ABSPATH: wp-load.php, wp-admin, wp-includes; the root unless installed in a subfolder of it
	dirContent   = "content"    // WP_CONTENT_DIR
	dirPlugins   = "plugins"    // WP_PLUGIN_DIR
	dirMustUse   = "mu-plugins" // WPMU_PLUGIN_DIR
	dirThemes    = "themes"     // the default theme root
	dirLanguages = "languages"  // WP_LANG_DIR
	dirUploads   = "uploads"    // uploads of the main site
)

// Keys of cms.Layout.Options. A key is absent when the site does not set it.
const (
	optionMultisite  = "multisite"  // "1": tables of several sites
	optionNetwork    = "network"    // multisite: the number of the network, "1"
	optionConfig     = "config"     // path of wp-config.php
	optionHome       = "home"       // WP_HOME
	optionSiteURL    = "siteurl"    // WP_SITEURL
	optionDebugLog   = "debug_log"  // path of the log that WP_DEBUG_LOG asks for
	optionNoFileMods = "no_mods"    // "1": DISALLOW_FILE_MODS
	optionNoUpdater  = "no_updater" // "1": AUTOMATIC_UPDATER_DISABLED
	optionCoreAuto   = "core_auto"  // WP_AUTO_UPDATE_CORE: "1", "", "minor", "beta", …
	optionCache      = "cache"      // "1": WP_CACHE, so that advanced-cache.php is run
	optionSunrise    = "sunrise"    // "1": SUNRISE, so that sunrise.php is run
	optionPHP        = "php"        // version of the interpreter that evaluated the configuration
	optionBedrock    = "composer"   // "1": assembled by Composer
	optionVersion    = "version"    // of core
	optionUserTable  = "user_table" // CUSTOM_USER_TABLE
	optionWPLANG     = "locale"     // WPLANG, where the configuration still sets it
	optionUploads    = "uploads"    // "1": UPLOADS says where uploads are
	optionDynamic    = "dynamic"    // "1": the configuration had to be evaluated
)

// Driver is the WordPress driver; see New. It is safe for concurrent use.
type Driver struct {
	// Clock tells the time; time.Now unless a test sets it.
	Clock upkeep.Clock
	// Cache remembers what files said, by their stat, so that an unchanged
	// site is not read again. Nil remembers nothing.
	Cache *Cache
}

var _ cms.Driver = (*Driver)(nil)

// New returns a driver with an empty cache.
func New() *Driver {
	return &Driver{Clock: time.Now, Cache: NewCache()}
}

// CMS returns upkeep.WordPress.
func (d *Driver) CMS() upkeep.CMS { return upkeep.WordPress }

// coreDir is where wp-load.php is.
func coreDir(l *cms.Layout) string {
	if dir := l.Dirs[dirCore]; dir != "" {
		return dir
	}
	return l.Root
}
