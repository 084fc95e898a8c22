package layout

import (
	"context"
	_ "embed"
	"encoding/base64"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/php/config"
)

//go:embed scripts/config.php
var configSource string

// configBytes bounds wp-config.php. Hosts and plugins make long ones, not
// megabytes.
const configBytes = 1 << 20

// needed are the constants without which a site cannot be used, wanted those
// that say where it keeps what and what it allows.
var (
	needed = [...]string{"DB_NAME", "DB_USER", "DB_PASSWORD", "DB_HOST"}
	wanted = [...]string{
		"DB_CHARSET", "DB_ENGINE", "WP_CONTENT_DIR", "WP_PLUGIN_DIR", "WPMU_PLUGIN_DIR", "UPLOADS", "WP_LANG_DIR",
		"MULTISITE", "SITE_ID_CURRENT_SITE", "CUSTOM_USER_TABLE", "WP_HOME", "WP_SITEURL", "WP_DEBUG_LOG", "WP_CACHE",
		"SUNRISE", "WPLANG", "DISALLOW_FILE_MODS", "AUTOMATIC_UPDATER_DISABLED", "WP_AUTO_UPDATE_CORE",
	}
)

// settings is what a configuration says. Booleans are "1" and "", as PHP
// writes them; a name that is not set is not in the map.
type settings struct {
	constants map[string]string
	prefix    string
	php       upkeep.Version // when it was evaluated
}

func (s *settings) on(name string) bool {
	value := s.constants[name]
	return value != "" && value != "0"
}

// readSettings reads a static configuration; nil when something in it that
// matters can only be known by running it.
func readSettings(source []byte, file, abspath string) *settings {
	read := config.Read(source, config.Source{
		Path: file, Ends: []string{"wp-settings.php"}, Defined: map[string]string{"ABSPATH": abspath},
	})
	s := &settings{constants: map[string]string{}}
	prefix, certainty := read.Variable("table_prefix")
	if certainty == config.Dynamic {
		return nil
	}
	s.prefix = prefix.Text()
	for _, name := range append(needed[:], wanted[:]...) {
		value, certainty := read.Constant(name)
		switch certainty {
		case config.Dynamic:
			return nil
		case config.Static:
			s.constants[name] = value.Text()
		}
	}
	return s
}

// evaluateSettings runs the configuration in a PHP process of its own.
func evaluateSettings(ctx context.Context, h cms.Host, file, abspath string) (_ *settings, err error) {
	defer upkeep.Wrap(&err, "evaluate %s", file)
	input := map[string]any{"file": file, "abspath": abspath, "names": append(needed[:], wanted[:]...)}
	var answer struct {
		PHP       upkeep.Version
		Constants map[string]string
		Prefix    *string
	}
	script := cms.Script{Name: "config.php", Source: configSource, Dir: filepath.Dir(file)}
	if err := h.PHP(ctx, script, input, &answer); err != nil {
		return nil, err
	}
	s := &settings{constants: map[string]string{}, php: answer.PHP}
	if answer.Prefix != nil {
		prefix, err := base64.StdEncoding.DecodeString(*answer.Prefix)
		if err != nil {
			return nil, upkeep.Errorf(upkeep.CodeRefused, "table prefix: %w", err)
		}
		s.prefix = string(prefix)
	}
	for name, encoded := range answer.Constants {
		value, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return nil, upkeep.Errorf(upkeep.CodeRefused, "%s: %w", name, err)
		}
		s.constants[name] = string(value)
	}
	return s, nil
}

// tablePrefix is what WordPress accepts as one.
var tablePrefix = regexp.MustCompile(`^[A-Za-z0-9_]+$`)

// database returns how to reach the site's database. CodeInvalid when the
// configuration does not say.
func (s *settings) database() (*cms.Database, error) {
	if strings.EqualFold(s.constants["DB_ENGINE"], "sqlite") {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "the site keeps its data in SQLite").
			WithHint("Only sites on MariaDB or MySQL can be kept up to date.")
	}
	if s.constants["DB_NAME"] == "" || !tablePrefix.MatchString(s.prefix) {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "the configuration names no database or no table prefix").
			WithHint("Finish the installation of WordPress first: DB_NAME and $table_prefix must be set.")
	}
	db := &cms.Database{
		Engine: "mariadb", User: s.constants["DB_USER"], Password: s.constants["DB_PASSWORD"],
		Name: s.constants["DB_NAME"], Charset: s.constants["DB_CHARSET"], Prefix: s.prefix,
	}
	address, ok := parseDBHost(s.constants["DB_HOST"])
	if !ok {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "DB_HOST names no host")
	}
	db.Host, db.Port = address.host, address.port
	// PHP's client takes a socket for this machine only, under its one name.
	if address.host == "" || strings.EqualFold(address.host, "localhost") {
		db.Socket = address.socket
	}
	return db, nil
}

// dbAddress is what DB_HOST says; port 0 and socket "" are the defaults.
type dbAddress struct {
	host, socket string
	port         int
	ipv6         bool
}

var (
	dbHostIPv6 = regexp.MustCompile(`^(?:\[)?(?P<host>[0-9a-fA-F:]+)(?:\]:([\d]+))?`)
	dbHostName = regexp.MustCompile(`^([^:/]*)(?::([\d]+))?`)
)

// parseDBHost reads DB_HOST as wpdb::parse_db_host does.
func parseDBHost(value string) (dbAddress, bool) {
	var a dbAddress
	if at := strings.Index(value, ":/"); at >= 0 {
		a.socket = value[at+1:]
		value = value[:at]
	}
	form := dbHostName
	if strings.Count(value, ":") > 1 {
		form, a.ipv6 = dbHostIPv6, true
	}
	match := form.FindStringSubmatch(value)
	if match == nil {
		return a, false
	}
	// PHP takes "0" for nothing.
	if match[1] != "0" {
		a.host = match[1]
	}
	if port, err := strconv.Atoi(match[2]); err == nil {
		a.port = port
	}
	return a, true
}
