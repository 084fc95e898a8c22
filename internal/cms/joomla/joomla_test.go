package joomla_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"upkeep"
	"upkeep/internal/agent/place"
	"upkeep/internal/cms"
	"upkeep/internal/cms/joomla"
	"upkeep/internal/cms/joomla/inventory"
)

// host lends folders as the agent does, and answers from a few rows what the
// database would: what the tests below ask for must be known without PHP.
type host struct {
	places *place.Places
	rows   map[string][][]string // by table
	asked  []string              // scripts
}

func (h *host) Open(dir string) (*os.Root, error) { return h.places.Open(dir) }

func (h *host) Query(_ context.Context, _ *cms.Database, query string, _ ...any) ([][][]byte, error) {
	if strings.HasPrefix(query, "SELECT version()") { // with the level; no template is shown by default
		return [][][]byte{{[]byte("10.11.6-MariaDB"), []byte(h.rows["schemas"][0][0]), nil, nil}}, nil
	}
	_, from, _ := strings.Cut(query, "FROM `jos_")
	table, _, _ := strings.Cut(from, "`")
	var rows [][][]byte
	for _, row := range h.rows[table] {
		cells := make([][]byte, len(row))
		for i := range row {
			cells[i] = []byte(row[i])
		}
		rows = append(rows, cells)
	}
	return rows, nil
}

func (h *host) PHP(_ context.Context, script cms.Script, _, output any) error {
	h.asked = append(h.asked, script.Name)
	if version, ok := output.(*upkeep.Version); ok {
		*version = "8.2.30"
		return nil
	}
	return upkeep.Errorf(upkeep.CodeUnreachable, "no php")
}

// Swap moves, and forgets what was there.
func (h *host) Swap(_ context.Context, target, source string) error {
	return errors.Join(os.RemoveAll(target), os.MkdirAll(filepath.Dir(target), 0o755), os.Rename(source, target))
}

func (h *host) Remove(_ context.Context, target string) error { return os.RemoveAll(target) }

const config = `<?php
class JConfig {
	public $dbtype = 'mysqli';
	public $host = 'localhost:/run/db.sock';
	public $user = 'u';
	public $password = 'p\'w';
	public $db = 'd';
	public $dbprefix = 'jos_';
	public $live_site = '';
}
`

// release is the files of a small Joomla of a version.
func release(version string) map[string]string {
	parts := strings.Split(version, ".")
	return map[string]string{
		"index.php":               "<?php define('JOOMLA_MINIMUM_PHP', '8.1.0'); // " + version,
		"administrator/index.php": "<?php // " + version, "api/index.php": "<?php", "cli/joomla.php": "<?php",
		"includes/framework.php": "<?php // " + version, "includes/defines.php": "<?php",
		"administrator/manifests/files/joomla.xml":                                            "<extension type=\"file\" method=\"upgrade\"><name>files_joomla</name><version>" + version + "</version></extension>",
		"libraries/src/Version.php":                                                           "<?php\nclass Version {\n\tpublic const MAJOR_VERSION = " + parts[0] + ";\n\tpublic const MINOR_VERSION = " + parts[1] + ";\n\tpublic const PATCH_VERSION = " + parts[2] + ";\n\tpublic const EXTRA_VERSION = '';\n}\n",
		"libraries/vendor/autoload.php":                                                       "<?php",
		"media/vendor/joomla.asset.json":                                                      "{}",
		"administrator/components/com_admin/script.php":                                       "<?php",
		"administrator/components/com_admin/sql/updates/mysql/" + version + "-2025-01-01.sql": "#",
		"administrator/components/com_joomlaupdate/src/Model/UpdateModel.php":                 "<?php",
		"administrator/components/com_joomlaupdate/extract.php":                               "<?php // " + version,
		"components/com_content/tmpl/article/default.php":                                     "<?php // " + version,
		"components/com_content/tmpl/article/other.php":                                       "<?php",
		"images/index.html":                                                                   "",
		"README.txt":                                                                          version,
	}
}

func row(id, parent, kind, element, folder, client, enabled, locked, version string) []string {
	return []string{id, parent, element, kind, element, folder, client, enabled, "0", locked, "0", `{"version":"` + version + `"}`, "{}"}
}

