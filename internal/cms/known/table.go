package known

import (
	"regexp"
	"slices"

	"upkeep"
)

// at is a versionRule of a file.
func at(file, pattern string) versionRule {
	return versionRule{File: file, Pattern: regexp.MustCompile(`(?m)` + pattern)}
}

// of is a part whose version stands in a file of its folder.
func of(kind upkeep.Kind, glob, pattern string) part {
	return part{Kind: kind, Glob: glob, Pattern: regexp.MustCompile(`(?m)` + pattern)}
}

// Patterns that several applications share.
const (
	infoVersion   = `<version>\s*(?:<!\[CDATA\[)?([^<\]\s]+)`
	moodleVersion = `^\s*\$plugin->version\s*=\s*([0-9.]+)`
	jsonVersion   = `"version"\s*:\s*"([^"]+)"`
)

// table lists the applications. To know one more, add its entry here, its name
// to the catalogue, and its miniature to the tests.
func table() []application { return slices.Concat(shops(), communities(), sites(), forks()) }

// shops are applications that sell.
func shops() []application {
	return []application{{
		ID: "prestashop", Name: "PrestaShop",
		Marks: []string{"config/config.inc.php", "classes/Configuration.php", "controllers", "modules"},
		Versions: []versionRule{
			at("src/Core/Version.php", `const VERSION = '([^']+)'`), at("app/AppKernel.php", `const VERSION = '([^']+)'`),
			at("config/autoload.php", `define\('_PS_VERSION_',\s*'([^']+)'`), at("config/settings.inc.php", `define\('_PS_VERSION_',\s*'([^']+)'`),
		},
		Settings: []settings{
			{Form: returned, Files: []string{"app/config/parameters.php"}, Keys: keys{
				Host: "parameters/database_host", Port: "parameters/database_port", User: "parameters/database_user",
				Password: "parameters/database_password", Name: "parameters/database_name", Prefix: "parameters/database_prefix",
			}},
			{Form: constants, Files: []string{"config/settings.inc.php"}, Keys: keys{
				Host: "_DB_SERVER_", User: "_DB_USER_", Password: "_DB_PASSWD_", Name: "_DB_NAME_", Prefix: "_DB_PREFIX_",
			}},
		},
		Parts: []part{of(upkeep.Plugin, "modules/*/config.xml", infoVersion), of(upkeep.Theme, "themes/*/config/theme.yml", `^version:\s*["']?([^"'\s]+)`).up(1)},
		Entry: []string{"config/config.inc.php"},
	}, {
		ID: "magento", Name: "Magento",
		Marks:  []string{"bin/magento", "app/bootstrap.php", "app/etc"},
		Fronts: []string{"pub"},
		Versions: []versionRule{
			{Package: "magento/product-community-edition"}, {Package: "magento/product-enterprise-edition"}, {Package: "mage-os/product-community-edition"},
			at("composer.json", jsonVersion),
		},
		Settings: []settings{{Form: returned, Files: []string{"app/etc/env.php"}, Keys: keys{
			Host: "db/connection/default/host", Port: "db/connection/default/port", Socket: "db/connection/default/unix_socket",
			User: "db/connection/default/username", Password: "db/connection/default/password",
			Name: "db/connection/default/dbname", Prefix: "db/table_prefix",
		}}},
		Parts: []part{{Kind: upkeep.Plugin, Package: "magento2-module"}},
		Entry: []string{"app/bootstrap.php"},
	}, {
		ID: "openmage", Name: "Magento 1 / OpenMage",
		Marks: []string{"app/Mage.php~class Mage", "app/code", "app/etc"},
		Versions: []versionRule{
			at("app/Mage.php", `getOpenMageVersionInfo\(\)[^;{]*\{[\s\S]{0,1000}?'major'\s*=>\s*'(\d+)',\s*'minor'\s*=>\s*'(\d+)',\s*'patch'\s*=>\s*'(\d+)'`),
			at("app/Mage.php", `getVersionInfo\(\)[^;{]*\{[\s\S]{0,1000}?'major'\s*=>\s*'(\d+)',\s*'minor'\s*=>\s*'(\d+)',\s*'revision'\s*=>\s*'(\d+)',\s*'patch'\s*=>\s*'(\d+)'`),
		},
		Settings: []settings{{Form: xml, Files: []string{"app/etc/local.xml"}, Keys: keys{
			Host:     "config/global/resources/default_setup/connection/host",
			User:     "config/global/resources/default_setup/connection/username",
			Password: "config/global/resources/default_setup/connection/password",
			Name:     "config/global/resources/default_setup/connection/dbname",
			Driver:   "config/global/resources/default_setup/connection/type", Prefix: "config/global/resources/db/table_prefix",
		}}},
		Entry: []string{"app/bootstrap.php", "app/Mage.php"},
	}}
}

