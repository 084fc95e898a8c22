package layout

import (
	"context"
	_ "embed"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/area"
	"upkeep/internal/cms/php"
	"upkeep/internal/cms/php/config"
)

//go:embed scripts/settings.php
var settingsSource string

// settings is what settings.php says.
type settings struct {
	connection map[string]string // $databases['default']['default']
	files      string            // below the root
	private    string
	sync       string         // where exported configuration is kept
	home       string         // $base_url
	php        upkeep.Version // when it was evaluated
}

// settingsFile is the site's own settings.php, also while our gate stands in
// its place.
func (s *scene) settingsFile() (string, []byte, error) {
	for _, name := range []string{Settings, Waiting} {
		file := filepath.Join(s.layout.Dirs[DirSite], name)
		if info, err := os.Lstat(file); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			// Where it waits while the gate is closed, its own __DIR__ is another.
			return "", nil, upkeep.Errorf(upkeep.CodeInvalid, "%s is a link", file).
				WithHint("Put the file itself there; it may include another.")
		}
		text, err := s.read(file)
		if err != nil || text != nil && !strings.Contains(string(text), Mark) {
			return file, text, err
		}
	}
	return "", nil, upkeep.Errorf(upkeep.CodeInvalid, "the site's own settings.php is gone").
		WithHint("Restore it from a backup.")
}

// settings reads settings.php, or has it evaluated where reading does not tell.
func (s *scene) settings(ctx context.Context) (*settings, error) {
	file, text, err := s.settingsFile()
	if err != nil {
		return nil, err
	}
	if set := s.readSettings(text, file); set != nil {
		return set, nil
	}
	return s.evaluate(ctx, file)
}

// quoted makes text that can stand between single quotes in PHP.
var quoted = strings.NewReplacer(`\`, `\\`, `'`, `\'`)

// readSettings is nil when only running the file can tell.
func (s *scene) readSettings(text []byte, file string) *settings {
	generation := s.layout.Options[OptionGeneration]
	if site, inside := area.Relative(s.root, s.layout.Dirs[DirSite]); inside && generation == Eight {
		// Who includes the file has these two.
		text = append(fmt.Appendf(nil, "<?php $app_root = '%s'; $site_path = '%s'; ?>", quoted.Replace(s.root), quoted.Replace(site)), text...)
	}
	read := config.Read(text, config.Source{Path: file})
	set := &settings{connection: map[string]string{}}
	value := func(name string) (*php.Value, bool) {
		v, certainty := read.Variable(name)
		return v, certainty != config.Dynamic
	}
	databases, known := value("databases")
	own, knownOwn := value(map[string]string{Seven: "conf", Eight: "settings"}[generation])
	home, knownHome := value("base_url")
	if !known || !knownOwn || !knownHome {
		return nil
	}
	for name, v := range databases.Get("default", "default").All() {
		if v.Kind != php.Array {
			set.connection[name] = v.Text()
		}
	}
	// Drupal 7 may give each table a prefix of its own, and so share some with
	// other sites: such a list is no prefix.
	if prefix := databases.Get("default", "default", "prefix"); prefix != nil && prefix.Kind == php.Array {
		set.connection["prefix"] = prefix.Get("default").Text()
		if names := keys(prefix); len(names) > 1 {
			set.connection["prefix"] = strings.Join(names, ", ")
		}
	}
	set.home = home.Text()
	set.files, set.private, set.sync = own.Get("file_public_path").Text(), own.Get("file_private_path").Text(), own.Get("config_sync_directory").Text()
	return set
}

// evaluate has settings.php run in a PHP process of its own.
func (s *scene) evaluate(ctx context.Context, file string) (_ *settings, err error) {
	defer upkeep.Wrap(&err, "evaluate %s", file)
	var answer struct {
		PHP        upkeep.Version
		Connection map[string]string
		Files      string
		Private    string
		Sync       string
		Home       string
	}
	input := map[string]any{"root": s.root, "site": s.layout.Dirs[DirSite], "file": file, "host": s.layout.Options[OptionHost]}
	if err := s.host.PHP(ctx, cms.Script{Name: "settings.php", Source: settingsSource, Dir: s.root}, input, &answer); err != nil {
		return nil, err
	}
	return &settings{connection: answer.Connection, files: answer.Files, private: answer.Private, sync: answer.Sync, home: answer.Home, php: answer.PHP}, nil
}

// engines are Drupal's drivers and what they talk to.
var engines = map[string]string{"mysql": "mariadb", "mysqli": "mariadb", "pgsql": "postgresql", "sqlite": "sqlite"}

// prefixForm is what can stand in a query as it is.
var prefixForm = regexp.MustCompile(`^([A-Za-z0-9_]+\.)?[A-Za-z0-9_]*$`)

// Table is a table of the site's as a query names it.
func Table(l *cms.Layout, name string) string {
	name = l.Database.Prefix + name
	if l.Database.Schema != "" {
		name = l.Database.Schema + "." + name
	}
	return name
}

// database returns how to reach the site's database. CodeInvalid when the
// settings do not say.
func (set *settings) database(root string) (*cms.Database, error) {
	c := set.connection
	engine := engines[c["driver"]]
	if c["database"] == "" || engine == "" {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "settings.php names no database").
			WithHint("Finish the installation of Drupal first: $databases must be set.")
	}
	db := &cms.Database{
		Engine: engine, Host: c["host"], User: c["username"], Password: c["password"], Name: c["database"],
		Charset: c["charset"], Prefix: c["prefix"], Socket: c["unix_socket"],
	}
	if port, err := strconv.Atoi(c["port"]); err == nil {
		db.Port = port
	}
	// SQLite keeps tables with a prefix in a file of their own.
	if !prefixForm.MatchString(db.Prefix) || engine == "sqlite" && db.Prefix != "" {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "the prefix of tables is %q", db.Prefix).
			WithHint("Only letters, digits and _ can be kept up to date.")
	}
	switch {
	case engine == "sqlite":
		file := db.Name
		if !filepath.IsAbs(file) {
			file = filepath.Join(root, file)
		}
		resolved, err := filepath.EvalSymlinks(file)
		if err != nil {
			return nil, upkeep.Errorf(upkeep.CodeInvalid, "the database of SQLite is not there: %w", err)
		}
		db.Name, db.File = resolved, resolved
	case engine == "postgresql":
		// A prefix with a dot names a schema.
		if schema, rest, dotted := strings.Cut(db.Prefix, "."); dotted {
			db.Schema, db.Prefix = schema, rest
		}
	}
	return db, nil
}

func keys(v *php.Value) []string {
	return slices.Sorted(maps.Keys(maps.Collect(v.All())))
}

// Address is the site's address for code of it that runs on the command line.
func Address(l *cms.Layout) *url.URL {
	if u, err := url.Parse(l.Options[OptionHome]); err == nil && u.Host != "" {
		return u
	}
	host := l.Options[OptionHost]
	if host == "" {
		host = "localhost"
	}
	return &url.URL{Scheme: "http", Host: host, Path: "/"}
}
