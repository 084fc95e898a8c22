package known

import (
	"slices"

	"upkeep"
)

// PHP is the CMS of a PHP application of which no more is known.
const PHP upkeep.CMS = "php"

// unknown is the entry of PHP applications that are known by their structure
// alone: a front that is PHP, and a configuration or Composer's libraries.
func unknown() application {
	defined := func(files ...string) settings {
		return settings{Form: constants, Files: files, First: true, Keys: keys{
			Driver: "DB_DRIVER|DB_TYPE", Host: "DB_HOST|DB_SERVER|DBHOST", Port: "DB_PORT", Socket: "DB_SOCKET", User: "DB_USER|DB_USERNAME|DBUSER",
			Password: "DB_PASSWORD|DB_PASS|DB_PASSWD|DBPASS", Name: "DB_NAME|DB_DATABASE|DBNAME", Prefix: "DB_PREFIX|TABLE_PREFIX", URL: "DATABASE_URL",
		}}
	}
	set := func(files ...string) settings {
		return settings{Form: variables, Files: files, First: true, Keys: keys{
			Driver: "db_driver|dbtype|db_type|config/driver|db/driver", Host: "db_host|dbhost|db_server|host|config/host|db/host", Port: "db_port|dbport",
			User: "db_user|dbuser|db_username|username|config/user|config/username|db/user|db/username", Password: "db_password|dbpass|dbpasswd|db_pass|password|config/password|db/password",
			Name: "db_name|dbname|database|config/database|config/dbname|db/database|db/name", Prefix: "table_prefix|db_prefix|dbprefix",
		}}
	}
	return application{
		ID: PHP, Name: "PHP",
		Marks: []string{"index.php|public/index.php|web/index.php"},
		Without: []string{ // of what has a driver of its own, but is not whole
			"wp-config.php", "wp-includes", "wp-admin", "wp", "web/wp", "public/wp", "doku.php", "LocalSettings.php", "administrator/index.php",
			"core/lib/Drupal.php", "web/core/lib/Drupal.php", "docroot/core/lib/Drupal.php", "sites/default/settings.php",
		},
		Settings: []settings{
			{Form: env, Files: []string{".env", ".env.local"}, Keys: keys{
				Driver: "DB_CONNECTION|DB_DRIVER", Host: "DB_HOST|DB_SERVER", Port: "DB_PORT", Socket: "DB_SOCKET", User: "DB_USERNAME|DB_USER",
				Password: "DB_PASSWORD|DB_PASS", Name: "DB_DATABASE|DB_NAME", Prefix: "DB_PREFIX", URL: "DATABASE_URL|DB_URL", Home: "APP_URL",
			}},
			{Form: yaml, Files: []string{"app/config/parameters.yml", "config/parameters.yml", "config/parameters.yaml"}, Keys: keys{
				Driver: "parameters/database_driver", Host: "parameters/database_host", Port: "parameters/database_port", User: "parameters/database_user",
				Password: "parameters/database_password", Name: "parameters/database_name", URL: "parameters/database_url",
			}},
			{Form: returned, Files: []string{"config/database.php", "config/db.php", "config/config.php", "config.php"}, First: true, Keys: keys{
				Driver: "driver|database/driver|db/driver", Host: "host|database/host|db/host", Port: "port|database/port|db/port",
				User: "user|username|database/user|database/username|db/user|db/username", Password: "password|database/password|db/password",
				Name: "dbname|database|name|database/dbname|database/name|db/dbname|db/name", Prefix: "prefix|database/prefix|db/prefix", URL: "dsn|db/dsn",
			}},
			defined("config.php", "config/config.php", "inc/config.php", "includes/config.php", "config.inc.php", "settings.php"),
			set("config.php", "config/config.php", "inc/config.php", "includes/config.php", "config.inc.php", "settings.php"),
		},
		Fronts: []string{"public", "web"},
		Entry:  []string{"vendor/autoload.php"},
		find: func(s *scene) bool {
			structure := []string{"vendor/autoload.php", "composer.json", ".env", "config.php", "config.inc.php", "settings.php", "config", "inc", "includes", "app", "src"}
			return slices.ContainsFunc(structure, s.has) && len(s.inside()) == 0
		},
	}
}