// portal is a planted site.
type portal struct {
	*host
	t      *testing.T
	driver *joomla.Driver
	dir    string // of everything
	root   string
}

// newPortal plants a site that has, besides, what change says: "" takes away.
func newPortal(t *testing.T, change map[string]string) *portal {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p := &portal{host: &host{places: place.New(dir), rows: map[string][][]string{
		"extensions": {
			row("1", "0", "file", "joomla", "", "0", "1", "1", "5.2.5"),
			row("2", "0", "component", "com_content", "", "1", "1", "1", "4.0.0"),
			row("10", "0", "package", "pkg_thing", "", "0", "1", "0", "1.0"),
			row("11", "10", "plugin", "thing", "system", "0", "1", "0", "1.0"),
			row("12", "0", "plugin", "lone", "content", "0", "0", "0", "2.0"),
			row("13", "0", "module", "mod_gone", "", "1", "1", "0", "1.0"),
		},
		"update_sites": {{"12", "extension", "https://lone.example/u.xml", "0", "", "3"}, {"10", "extension", "https://thing.example/u.xml", "1", "", "4"}},
		"schemas":      {{"5.2.5-2025-01-01"}},
	}}, t: t, driver: joomla.New(), dir: dir, root: filepath.Join(dir, "site")}
	files := release("5.2.5")
	files["configuration.php"] = config
	files["administrator/components/com_content/content.xml"] = "<extension type='component'><version>4.0.0</version></extension>"
	files["administrator/manifests/packages/pkg_thing.xml"] = "<extension type='package'><name>Thing Pro</name><version>1.0</version><dlid prefix='dlid='/></extension>"
	files["plugins/system/thing/thing.xml"] = "<extension type='plugin'><version>1.0</version></extension>"
	files["plugins/content/lone/lone.xml"] = "<?xml version='1.0' encoding='ISO-8859-1'?><extension type='plugin'><version>2.1</version></extension>"
	files["plugins/content/stranger/stranger.xml"] = "<extension type='plugin'/>"
	files["templates/mine/html/com_content/article/default.php"] = "<?php // mine"
	files["templates/mine/html/com_content/article/other.php"] = "<?php // mine"
	files["components/com_content/own.txt"] = "the owner's"
	for name, text := range change {
		if files[name] = text; text == "" {
			delete(files, name)
		}
	}
	plant(t, p.root, files)
	return p
}

func plant(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
}

func (p *portal) detect() *cms.Layout {
	p.t.Helper()
	l, err := p.driver.Detect(p.t.Context(), p, p.root)
	if err != nil {
		p.t.Fatal(err)
	}
	return l
}

func TestDetect(t *testing.T) {
	l := newPortal(t, nil).detect()
	want := cms.Database{Engine: "mariadb", Host: "localhost", Socket: "/run/db.sock", User: "u", Password: "p'w", Name: "d", Charset: "utf8mb4", Prefix: "jos_"}
	if db := *l.Database; db.Engine != want.Engine || db.Socket != want.Socket || db.Password != want.Password || db.Prefix != want.Prefix || len(l.Areas) != 1 {
		t.Errorf("%+v, areas %+v", db, l.Areas)
	}
	postgres := newPortal(t, map[string]string{"configuration.php": strings.NewReplacer("mysqli", "pgsql", "localhost:/run/db.sock", "db.example:5433").Replace(config)})
	if db := postgres.detect().Database; db.Engine != "postgresql" || db.Host != "db.example" || db.Port != 5433 {
		t.Errorf("%+v", db)
	}
	for name, c := range map[string]struct {
		change map[string]string
		code   upkeep.Code
		asked  string
	}{
		"nothing":        {map[string]string{"administrator/manifests/files/joomla.xml": ""}, upkeep.CodeNotFound, ""},
		"half":           {map[string]string{"includes/defines.php": ""}, upkeep.CodeInvalid, ""},
		"not installed":  {map[string]string{"configuration.php": ""}, upkeep.CodeInvalid, ""},
		"dynamic":        {map[string]string{"configuration.php": strings.Replace(config, "'d'", "DB_NAME", 1)}, upkeep.CodeUnreachable, "config.php"},
		"a constructor":  {map[string]string{"configuration.php": strings.Replace(config, "public $db =", "public function __construct() { $this->db = getenv('X'); }\n\tpublic $db =", 1)}, upkeep.CodeUnreachable, "config.php"},
		"no such engine": {map[string]string{"configuration.php": strings.Replace(config, "mysqli", "sqlsrv", 1)}, upkeep.CodeInvalid, ""},
	} {
		p := newPortal(t, c.change)
		_, err := p.driver.Detect(t.Context(), p, p.root)
		if upkeep.CodeOf(err) != c.code || strings.Join(p.asked, "") != c.asked {
			t.Errorf("%s: %v, asked %v", name, err, p.asked)
		}
	}
}

