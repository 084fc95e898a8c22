package drupal_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // the engine of the small sites

	"upkeep"
	"upkeep/internal/agent/place"
	"upkeep/internal/cms"
	"upkeep/internal/cms/drupal"
)

// host lends folders and the site's database as the agent does, and has no
// PHP: what the tests below ask for must be known without.
type host struct {
	places *place.Places
	file   string // of the database
}

func (h *host) Open(dir string) (*os.Root, error) { return h.places.Open(dir) }

func (h *host) Query(ctx context.Context, _ *cms.Database, query string, args ...any) ([][][]byte, error) {
	db, err := sql.Open("sqlite", h.file)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var all [][][]byte
	for rows.Next() {
		cells, into := make([][]byte, len(names)), make([]any, len(names))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		all = append(all, cells)
	}
	return all, rows.Err()
}

func (h *host) PHP(_ context.Context, _ cms.Script, _, output any) error {
	if version, ok := output.(*upkeep.Version); ok {
		*version = "8.2.30"
		return nil
	}
	return upkeep.Errorf(upkeep.CodeUnreachable, "no php")
}

// small is a planted site.
type small struct {
	*host
	t      *testing.T
	driver *drupal.Driver
	dir    string // of everything
	root   string
}

const settingsOf = "<?php\n$settings['container_yamls'][] = $app_root . '/' . $site_path . '/services.yml';\n$databases['default']['default'] = array('driver' => 'sqlite', 'database' => 'sites/default/files/.ht.sqlite', 'prefix' => '');\n"

// sevenFiles are those of a small Drupal 7 of a version.
func sevenFiles(version string) map[string]string {
	files := map[string]string{
		"includes/bootstrap.inc":     "<?php\ndefine('VERSION', '" + version + "');\ndefine('DRUPAL_MINIMUM_PHP', '5.2.4');\n",
		"modules/system/system.info": "name = System\nversion = VERSION\ncore = 7.x\n", "modules/system/system.install": "<?php\nfunction system_update_7084() {}\n",
		"modules/node/node.info": "name = Node\nversion = VERSION\ncore = 7.x\n", "profiles/minimal/minimal.info": "name = Minimal\nversion = VERSION\n",
	}
	for _, name := range []string{"index.php", "update.php", "includes/common.inc", "includes/database/database.inc", "modules/system/system.module", "modules/node/node.module", "modules/user/user.module", "misc/drupal.js", "scripts/run-tests.sh"} {
		files[name] = "<?php // " + version
	}
	return files
}

// eightFiles are those of a small Drupal of a later version.
func eightFiles(version string) map[string]string {
	files := map[string]string{
		"core/lib/Drupal.php":                 "<?php\nclass Drupal {\n  const VERSION = '" + version + "';\n  const MINIMUM_PHP = '8.1.0';\n}\n",
		"core/modules/system/system.info.yml": "name: System\ntype: module\nversion: VERSION\n",
		"core/modules/node/node.info.yml":     "name: Node\ntype: module\nversion: VERSION\n",
		"core/modules/config/config.info.yml": "name: Config\ntype: module\nversion: VERSION\n", "core/modules/node/config/x/y.info.yml": "name: none\nversion: '1'\n",
		"core/modules/system/system.install":     "<?php\nfunction system_update_10100() {}\n",
		"composer.json":                          `{"require": {"drupal/core-recommended": "^10"}}`,
		"core/profiles/minimal/minimal.info.yml": "name: Minimal\ntype: profile\nversion: VERSION\n",
	}
	for _, name := range []string{"index.php", "autoload.php", "core/includes/bootstrap.inc", "core/lib/Drupal/Core/DrupalKernel.php", "core/modules/system/system.module", "core/modules/node/node.module", "core/modules/user/user.module", "vendor/autoload.php"} {
		files[name] = "<?php // " + version
	}
	return files
}

// plant writes files; what has no text goes.
func plant(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if text == "" {
			continue
		}
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
}