// communities are applications that teach, discuss, count and keep files.
func communities() []application {
	return []application{{
		ID: "nextcloud", Name: "Nextcloud",
		Marks:    []string{"version.php~'nextcloud'", "lib/base.php", "occ"},
		Versions: []versionRule{at("version.php", `^\$OC_VersionString\s*=\s*'([^']+)'`)},
		Settings: []settings{{Form: variables, Files: []string{"config/config.php"}, After: []string{"config/*.config.php"}, Into: "CONFIG", Keys: keys{
			Driver: "CONFIG/dbtype", Host: "CONFIG/dbhost", Port: "CONFIG/dbport", User: "CONFIG/dbuser", Password: "CONFIG/dbpassword",
			Name: "CONFIG/dbname", File: "{CONFIG/datadirectory}/{CONFIG/dbname}.db", Prefix: "CONFIG/dbtableprefix", Home: "CONFIG/overwrite.cli.url",
		}}},
		Folders: []folder{{"data", "CONFIG/datadirectory"}},
		Parts:   []part{of(upkeep.Plugin, "apps/*/appinfo/info.xml", infoVersion).up(1), of(upkeep.Plugin, "custom_apps/*/appinfo/info.xml", infoVersion).up(1)},
		Entry:   []string{"lib/base.php"},
	}, {
		ID: "moodle", Name: "Moodle",
		Marks:    []string{"lib/moodlelib.php|public/lib/moodlelib.php", "version.php|public/version.php"},
		Fronts:   []string{"public"},
		Versions: []versionRule{at("version.php|public/version.php", `^\s*\$release\s*=\s*'([^' ]+)`)},
		Settings: []settings{{Form: variables, Files: []string{"config.php"}, Ends: []string{"setup.php"},
			Before: map[string]string{"ABORT_AFTER_CONFIG": "1", "CLI_SCRIPT": "1"}, Keys: keys{
				Driver: "CFG/dbtype", Host: "CFG/dbhost", Port: "CFG/dboptions/dbport", Socket: "CFG/dboptions/dbsocket", User: "CFG/dbuser",
				Password: "CFG/dbpass", Name: "CFG/dbname", Prefix: "CFG/prefix", Home: "CFG/wwwroot",
			}}},
		Folders: []folder{{"data", "CFG/dataroot"}},
		Parts: []part{
			of(upkeep.Plugin, "mod/*/version.php", moodleVersion), of(upkeep.Plugin, "blocks/*/version.php", moodleVersion),
			of(upkeep.Plugin, "local/*/version.php", moodleVersion), of(upkeep.Theme, "theme/*/version.php", moodleVersion),
			of(upkeep.Plugin, "public/mod/*/version.php", moodleVersion), of(upkeep.Plugin, "public/blocks/*/version.php", moodleVersion),
			of(upkeep.Plugin, "public/local/*/version.php", moodleVersion), of(upkeep.Theme, "public/theme/*/version.php", moodleVersion),
		},
		Entry: []string{"lib/setup.php", "public/lib/setup.php"},
	}, {
		ID: "phpbb", Name: "phpBB",
		Marks:    []string{"includes/constants.php~PHPBB_VERSION", "common.php"},
		Versions: []versionRule{at("includes/constants.php", `define\('PHPBB_VERSION',\s*'([^']+)'\)`)},
		Settings: []settings{{Form: variables, Files: []string{"config.php"}, Keys: keys{
			Driver: "dbms", Host: "dbhost", Port: "dbport", User: "dbuser", Password: "dbpasswd", Name: "dbname", Prefix: "table_prefix",
		}}},
		Parts: []part{of(upkeep.Plugin, "ext/*/*/composer.json", jsonVersion), of(upkeep.Theme, "styles/*/style.cfg", `^style_version\s*=\s*(\S+)`),
			of(upkeep.Theme, "styles/*/composer.json", jsonVersion)},
		Entry: []string{"includes/startup.php", "common.php"},
	}, {
		ID: "matomo", Name: "Matomo",
		Marks:    []string{"core/Version.php~VERSION", "core/bootstrap.php", "matomo.php|piwik.php"},
		Versions: []versionRule{at("core/Version.php", `const VERSION = '([^']+)'`)},
		Settings: []settings{{Form: ini, Files: []string{"config/common.config.ini.php", "config/config.ini.php"}, Keys: keys{
			Driver: "database/adapter", Host: "database/host", Port: "database/port", Socket: "database/unix_socket", User: "database/username",
			Password: "database/password", Name: "database/dbname", Prefix: "database/tables_prefix",
		}}},
		Parts: []part{of(upkeep.Plugin, "plugins/*/plugin.json", jsonVersion)},
		Entry: []string{"core/bootstrap.php"},
	}}
}

