package layout

import (
	"context"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/php"
	"upkeep/internal/cms/php/config"
)

//go:embed scripts/config.php
var configSource string

// configBytes bounds LocalSettings.php, which has some kilobytes.
const configBytes = 8 << 20

// wanted are the variables that matter here; those of shared say that others
// have a part in the database.
var (
	wanted = [...]string{
		"wgDBtype", "wgDBserver", "wgDBport", "wgDBname", "wgDBuser", "wgDBpassword", "wgDBprefix", "wgDBmwschema", "wgSQLiteDataDir",
		"wgServer", "wgCanonicalServer", "wgScriptPath", "wgScript", "wgUploadDirectory", "wgDeletedDirectory", "wgCacheDirectory",
		"wgFileCacheDirectory", "wgExtensionDirectory", "wgStyleDirectory", "wgDebugLogFile",
	}
	shared = [...]string{"wgDBservers", "wgLBFactoryConf", "wgSharedDB", "wgVirtualDomainsMapping"}
)

// loaders are the functions by which a configuration switches extensions and
// skins on.
var loaders = [...]string{"wfLoadExtension", "wfLoadExtensions", "wfLoadSkin", "wfLoadSkins"}

// settings is what LocalSettings.php comes to.
type settings struct {
	values     map[string]string // without the names that it does not set
	extensions []string          // switched on
	skins      []string
	shared     []string       // settings by which others have a part in the database
	files      []string       // further files of the configuration, absolute
	php        upkeep.Version // when it was evaluated
}

// settings reads the configuration, or has it evaluated where reading does
// not tell.
func (s *scene) settings(ctx context.Context) (*settings, error) {
	text, err := s.localSettings()
	if err != nil {
		return nil, err
	}
	if text != nil {
		if set, ok := readSettings(text, s.config, s.root); ok {
			return set, nil
		}
	}
	return s.evaluate(ctx)
}

// localSettings returns the site's own configuration, also while the gate
// stands in its place; nil when it lies outside the root.
func (s *scene) localSettings() ([]byte, error) {
	text, err := s.read(LocalSettings)
	if err == nil {
		text, err = Own(text)
	}
	if upkeep.CodeOf(err) == upkeep.CodeRefused || err != nil && strings.Contains(err.Error(), "escapes") {
		return nil, nil
	}
	return text, err
}

// Keep writes a configuration so that Own finds it in the gate, as a comment
// on the line that ends with the digest.
func Keep(own []byte) string { return base64.StdEncoding.EncodeToString(own) + " " }

// Own is the site's own configuration in a LocalSettings.php, which may be the
// gate.
func Own(text []byte) ([]byte, error) {
	if !strings.Contains(string(text), Mark) {
		return text, nil
	}
	last := string(text[strings.LastIndex(string(text), "\n")+1:])
	kept, _, _ := strings.Cut(strings.TrimPrefix(last, "// "), " ")
	own, err := base64.StdEncoding.DecodeString(kept)
	if err != nil || len(own) == 0 {
		return nil, upkeep.Errorf(upkeep.CodeDamaged, "LocalSettings.php is a gate that holds no configuration").
			WithHint("Bring back LocalSettings.php from a backup.")
	}
	return own, nil
}

// readSettings reads a static configuration; false when something that matters
// can only be known by running it.
func readSettings(text []byte, file, root string) (*settings, bool) {
	// What MediaWiki has set before it reads the file.
	before := "<?php $IP = " + quote(root) + "; $wgScriptPath = '/wiki'; ?>"
	read := config.Read(append([]byte(before), text...), config.Source{
		Path: file, Defined: map[string]string{"MEDIAWIKI": "1", "MW_INSTALL_PATH": root},
		Skips: []string{"PlatformSettings.php", "DefaultSettings.php"}, Calls: loaders[:],
	})
	set := &settings{values: map[string]string{}}
	for _, name := range wanted {
		value, certainty := read.Variable(name)
		switch certainty {
		case config.Dynamic:
			return nil, false
		case config.Static:
			set.values[name] = value.Text()
		}
	}
	for _, name := range shared {
		if value, certainty := read.Variable(name); certainty == config.Dynamic || value.True() {
			set.shared = append(set.shared, name)
		}
	}
	for i, function := range loaders {
		arguments, certainty := read.Calls(function)
		if certainty == config.Dynamic {
			return nil, false
		}
		for _, argument := range arguments {
			set.load(i < 2, names(argument))
		}
	}
	return set, true
}

func quote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(text) + "'"
}

// names are those that a loader is given: one, or a list of them.
func names(argument *php.Value) []string {
	if argument.Kind != php.Array {
		return []string{argument.Text()}
	}
	var all []string
	for _, value := range argument.All() {
		all = append(all, value.Text())
	}
	return all
}

func (s *settings) load(extension bool, names []string) {
	list := &s.skins
	if extension {
		list = &s.extensions
	}
	for _, name := range names {
		if !slices.Contains(*list, name) {
			*list = append(*list, name)
		}
	}
}