func newSmall(t *testing.T, files, change map[string]string, statements string) *small {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(dir, "site")
	s := &small{host: &host{places: place.New(dir), file: filepath.Join(root, "sites/default/files/.ht.sqlite")}, t: t, driver: drupal.New(), dir: dir, root: root}
	files["sites/default/settings.php"], files["sites/default/files/x.txt"] = settingsOf, "x"
	for name, text := range change {
		files[name] = text
	}
	plant(t, root, files)
	db, err := sql.Open("sqlite", s.file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statements); err != nil {
		t.Fatal(err)
	}
	return s
}

const tokenInfo = "name = Token\nversion = \"7.x-1.7\"\ncore = 7.x\nproject = \"token\"\ndatestamp = \"1700000000\"\ndependencies[] = ctools:ctools (>=1.2)\n"

func seven(t *testing.T, change map[string]string) *small {
	files := map[string]string{
		"sites/all/modules/token/token.info": tokenInfo, "sites/all/modules/token/token.install": "<?php\nfunction token_update_7001() {}\nfunction token_update_7002() {}\n",
		"sites/all/modules/token/token_more/token_more.info": strings.Replace(tokenInfo, "Token", "More", 1),
		"sites/all/modules/own/own.info":                     "name = Own\ncore = 7.x\n",
		"sites/all/themes/plain/plain.info":                  "name = Plain\nversion = 7.x-1.x-dev\ncore = 7.x\nproject = plain\nbase theme = zen\n",
	}
	for name, text := range change {
		files[name] = text
	}
	return newSmall(t, sevenFiles("7.98"), files, `CREATE TABLE system (name TEXT, type TEXT, status INT, schema_version INT); CREATE TABLE node (nid INT, status INT); INSERT INTO node VALUES (4, 1);
		INSERT INTO system VALUES ('system','module',1,7084),('node','module',1,7000),('minimal','module',1,0),('token','module',1,7001),('token_more','module',0,-1),('own','module',0,-1),('plain','theme',1,-1)`)
}

func eight(t *testing.T, change map[string]string) *small {
	files := map[string]string{
		"modules/contrib/token/token.info.yml": "name: Token\ntype: module\ncore_version_requirement: ^9.2 || ^10\n\n# Information added by packaging\nversion: '8.x-1.13'\nproject: 'token'\ndatestamp: 1697885927\n",
		"themes/plain/plain.info.yml":          "name: Plain\ntype: theme\nbase theme: false\ncore_version_requirement: ^10\n",
	}
	for name, text := range change {
		files[name] = text
	}
	return newSmall(t, eightFiles("10.1.0"), files, `CREATE TABLE config (collection TEXT, name TEXT, data BLOB); CREATE TABLE key_value (collection TEXT, name TEXT, value BLOB); CREATE TABLE node_field_data (nid INT, status INT);
		INSERT INTO config VALUES ('', 'core.extension', 'a:2:{s:6:"module";a:4:{s:6:"config";i:0;s:6:"system";i:0;s:4:"node";i:0;s:5:"token";i:0;}s:5:"theme";a:1:{s:5:"plain";i:0;}}');
		INSERT INTO key_value VALUES ('system.schema', 'system', 'i:10100;'), ('system.schema', 'token', 'i:8001;')`)
}

func (s *small) detect() *cms.Layout {
	s.t.Helper()
	l, err := s.driver.Detect(s.t.Context(), s, s.root)
	if err != nil {
		s.t.Fatal(err)
	}
	return l
}

// blocking are the codes of what blocks.
func blocking(findings []upkeep.Finding) []string {
	var codes []string
	for _, f := range findings {
		if f.Blocks {
			codes = append(codes, strings.TrimSuffix(f.Code+" "+f.Component, " "))
		}
	}
	slices.Sort(codes)
	return codes
}