// sites are content management systems.
func sites() []application {
	return []application{{
		ID: "typo3", Name: "TYPO3",
		Marks:  []string{"vendor/typo3/cms-core/composer.json|typo3/sysext/core/composer.json|typo3conf/PackageStates.php"},
		Fronts: []string{"public", "web"},
		Versions: []versionRule{at("vendor/typo3/cms-core/Classes/Information/Typo3Version.php|typo3/sysext/core/Classes/Information/Typo3Version.php",
			`const VERSION = '([^']+)'`), at("typo3/sysext/core/Classes/Core/SystemEnvironmentBuilder.php", `define\('TYPO3_version',\s*'([^']+)'`)},
		Settings: []settings{{Form: returned, First: true,
			Files: []string{"config/system/settings.php", "typo3conf/system/settings.php", "typo3conf/LocalConfiguration.php", "public/typo3conf/LocalConfiguration.php"},
			After: []string{"config/system/additional.php", "typo3conf/system/additional.php", "typo3conf/AdditionalConfiguration.php", "public/typo3conf/AdditionalConfiguration.php"},
			Into:  "TYPO3_CONF_VARS", Word: "DB", Keys: keys{
				Driver: "DB/Connections/Default/driver", Host: "DB/Connections/Default/host", Port: "DB/Connections/Default/port",
				Socket: "DB/Connections/Default/unix_socket", User: "DB/Connections/Default/user", Password: "DB/Connections/Default/password",
				Name: "DB/Connections/Default/dbname", File: "{DB/Connections/Default/path}",
			}}},
		Parts: []part{{Kind: upkeep.Plugin, Package: "typo3-cms-extension"}, of(upkeep.Plugin, "typo3conf/ext/*/ext_emconf.php", `'version'\s*=>\s*'([^']+)'`)},
		Entry: []string{"vendor/autoload.php", "typo3conf/system/settings.php", "typo3conf/LocalConfiguration.php"},
	}, {
		ID: "grav", Name: "Grav",
		Marks:    []string{"system/defines.php~GRAV_VERSION", "user"},
		Versions: []versionRule{at("system/defines.php", `define\(["']GRAV_VERSION["'],\s*["']([^"']+)`)},
		Parts: []part{of(upkeep.Plugin, "user/plugins/*/blueprints.yaml", `^version:\s*["']?([^"'\s]+)`),
			of(upkeep.Theme, "user/themes/*/blueprints.yaml", `^version:\s*["']?([^"'\s]+)`)},
		Entry: []string{"vendor/autoload.php"},
	}, {
		ID: "silverstripe", Name: "Silverstripe CMS",
		Marks:    []string{"vendor/silverstripe/framework/composer.json|framework/main.php"},
		Fronts:   []string{"public"},
		Versions: []versionRule{{Package: "silverstripe/framework"}},
		Settings: []settings{
			{Form: env, Files: []string{".env"}, Keys: keys{
				Driver: "SS_DATABASE_CLASS", Host: "SS_DATABASE_SERVER", Port: "SS_DATABASE_PORT", User: "SS_DATABASE_USERNAME",
				Password: "SS_DATABASE_PASSWORD", Name: "SS_DATABASE_NAME", Home: "SS_BASE_URL",
			}},
			{Form: constants, Files: []string{"_ss_environment.php"}, Keys: keys{
				Driver: "SS_DATABASE_CLASS", Host: "SS_DATABASE_SERVER", Port: "SS_DATABASE_PORT", User: "SS_DATABASE_USERNAME",
				Password: "SS_DATABASE_PASSWORD", Name: "SS_DATABASE_NAME",
			}},
			{Form: variables, Files: []string{"mysite/_config.php", "app/_config.php"}, Keys: keys{
				Driver: "databaseConfig/type", Host: "databaseConfig/server", User: "databaseConfig/username",
				Password: "databaseConfig/password", Name: "databaseConfig/database",
			}},
		},
		Parts: []part{{Kind: upkeep.Plugin, Package: "silverstripe-vendormodule"}},
		Entry: []string{"vendor/autoload.php", "framework/core/Constants.php"},
	}, {
		ID: "concrete", Name: "Concrete CMS",
		Marks:    []string{"concrete/dispatcher.php", "concrete/config/concrete.php", "concrete/vendor", "application"},
		Versions: []versionRule{at("concrete/config/concrete.php", `^\s*'version'\s*=>\s*'([^']+)'`)},
		Settings: []settings{{Form: returned, Files: []string{"application/config/database.php"}, Keys: keys{
			Driver:   "connections/concrete/driver|connections/default/driver",
			Host:     "connections/concrete/server|connections/concrete/hostname|connections/default/server",
			Port:     "connections/concrete/port|connections/default/port",
			User:     "connections/concrete/username|connections/default/username",
			Password: "connections/concrete/password|connections/default/password",
			Name:     "connections/concrete/database|connections/default/database",
		}}},
		Parts: []part{of(upkeep.Plugin, "packages/*/controller.php", `\$pkgVersion\s*=\s*['"]([^'"]+)`)},
		Entry: []string{"concrete/bootstrap/configure.php", "concrete/dispatcher.php"},
	}, {
		ID: "craft", Name: "Craft CMS",
		Marks:    []string{"vendor/craftcms/cms/composer.json"},
		Fronts:   []string{"web", "public", "public_html"},
		Versions: []versionRule{{Package: "craftcms/cms"}},
		Settings: []settings{
			{Form: env, Files: []string{".env"}, Keys: keys{
				Driver: "CRAFT_DB_DRIVER|DB_DRIVER", Host: "CRAFT_DB_SERVER|DB_SERVER", Port: "CRAFT_DB_PORT|DB_PORT",
				User: "CRAFT_DB_USER|DB_USER", Password: "CRAFT_DB_PASSWORD|DB_PASSWORD", Name: "CRAFT_DB_DATABASE|DB_DATABASE",
				Prefix: "CRAFT_DB_TABLE_PREFIX|DB_TABLE_PREFIX", URL: "CRAFT_DB_DSN|DB_DSN|CRAFT_DB_URL|DB_URL", Home: "PRIMARY_SITE_URL|DEFAULT_SITE_URL",
			}},
			{Form: returned, Files: []string{"config/db.php"}, Keys: keys{
				Driver: "driver", Host: "server", Port: "port", User: "user", Password: "password", Name: "database", Prefix: "tablePrefix", URL: "dsn|url",
			}},
		},
		Parts: []part{{Kind: upkeep.Plugin, Package: "craft-plugin"}},
		Entry: []string{"vendor/autoload.php"},
	}}
}