func TestDetectFollowsDefines(t *testing.T) {
	p := newPortal(t, map[string]string{"configuration.php": "", "defines.php": "<?php define('JPATH_CONFIGURATION', __DIR__ . '/private');", "private/configuration.php": config})
	if l := p.detect(); l.Database.Name != "d" {
		t.Errorf("%+v", l.Database)
	}
}

func TestInventory(t *testing.T) {
	p := newPortal(t, map[string]string{"administrator/components/com_joomlaupdate/update.php": "<?php"})
	l := p.detect()
	if !found(l.Findings, "update_leftover", "") {
		t.Errorf("layout findings %+v", l.Findings)
	}
	inv, err := p.driver.Inventory(t.Context(), p, l)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for i := range inv.Components {
		c := &inv.Components[i]
		got[c.Ref()] = string(c.Version) + map[bool]string{true: " on", false: " off"}[c.Active] + " " + c.Headers[inventory.HeaderPackage] + c.Headers[inventory.HeaderKey]
	}
	for ref, want := range map[string]string{
		"core": "5.2.5 on ", "component:com_content": "4.0.0 on ", "package:pkg_thing": "1.0 on missing", "plugin:system/thing": "1.0 on package:pkg_thing",
		"plugin:content/lone": "2.0 off ", "module:administrator/mod_gone": "1.0 on ",
	} {
		if got[ref] != want {
			t.Errorf("%s is %q, want %q", ref, got[ref], want)
		}
	}
	for code, ref := range map[string]string{"version_differs": "plugin:content/lone", "manifest_missing": "module:administrator/mod_gone", "update_site_off": "plugin:content/lone"} {
		if !found(inv.Findings, code, ref) {
			t.Errorf("no %s of %s in %+v", code, ref, inv.Findings)
		}
	}
	if !slices.ContainsFunc(inv.Findings, func(f upkeep.Finding) bool {
		return f.Code == "not_registered" && strings.HasSuffix(f.Paths[0], "plugins/content/stranger")
	}) {
		t.Errorf("the stranger is not found: %+v", inv.Findings)
	}
	if inv.Schema.Pending || inv.Schema.Files != "5.2.5-2025-01-01" || slices.Contains(p.asked, "config.php") {
		t.Errorf("schema %+v, asked %v", inv.Schema, p.asked)
	}
}

func found(findings []upkeep.Finding, code, ref string) bool {
	return slices.ContainsFunc(findings, func(f upkeep.Finding) bool { return f.Code == code && f.Component == ref })
}

// stage unpacks a package beside the site and stages it.
func (p *portal) stage(u upkeep.Update, files map[string]string) (*cms.Staged, error) {
	p.t.Helper()
	dir := filepath.Join(p.dir, "unpacked")
	if err := os.RemoveAll(dir); err != nil {
		p.t.Fatal(err)
	}
	plant(p.t, dir, files)
	return p.driver.Stage(p.t.Context(), p, p.detect(), u, dir)
}

func (p *portal) core(version string) upkeep.Update {
	return upkeep.Update{
		Component: upkeep.Component{Kind: upkeep.Core, ID: "core", Path: p.root, Version: "5.2.5"},
		Release:   upkeep.Release{Kind: upkeep.Core, Version: upkeep.Version(version)},
	}
}