func TestInventory(t *testing.T) {
	for name, c := range map[string]struct {
		site       *small
		components []string
		schema     upkeep.Schema
		blocks     []string
		requires   []string
	}{
		"7": {seven(t, nil), []string{"core 7.98 on minimal node system", "plugin:own  off", "plugin:token 7.x-1.7 on token", "theme:plain 7.x-1.x-dev on plain"},
			upkeep.Schema{Files: "system 7084, token 7002", Database: "system 7084, token 7001", Pending: true}, []string{"snapshot theme:plain"}, []string{"ctools"}},
		"8": {eight(t, nil), []string{"core 10.1.0 on config node system", "plugin:token 8.x-1.13 on token", "theme:plain  on plain"},
			upkeep.Schema{Files: "system 10100", Database: "system 10100"}, nil, nil},
		"patched": {eight(t, map[string]string{"modules/contrib/token/1.patch": "x"}), []string{"core 10.1.0 on config node system", "plugin:token 8.x-1.13 on token", "theme:plain  on plain"},
			upkeep.Schema{Files: "system 10100", Database: "system 10100"}, []string{"patched plugin:token"}, nil},
		"Composer's word": {eight(t, map[string]string{
			"vendor/composer/installed.json": `{"packages": [{"name": "drupal/core", "version": "10.1.0"}, {"name": "drupal/plain", "version": "1.0.0"}, {"name": "drupal/token", "version": "1.13.0", "extra": {"patches_applied": {"x": "y"}}}]}`,
			"composer.json":                  `{"require": {"drupal/core": "^10", "drupal/token": "^1"}, "extra": {"patches": {"drupal/core": {"a": "b"}}}}`,
		}), []string{"core 10.1.0 on config node system", "plugin:token 8.x-1.13 on token", "theme:plain 1.0.0 on plain"},
			upkeep.Schema{Files: "system 10100", Database: "system 10100"}, []string{"patched core", "patched plugin:token"}, nil},
		"patches in files": {eight(t, map[string]string{
			"vendor/composer/installed.json": `{"packages": [{"name": "drupal/core", "version": "10.1.0"}, {"name": "drupal/plain", "version": "1.0.0"}, {"name": "drupal/token", "version": "1.13.0"}]}`,
			"composer.json":                  `{"require": {"drupal/core": "^10", "drupal/token": "^1"}, "extra": {"patches": [], "patches-file": "build/own.json"}}`,
			"build/own.json":                 `{"patches": {"drupal/token": {"a": "https://b.example/c.patch"}}}`,
			"patches.lock.json":              `{"_hash": "x", "patches": {"drupal/plain": [{"url": "d"}]}}`,
		}), []string{"core 10.1.0 on config node system", "plugin:token 8.x-1.13 on token", "theme:plain 1.0.0 on plain"},
			upkeep.Schema{Files: "system 10100", Database: "system 10100"}, []string{"patched plugin:token", "patched theme:plain"}, nil},
		"patches elsewhere": {eight(t, map[string]string{
			"vendor/composer/installed.json": `{"packages": [{"name": "drupal/core", "version": "10.1.0"}]}`,
			"composer.json":                  `{"require": {"drupal/core": "^10"}, "extra": {"composer-patches": {"patches-file": "https://b.example/own.json"}}}`,
		}), []string{"core 10.1.0 on config node system", "plugin:token 8.x-1.13 on token", "theme:plain  on plain"},
			upkeep.Schema{Files: "system 10100", Database: "system 10100"}, []string{"patched"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			inv, err := c.site.driver.Inventory(t.Context(), c.site, c.site.detect())
			if err != nil {
				t.Fatal(err)
			}
			var got, requires []string
			for i := range inv.Components {
				k := &inv.Components[i]
				got = append(got, strings.TrimSpace(k.Ref()+" "+string(k.Version)+map[bool]string{true: " on ", false: " off"}[k.Active]+k.Headers["enabled"]))
				requires = append(requires, k.RequiresComponents...)
			}
			if !slices.Equal(got, c.components) || !slices.Equal(requires, c.requires) {
				t.Errorf("%q requires %q", got, requires)
			}
			if inv.Schema != c.schema {
				t.Errorf("schema %+v", inv.Schema)
			}
			if codes := blocking(inv.Findings); !slices.Equal(codes, c.blocks) {
				t.Errorf("blocks %q", codes)
			}
		})
	}
}

