package layout

import (
	"context"
	_ "embed"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/area"
	"upkeep/internal/cms/php/config"
)

//go:embed scripts/config.php
var configSource string

// wanted are the properties of JConfig that matter here.
var wanted = [...]string{"dbtype", "host", "user", "password", "db", "dbprefix", "live_site", "log_path", "tmp_path"}

// settings are properties of JConfig as text; one that is not set is not there.
type settings map[string]string

// settings reads configuration.php, and says where it is.
func (s *scene) settings(ctx context.Context) (settings, string, error) {
	file, err := s.findConfig()
	if err != nil {
		return nil, "", err
	}
	rel, inside := area.Relative(s.root, file)
	if !inside {
		return s.evaluate(ctx, file)
	}
	text, err := cms.ReadBounded(s.top, rel, maxFile)
	if err != nil {
		return nil, "", upkeep.Errorf(upkeep.CodeInvalid, "no configuration.php").
			WithHint("Finish the installation of Joomla first.")
	}
	read := config.Read(text, config.Source{Path: file})
	set := settings{}
	for _, name := range wanted {
		value, certainty := read.Property("JConfig", name)
		switch certainty {
		case config.Dynamic:
			return s.evaluate(ctx, file)
		case config.Static:
			set[name] = value.Text()
		}
	}
	if _, certainty := read.Property("JConfig", "__construct"); certainty != config.Absent || strings.Contains(string(text), "__construct") {
		return s.evaluate(ctx, file) // it may set anything
	}
	return set, file, nil
}

// findConfig is where JPATH_CONFIGURATION, in a defines.php of the owner's,
// puts it.
func (s *scene) findConfig() (string, error) {
	own, err := Own(s.top, Defines, Waiting)
	if err != nil {
		return "", err
	}
	dir := s.root
	if own != nil {
		read := config.Read(own, config.Source{Path: filepath.Join(s.root, Defines), Defined: map[string]string{"JPATH_BASE": s.root, "JPATH_ROOT": s.root}})
		value, certainty := read.Constant("JPATH_CONFIGURATION")
		switch certainty {
		case config.Dynamic:
			return "", upkeep.Errorf(upkeep.CodeInvalid, "defines.php puts the configuration where only running it can tell").
				WithHint("Write the path of JPATH_CONFIGURATION out in defines.php.")
		case config.Static:
			if dir = value.Text(); !filepath.IsAbs(dir) {
				dir = filepath.Join(s.root, dir)
			}
		}
	}
	file := filepath.Join(filepath.Clean(dir), "configuration.php")
	if resolved, err := filepath.EvalSymlinks(file); err == nil {
		return resolved, nil
	}
	return file, nil
}

// evaluate runs the configuration in a PHP process of its own.
func (s *scene) evaluate(ctx context.Context, file string) (_ settings, _ string, err error) {
	defer upkeep.Wrap(&err, "evaluate %s", file)
	set := settings{}
	script := cms.Script{Name: "config.php", Source: configSource, Dir: s.root}
	return set, file, s.host.PHP(ctx, script, map[string]any{"file": file, "names": wanted}, &set)
}

// tablePrefix is what Joomla's installer accepts as one, and what old ones were.
var tablePrefix = regexp.MustCompile(`^[A-Za-z0-9_]+$`)

// database returns how to reach the site's database. CodeInvalid when the
// configuration does not say.
func (set settings) database() (*cms.Database, error) {
	if set["db"] == "" || !tablePrefix.MatchString(set["dbprefix"]) {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "the configuration names no database or no table prefix").
			WithHint("Finish the installation of Joomla first.")
	}
	db := &cms.Database{User: set["user"], Password: set["password"], Name: set["db"], Prefix: set["dbprefix"]}
	usual := 3306
	switch strings.ToLower(set["dbtype"]) {
	case "mysqli", "mysql", "pdomysql":
		db.Engine, db.Charset = "mariadb", "utf8mb4"
	case "pgsql", "postgresql":
		db.Engine, usual = "postgresql", 5432
	default:
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "the site's database is of type %q", set["dbtype"]).
			WithHint("Only sites on MariaDB, MySQL or PostgreSQL can be kept up to date.")
	}
	at := parseHost(set["host"], usual)
	db.Host, db.Port = strings.Trim(at.host, "[]"), at.port
	// PHP's client takes a socket for this machine only, under its one name.
	if at.host == "" || strings.EqualFold(at.host, "localhost") {
		db.Socket = at.socket
	}
	return db, nil
}

// address is what $host says. A socket goes before the port.
type address struct {
	host, socket string
	port         int
}

// hostForms are the forms of $host with their parts, first match first. What
// has none of them is an IPv6 address without brackets.
var hostForms = [...]*regexp.Regexp{
	regexp.MustCompile(`^((?:(?:25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)\.){3}(?:25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?))(?::(.+))?$`),
	regexp.MustCompile(`^(\[.*\])(?::(.+))?$`),
	regexp.MustCompile(`(?i)^((?:\w+:/{2,3})?[a-z0-9.-]+)(?::([^:]+))?$`),
	regexp.MustCompile(`^()(?::([^:]+))$`),
}

// parseHost reads $host as Joomla's DatabaseDriver::extractHostPortSocket does.
func parseHost(value string, usual int) address {
	if socket, ok := strings.CutPrefix(value, "unix:"); ok && socket != "" && !strings.Contains(socket, ":") {
		return address{socket: socket, port: usual}
	}
	for i, form := range hostForms {
		match := form.FindStringSubmatch(value)
		if match == nil {
			continue
		}
		a := address{host: match[1], port: usual}
		if i == len(hostForms)-1 {
			a.host = "localhost"
		}
		if match[2] == "" || match[2] == "0" { // nothing, to PHP
			return a
		}
		if port, err := strconv.Atoi(match[2]); err == nil {
			a.port = port
		} else {
			a.port, a.socket = 0, match[2]
		}
		return a
	}
	return address{host: value, port: usual}
}