// forks are content management systems that went their own way from one that is
// maintained.
func forks() []application {
	return []application{{
		ID: "backdrop", Name: "Backdrop CMS",
		Marks:    []string{"core/includes/bootstrap.inc~BACKDROP_VERSION"},
		Versions: []versionRule{at("core/includes/bootstrap.inc", `define\('BACKDROP_VERSION',\s*'([^']+)'\)`)},
		Settings: []settings{{Form: variables, Files: []string{"settings.php"}, Keys: keys{
			URL: "database", Prefix: "database_prefix|databases/default/default/prefix", Driver: "databases/default/default/driver",
			Host: "databases/default/default/host", Port: "databases/default/default/port", User: "databases/default/default/username",
			Password: "databases/default/default/password", Name: "databases/default/default/database", Home: "base_url",
		}}},
		Folders: []folder{{"config", "config_directories/active"}, {"config-staging", "config_directories/staging"}},
		Parts:   []part{of(upkeep.Plugin, "modules/*/*.info", `^version\s*=\s*"?([^"\s]+)`), of(upkeep.Theme, "themes/*/*.info", `^version\s*=\s*"?([^"\s]+)`)},
		Entry:   []string{"core/includes/bootstrap.inc"},
	}, {
		ID: "classicpress", Name: "ClassicPress",
		Marks:    []string{"wp-includes/version.php~$cp_version", "wp-load.php", "wp-settings.php"},
		Versions: []versionRule{at("wp-includes/version.php", `^\$cp_version\s*=\s*'([^']+)'`)},
		Settings: []settings{{Form: constants, First: true, Files: []string{"wp-config.php", "../wp-config.php"}, Ends: []string{"wp-settings.php"},
			Before: map[string]string{"ABSPATH": "{root}/", "WPINC": "upkeep-no-such-folder"}, Keys: keys{
				Host: "DB_HOST", User: "DB_USER", Password: "DB_PASSWORD", Name: "DB_NAME", Prefix: "$table_prefix", Home: "WP_HOME",
			}}},
		Folders: []folder{{"content", "WP_CONTENT_DIR"}, {"plugins", "WP_PLUGIN_DIR"}},
		Parts: []part{of(upkeep.Plugin, "wp-content/plugins/*/*.php", `Plugin Name:[\s\S]*?^[ \t*]*Version:[ \t]*(\S+)`),
			of(upkeep.Theme, "wp-content/themes/*/style.css", `^[ \t*]*Version:[ \t]*(\S+)`)},
		Entry: []string{"wp-load.php"},
	}}
}

func (p part) up(levels int) part {
	p.Up = levels
	return p
}