func TestDetectFindsWhatBlocks(t *testing.T) {
	for name, c := range map[string]struct {
		site *small
		want []string
	}{
		"nothing":         {eight(t, nil), nil},
		"another site":    {seven(t, map[string]string{"sites/shop.example/settings.php": settingsOf}), []string{"farm"}},
		"a site besides":  {eight(t, map[string]string{"sites/shop.example/settings.php": strings.Replace(settingsOf, "default/files/.ht.sqlite", "shop.example/files/x", 1), "sites/shop.example/files/x": "x", "sites/sites.php": "<?php"}), nil},
		"a part of one":   {eight(t, map[string]string{"sites/shop.example/settings.php": settingsOf, "sites/sites.php": "<?php"}), []string{"farm"}},
		"never loaded":    {eight(t, map[string]string{"sites/shop.example/settings.php": settingsOf}), nil},
		"names of sites":  {eight(t, map[string]string{"sites/sites.php": "<?php\n$sites['a.example'] = 'default';\n"}), nil},
		"unknown names":   {eight(t, map[string]string{"sites/sites.php": "<?php\n$sites['a.example'] = 'group/a';\n"}), []string{"farm"}},
		"composer":        {eight(t, map[string]string{"composer.json": `{"require": {"drupal/core": "^10", "drupal/token": "^1"}}`}), []string{"composer_unfit"}},
		"a project above": {eight(t, map[string]string{"vendor/autoload.php": ""}), []string{"composer_unfit"}},
		"version control": {eight(t, map[string]string{".git/HEAD": "x"}), []string{"version_control"}},
	} {
		if got := blocking(c.site.detect().Findings); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// Each site of the code is looked at under a name that is a host's: its folder's,
// or another that sites.php has for it.
func TestPagesOfEverySite(t *testing.T) {
	files := map[string]string{"sites/sites.php": "<?php\n$sites['www.blog.example'] = 'blog';\n$sites['shop'] = 'shop.example';\n"}
	for _, name := range []string{"shop.example", "blog", "8443.port.example", "inner"} {
		files["sites/"+name+"/settings.php"] = strings.Replace(settingsOf, "default/files/.ht.sqlite", name+"/files/x", 1)
		files["sites/"+name+"/files/x"] = "x"
	}
	s := eight(t, files)
	inv, err := s.driver.Inventory(t.Context(), s, s.detect())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, page := range inv.Pages {
		got = append(got, page.String())
	}
	want := []string{"/", "/user/login", "port.example:8443/", "port.example:8443/user/login", "www.blog.example/", "www.blog.example/user/login", "shop.example/", "shop.example/user/login"}
	if !slices.Equal(got, want) {
		t.Errorf("pages %q", got)
	}
	var nameless []string
	for _, f := range inv.Findings {
		if f.Code == "site_nameless" {
			nameless = append(nameless, f.Paths...)
		}
	}
	if !slices.Equal(nameless, []string{filepath.Join(s.root, "sites/inner")}) {
		t.Errorf("without a name: %q", nameless)
	}
}

// A project above the root is backed up with it: what Composer installed, and
// what it was told.
func TestProjectIsOfTheSite(t *testing.T) {
	s := eight(t, map[string]string{"vendor/autoload.php": ""})
	plant(t, s.dir, map[string]string{"vendor/autoload.php": "<?php", "composer.json": "{}", "composer.lock": "{}", "notes.txt": "another's"})
	var got []string
	for _, area := range s.detect().Areas {
		got = append(got, area.Name+" "+strings.Join(area.Only, " "))
	}
	if want := []string{"site ", "vendor ", "project composer.json composer.lock"}; !slices.Equal(got, want) {
		t.Errorf("areas %q", got)
	}
}

func TestDetectRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change map[string]string
		want   upkeep.Code
	}{
		"no settings":      {map[string]string{"sites/default/settings.php": ""}, upkeep.CodeInvalid},
		"no database":      {map[string]string{"sites/default/settings.php": "<?php\n"}, upkeep.CodeInvalid},
		"not read":         {map[string]string{"sites/default/settings.php": "<?php\n$databases = json_decode(getenv('DB'), true);\n"}, upkeep.CodeUnreachable},
		"half a Drupal":    {map[string]string{"autoload.php": ""}, upkeep.CodeInvalid},
		"something else":   {map[string]string{"core/lib/Drupal.php": ""}, upkeep.CodeNotFound},
		"shared tables":    {map[string]string{"sites/default/settings.php": "<?php\n$databases['default']['default'] = array('driver' => 'mysql', 'database' => 'x', 'prefix' => array('default' => 'a_', 'users' => 'b_'));\n"}, upkeep.CodeInvalid},
		"a hostile prefix": {map[string]string{"sites/default/settings.php": "<?php\n$databases['default']['default'] = array('driver' => 'mysql', 'database' => 'x', 'prefix' => 'a; --');\n"}, upkeep.CodeInvalid},
	} {
		s := eight(t, c.change)
		if _, err := s.driver.Detect(t.Context(), s, s.root); upkeep.CodeOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A link to the folder of a site is another name of it, not another site.
func TestAnotherNameIsNoOtherSite(t *testing.T) {
	s := eight(t, nil)
	if err := os.Symlink("default", filepath.Join(s.root, "sites/shop.example")); err != nil {
		t.Fatal(err)
	}
	if got := blocking(s.detect().Findings); got != nil {
		t.Errorf("%q", got)
	}
}

func TestDetectRefusesSettingsThatAreALink(t *testing.T) {
	s := eight(t, nil)
	file := filepath.Join(s.root, "sites/default/settings.php")
	if err := errors.Join(os.Rename(file, filepath.Join(s.root, "sites/shared.php")), os.Symlink("../shared.php", file)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.driver.Detect(t.Context(), s, s.root); upkeep.CodeOf(err) != upkeep.CodeInvalid {
		t.Errorf("%v", err)
	}
}

// The gate keeps the site's own settings, also when it is asked for while it is
// closed.
func TestGateKeepsTheSettings(t *testing.T) {
	s := seven(t, nil)
	l := s.detect()
	for range 2 {
		gate, err := s.driver.Gate(t.Context(), s, l, strings.Repeat("t", 32))
		if err != nil {
			t.Fatal(err)
		}
		if string(gate.Files[1].Content) != settingsOf || filepath.Base(gate.Files[0].Path) != "settings.php" || gate.Modes[0].Mode&0o222 != 0 {
			t.Errorf("gate %+v", gate)
		}
		for _, file := range gate.Files {
			if err := os.WriteFile(file.Path, file.Content, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		s.detect() // finds the database through the gate
	}
}

func TestStage(t *testing.T) {
	core := upkeep.Component{Kind: upkeep.Core, ID: "core", Slug: "drupal"}
	for name, c := range map[string]struct {
		site    *small
		kind    upkeep.Component
		version upkeep.Version
		top     string
		files   map[string]string
		want    upkeep.Code
	}{
		"core 7":            {seven(t, nil), core, "7.105", "drupal-7.105", sevenFiles("7.105"), ""},
		"core 10":           {eight(t, nil), core, "10.1.4", "drupal-10.1.4", eightFiles("10.1.4"), ""},
		"another version":   {eight(t, nil), core, "10.1.4", "drupal-10.1.4", eightFiles("10.1.3"), upkeep.CodeRefused},
		"not complete":      {eight(t, nil), core, "10.1.4", "drupal-10.1.4", with(eightFiles("10.1.4"), "vendor/autoload.php", ""), upkeep.CodeRefused},
		"a newer PHP":       {eight(t, nil), core, "10.1.4", "drupal-10.1.4", with(eightFiles("10.1.4"), "core/lib/Drupal.php", "<?php\n  const VERSION = '10.1.4';\n  const MINIMUM_PHP = '8.3.0';\n"), upkeep.CodeRefused},
		"libraries go":      {eight(t, map[string]string{"composer.json": `{"require": {"league/csv": "^9"}}`}), core, "10.1.4", "drupal-10.1.4", eightFiles("10.1.4"), upkeep.CodeRefused},
		"module":            {seven(t, nil), upkeep.Component{Kind: upkeep.Plugin, ID: "token", Slug: "token"}, "7.x-1.8", "token", map[string]string{"token.info": strings.Replace(tokenInfo, "1.7", "1.8", 1)}, ""},
		"module that lies":  {seven(t, nil), upkeep.Component{Kind: upkeep.Plugin, ID: "token", Slug: "token"}, "7.x-1.8", "token", map[string]string{"token.info": tokenInfo}, upkeep.CodeRefused},
		"another's project": {seven(t, nil), upkeep.Component{Kind: upkeep.Plugin, ID: "token", Slug: "other"}, "7.x-1.7", "token", map[string]string{"token.info": tokenInfo}, upkeep.CodeRefused},
		"another module":    {seven(t, nil), upkeep.Component{Kind: upkeep.Plugin, ID: "other", Slug: "token"}, "7.x-1.7", "token", map[string]string{"token.info": tokenInfo}, upkeep.CodeRefused},
	} {
		t.Run(name, func(t *testing.T) {
			unpacked := filepath.Join(c.site.dir, "unpacked")
			plant(t, filepath.Join(unpacked, c.top), c.files)
			c.kind.Path = c.site.root
			if c.kind.Kind != upkeep.Core {
				c.kind.Path = filepath.Join(c.site.root, "sites/all/modules/token")
			}
			staged, err := c.site.driver.Stage(t.Context(), c.site, c.site.detect(), upkeep.Update{Component: c.kind, Release: upkeep.Release{Version: c.version}}, unpacked)
			if upkeep.CodeOf(err) != c.want {
				t.Fatalf("%v", err)
			}
			if err != nil {
				return
			}
			last := staged.Moves[len(staged.Moves)-1].To
			if c.kind.Kind == upkeep.Core && filepath.Base(last) != map[string]string{"core 7": "includes", "core 10": "core"}[name] {
				t.Errorf("the version is not last: %s", last)
			}
			for _, move := range staged.Moves {
				if strings.HasPrefix(move.To, filepath.Join(c.site.root, "sites")) != (c.kind.Kind != upkeep.Core) || move.To == filepath.Join(c.site.root, "modules") {
					t.Errorf("takes the place of %s", move.To)
				}
			}
		})
	}
}

// What an owner took away from the root is neither missed nor brought back, and
// what was changed by hand is found.
func TestIntegrity(t *testing.T) {
	original := upkeep.Original{Files: map[string][]string{}}
	for name, text := range sevenFiles("7.98") {
		original.Files[name] = []string{fmt.Sprintf("%x", sha256.Sum256([]byte(text)))}
	}
	original.Files[".htaccess"], original.Files["xmlrpc.php"] = []string{strings.Repeat("0", 64)}, []string{strings.Repeat("0", 64)}
	for name, c := range map[string]struct {
		change map[string]string
		want   []string
	}{
		"as released":      {map[string]string{".htaccess": "own"}, nil},
		"changed":          {map[string]string{"includes/common.inc": "<?php // own"}, []string{"modified core"}},
		"changed XML-RPC":  {map[string]string{"xmlrpc.php": "<?php // own"}, []string{"modified core"}},
		"more than that":   {map[string]string{"misc/own.php": "<?php // own", "modules/own/own.module": "<?php // own"}, nil},
		"no part is there": {map[string]string{"index.php": ""}, []string{"modified core"}},
	} {
		s := seven(t, c.change)
		found, err := s.driver.Integrity(t.Context(), s, s.detect(), map[string]upkeep.Original{"core": original})
		if got := blocking(found); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q %v", name, got, err)
		}
		if unknown := slices.ContainsFunc(found, func(f upkeep.Finding) bool { return f.Code == "unknown_file" }); unknown != (name == "more than that") {
			t.Errorf("%s: %+v", name, found)
		}
	}
}

func with(files map[string]string, name, text string) map[string]string {
	files[name] = text
	return files
}

func TestVersions(t *testing.T) {
	order := []string{"7.x-1.x-dev", "7.x-1.0-alpha1", "7.x-1.0-beta2", "7.x-1.0-rc1", "7.x-1.0", "7.x-1.9", "7.x-1.10", "7.x-2.0-beta1", "7.x-2.0"}
	for i := range order {
		for j := range order {
			if got := drupal.CompareVersions(order[i], order[j]); (got < 0) != (i < j) || (got == 0) != (i == j) {
				t.Errorf("%s and %s: %d", order[i], order[j], got)
			}
		}
	}
	if drupal.CompareVersions("8.x-2.3", "3.0.0") >= 0 || drupal.CompareVersions("10.1.0", "9.5.11") <= 0 {
		t.Error("majors")
	}
	if !drupal.Meets("10.2.1", "^9.5 || ^10") || drupal.Meets("11.0.0", "^9.5 || ^10") {
		t.Error("constraints")
	}
}