func TestCoreTakesItsPlaceAndNothingElse(t *testing.T) {
	p := newPortal(t, map[string]string{
		"administrator/components/com_joomlaupdate/update.php": "<?php // left over", "administrator/cache/autoload_psr4.php": "<?php // old map",
	})
	files := release("5.3.1")
	files["installation/index.php"] = "<?php"
	files["media/new/file.js"] = "new"
	files["libraries/Odd.php"] = "<?php"
	files["administrator/components/com_admin/script.php"] = "<?php $files = ['/libraries/Odd.php' => '/libraries/ODD.php'];"
	staged, err := p.stage(p.core("5.3.1"), files)
	if err != nil {
		t.Fatal(err)
	}
	if _, there := staged.Files["libraries/ODD.php"]; !there || staged.Files["libraries/Odd.php"] != "" {
		t.Error("what Joomla renames has to arrive under its old name")
	}
	if last := staged.Moves[len(staged.Moves)-1]; !strings.HasSuffix(last.To, "manifests/files/joomla.xml") {
		t.Errorf("the last move is %+v", last)
	}
	for _, move := range staged.Moves {
		switch strings.TrimPrefix(move.To, p.root+"/") {
		case "administrator", "api", "components", "components/com_content", "installation":
			t.Errorf("%+v moves what is not only the release's", move)
		}
	}
	overrides := slices.IndexFunc(staged.Findings, func(f upkeep.Finding) bool { return f.Code == "override_outdated" })
	if overrides < 0 || len(staged.Findings[overrides].Paths) != 1 || !strings.HasSuffix(staged.Findings[overrides].Paths[0], "article/default.php") {
		t.Errorf("findings %+v", staged.Findings)
	}
	l := p.detect()
	if err := p.driver.Apply(t.Context(), p, l, []cms.Staged{*staged}); err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		text, err := os.ReadFile(filepath.Join(p.root, name))
		if name == "installation/index.php" {
			if err == nil {
				t.Error("the installer came with the update")
			}
			continue
		}
		if err != nil || string(text) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"components/com_content/own.txt", "plugins/system/thing/thing.xml", "configuration.php"} {
		if _, err := os.Stat(filepath.Join(p.root, name)); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"administrator/components/com_joomlaupdate/update.php", "administrator/cache/autoload_psr4.php"} {
		if _, err := os.Stat(filepath.Join(p.root, name)); err == nil {
			t.Errorf("%s outlasted the update", name)
		}
	}
	if l := p.detect(); l.Options["version"] != "5.3.1" {
		t.Errorf("version %s", l.Options["version"])
	}
}