// evaluate has the configuration run in a PHP process of its own. MediaWiki
// itself does not start, and no extension that wfLoadExtension would load.
func (s *scene) evaluate(ctx context.Context) (_ *settings, err error) {
	defer upkeep.Wrap(&err, "evaluate %s", s.config)
	var answer struct {
		PHP                upkeep.Version
		Values             map[string]string
		Extensions, Skins  []string
		Shared, Files, Old []string
	}
	question := map[string]any{
		"root": s.root, "file": s.config, "waiting": filepath.Join(s.root, Waiting), "mark": Mark,
		"names": wanted, "shared": shared,
	}
	if err := s.host.PHP(ctx, cms.Script{Name: "config.php", Source: configSource, Dir: s.root}, question, &answer); err != nil {
		return nil, err
	}
	if answer.Values["wgDBtype"] == "" && answer.Values["wgDBname"] == "" {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "the configuration names no database").
			WithHint("Does the wiki answer in a browser? LocalSettings.php must be readable for the site's account, and set $wgDBname.")
	}
	set := &settings{values: answer.Values, shared: answer.Shared, php: answer.PHP}
	set.load(true, answer.Extensions)
	set.load(false, answer.Skins)
	for _, file := range answer.Files {
		// One that is loaded the old way is switched on by being included.
		rel, inside := strings.CutPrefix(file, s.root+"/")
		parts := strings.Split(rel, "/")
		switch {
		case inside && parts[0] == "extensions" && len(parts) > 2:
			set.load(true, parts[1:2])
		case inside && parts[0] == "skins" && len(parts) > 2:
			set.load(false, parts[1:2])
		case !inside:
			set.files = append(set.files, file)
		}
	}
	return set, nil
}

// options are what the driver wants to know besides folders.
func (s *settings) options() map[string]string {
	options := map[string]string{}
	keep := func(option, value string) {
		if value != "" {
			options[option] = value
		}
	}
	for option, list := range map[string][]string{OptionExtensions: s.extensions, OptionSkins: s.skins} {
		if text, err := json.Marshal(list); err == nil {
			keep(option, string(text))
		}
	}
	keep(OptionScriptPath, s.values["wgScriptPath"])
	server := s.values["wgServer"]
	if strings.HasPrefix(server, "//") && s.values["wgCanonicalServer"] != "" {
		server = s.values["wgCanonicalServer"]
	}
	if strings.Contains(server, "://") {
		keep(OptionHome, strings.TrimSuffix(server, "/")+s.scriptPath()+"/")
	}
	keep(OptionScript, s.values["wgScript"])
	keep(OptionPHP, string(s.php))
	return options
}

// scriptPath is "/wiki" where the configuration does not say.
func (s *settings) scriptPath() string {
	if path, set := s.values["wgScriptPath"]; set {
		return strings.TrimSuffix(path, "/")
	}
	return "/wiki"
}

// database returns how to reach the site's database. CodeInvalid when the
// configuration does not say.
func (s *settings) database() (*cms.Database, error) {
	value := func(name string) string { return s.values[name] }
	db := &cms.Database{
		Name: value("wgDBname"), User: value("wgDBuser"), Password: value("wgDBpassword"), Prefix: value("wgDBprefix"), Host: value("wgDBserver"),
	}
	if db.Name == "" {
		db.Name = "my_wiki" // as DefaultSettings.php has it
	}
	switch kind := value("wgDBtype"); kind {
	case "mysql", "":
		db.Engine = "mariadb"
		db.Host, db.Port, db.Socket = splitServer(strings.TrimPrefix(db.Host, "p:"))
	case "postgres":
		db.Engine, db.Port, db.Prefix = "postgresql", number(value("wgDBport"), 5432), ""
		db.Schema = value("wgDBmwschema")
		if db.Schema == "" {
			db.Schema = "mediawiki"
		}
	case "sqlite":
		db.Engine, db.Host = "sqlite", ""
		if value("wgSQLiteDataDir") == "" {
			return nil, upkeep.Errorf(upkeep.CodeInvalid, "the configuration does not say where the SQLite database is").
				WithHint("Set $wgSQLiteDataDir in LocalSettings.php.")
		}
		return sqliteFiles(db, value("wgSQLiteDataDir"))
	default:
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "$wgDBtype %q is not supported", kind).
			WithHint("MariaDB, MySQL, PostgreSQL and SQLite are.")
	}
	return db, nil
}

// splitServer reads $wgDBserver as mysqli takes it: host, host:port, or
// localhost:/socket.
func splitServer(server string) (host string, port int, socket string) {
	at := strings.LastIndex(server, ":")
	if at < 0 || strings.Count(server, ":") > 1 && !strings.Contains(server, "]:") {
		return strings.Trim(server, "[]"), 0, ""
	}
	host, rest := strings.Trim(server[:at], "[]"), server[at+1:]
	if strings.HasPrefix(rest, "/") {
		return host, 0, rest
	}
	return host, number(rest, 0), ""
}

func number(text string, otherwise int) int {
	if n, err := strconv.Atoi(text); err == nil && n > 0 {
		return n
	}
	return otherwise
}

// sqliteFiles finds the wiki's file and those of its caches and jobs beside it.
func sqliteFiles(db *cms.Database, dir string) (*cms.Database, error) {
	resolved, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "folder of the SQLite database: %w", err).
			WithHint("Set $wgSQLiteDataDir in LocalSettings.php.")
	}
	db.File = filepath.Join(resolved, db.Name+".sqlite")
	all, err := filepath.Glob(filepath.Join(strings.NewReplacer("[", `\[`, "*", `\*`, "?", `\?`).Replace(resolved), "*.sqlite"))
	if err != nil {
		return nil, err
	}
	for _, file := range all {
		if file != db.File {
			db.Files = append(db.Files, file)
		}
	}
	return db, nil
}