func TestCoreIsRefused(t *testing.T) {
	p := newPortal(t, nil)
	for name, change := range map[string]func(files map[string]string){
		"another version": func(f map[string]string) {
			f["libraries/src/Version.php"] = release("5.3.0")["libraries/src/Version.php"]
		},
		"incomplete":       func(f map[string]string) { delete(f, "libraries/vendor/autoload.php") },
		"a configuration":  func(f map[string]string) { f["configuration.php"] = config },
		"a gate":           func(f map[string]string) { f["administrator/defines.php"] = "<?php" },
		"wants newer PHP":  func(f map[string]string) { f["index.php"] = "<?php define('JOOMLA_MINIMUM_PHP', '8.3.0');" },
		"no Joomla at all": func(f map[string]string) { clear(f); f["readme.txt"] = "x" },
	} {
		files := release("5.3.1")
		change(files)
		if _, err := p.stage(p.core("5.3.1"), files); upkeep.CodeOf(err) != upkeep.CodeRefused {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestExtensionIsRefusedUnlessItIsTheOne(t *testing.T) {
	p := newPortal(t, nil)
	l := p.detect()
	inv, err := p.driver.Inventory(t.Context(), p, l)
	if err != nil {
		t.Fatal(err)
	}
	of := func(ref, version string) upkeep.Update {
		at := slices.IndexFunc(inv.Components, func(c upkeep.Component) bool { return c.Ref() == ref })
		return upkeep.Update{Component: inv.Components[at], Release: upkeep.Release{Version: upkeep.Version(version)}}
	}
	manifest := func(name, version string) map[string]string {
		return map[string]string{"pkg_thing.xml": "<extension type='package' method='upgrade'><name>" + name + "</name><packagename>thing</packagename><version>" + version + "</version></extension>"}
	}
	if _, err := p.stage(of("package:pkg_thing", "1.1"), manifest("Thing Pro", "1.1")); err != nil {
		t.Error(err)
	}
	lone := "<extension type='plugin' group='content' method='upgrade'><name>Lone</name><version>2.2</version><files><filename plugin='lone'>lone.php</filename><folder>tmpl</folder></files><media destination='plg_lone' folder='media'><folder>a</folder></media></extension>"
	plant(t, p.root, map[string]string{"plugins/content/lone/tmpl/default.php": "old", "templates/mine/html/plg_content_lone/default.php": "mine"})
	staged, err := p.stage(of("plugin:content/lone", "2.2"), map[string]string{"top/tmpl/default.php": "new", "top/lone.xml": lone, "top/other.xml": "<form/>", "top/lone.php": "<?php", "top/media/a/x.css": "x", "top/not-listed.txt": "x"})
	if err != nil {
		t.Fatal(err)
	}
	if files := slices.Sorted(maps.Keys(staged.Files)); !slices.Equal(files, []string{"../../../media/plg_lone/a/x.css", "lone.php", "tmpl/default.php"}) {
		t.Errorf("files that have to arrive: %v", files)
	}
	if !found(staged.Findings, "override_outdated", "plugin:content/lone") {
		t.Errorf("findings %+v", staged.Findings)
	}
	for name, c := range map[string]struct {
		update upkeep.Update
		files  map[string]string
	}{
		"another version":     {of("package:pkg_thing", "1.2"), manifest("Thing Pro", "1.1")},
		"the free edition":    {of("package:pkg_thing", "1.1"), manifest("Thing", "1.1")},
		"another extension":   {of("plugin:content/lone", "2.2"), map[string]string{"x.xml": strings.Replace(lone, "content", "system", 1)}},
		"a part of a package": {of("plugin:system/thing", "1.1"), map[string]string{"x.xml": lone}},
		"of Joomla itself":    {of("component:com_content", "5.0"), map[string]string{"x.xml": lone}},
		"no upgrade":          {of("plugin:content/lone", "2.2"), map[string]string{"x.xml": strings.Replace(lone, "method='upgrade'", "", 1)}},
		"no manifest":         {of("plugin:content/lone", "2.2"), map[string]string{"index.html": "<html>Please log in</html>"}},
	} {
		if _, err := p.stage(c.update, c.files); upkeep.CodeOf(err) != upkeep.CodeRefused {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGateKeepsTheOwnersFiles(t *testing.T) {
	own := "<?php\r\n// mine, without a newline at its end"
	p := newPortal(t, map[string]string{"administrator/defines.php": own, "api/index.php": ""})
	token := strings.Repeat("t", 40)
	gate, err := p.driver.Gate(t.Context(), p, p.detect(), token)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, file := range gate.Files {
		rel, _ := filepath.Rel(p.root, file.Path)
		paths = append(paths, rel)
		if strings.HasSuffix(rel, "defines.upkeep.php") && string(file.Content) != own {
			t.Errorf("the owner's file waits as %q", file.Content)
		}
		if strings.Contains(string(file.Content), token) {
			t.Error("the gate holds the token itself")
		}
	}
	if want := []string{"defines.php", "administrator/defines.php", "administrator/defines.upkeep.php"}; !slices.Equal(paths, want) {
		t.Errorf("gate files %v, want %v", paths, want)
	}
	// Described again while it is closed, it is the same.
	for _, file := range gate.Files {
		if err := os.WriteFile(file.Path, file.Content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	again, err := p.driver.Gate(t.Context(), p, p.detect(), token)
	if err != nil || len(again.Files) != len(gate.Files) {
		t.Fatalf("%v: %d files", err, len(again.Files))
	}
	for i := range gate.Files {
		if !bytes.Equal(gate.Files[i].Content, again.Files[i].Content) {
			t.Errorf("%s differs", gate.Files[i].Path)
		}
	}
}
