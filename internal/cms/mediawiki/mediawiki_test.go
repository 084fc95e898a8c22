package mediawiki_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/agent/place"
	"upkeep/internal/cms"
	"upkeep/internal/cms/mediawiki"
	"upkeep/internal/demo/wikimedia"
)

var made = time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)

// host lends folders as the agent does, and has no PHP: what the tests below
// ask for must be known without. Its database has the columns that columns
// names.
type host struct {
	places  *place.Places
	columns []string // "page.page_id"
}

func (h *host) Open(dir string) (*os.Root, error) { return h.places.Open(dir) }

func (h *host) Query(_ context.Context, _ *cms.Database, query string, _ ...any) ([][][]byte, error) {
	var rows [][][]byte
	for _, part := range strings.Split(query, " UNION ALL ") {
		table, columns, _ := strings.Cut(strings.TrimPrefix(part, "SELECT 1 FROM `"), "` WHERE FALSE AND (FALSE OR ")
		for name := range strings.SplitSeq(strings.TrimSuffix(columns, ")"), " OR ") {
			name, _, ok := strings.Cut(strings.TrimPrefix(name, "`"), "` IS NULL")
			if ok && !slices.Contains(h.columns, table+"."+name) {
				return nil, upkeep.Errorf(upkeep.CodeInternal, "unknown column %s.%s", table, name)
			}
		}
	}
	if strings.Contains(query, "column_name") || strings.Contains(query, "pragma_table_info") {
		for _, name := range h.columns {
			table, column, _ := strings.Cut(name, ".")
			rows = append(rows, [][]byte{[]byte(table), []byte(column)})
		}
	}
	if strings.Contains(query, "%updatelog") {
		rows = [][][]byte{{[]byte("mw_updatelog")}, {[]byte("other_updatelog")}}
	}
	return rows, nil
}

func (h *host) PHP(_ context.Context, _ cms.Script, _, output any) error {
	if version, ok := output.(*upkeep.Version); ok {
		*version = "8.2.30"
		return nil
	}
	return upkeep.Errorf(upkeep.CodeUnreachable, "no php")
}

// Swap moves, and forgets what was there.
func (h *host) Swap(_ context.Context, target, source string) error {
	if _, err := os.Lstat(source); err != nil {
		return nil // repeated
	}
	return errors.Join(os.RemoveAll(target), os.MkdirAll(filepath.Dir(target), 0o755), os.Rename(source, target))
}

func (h *host) Remove(_ context.Context, target string) error { return os.RemoveAll(target) }

// siteFiles are those of a small MediaWiki of a version.
func siteFiles(version string) map[string]string {
	files := map[string]string{
		"includes/Defines.php": "<?php\ndefine( 'MW_VERSION', '" + version + "' );\n", "includes/PHPVersionCheck.php": "<?php\n\t\t$minimumVersion = '8.1.0';\n",
		"maintenance/update.php":  "<?php // Can not upgrade from versions older than 1.35, please upgrade to that version or later first.",
		"maintenance/tables.json": `[{"name":"page","columns":[{"name":"page_id"},{"name":"page_title"}]},{"name":"searchindex","columns":[{"name":"si_page"}]}]`,
		"languages/i18n/en.json":  "{}", "vendor/autoload.php": "<?php", "images/README": "x", "RELEASE-NOTES-" + version[:4]: "x",
		"extensions/Cite/extension.json": `{"name":"Cite","type":"parserhook"}`, "extensions/README": "x",
		"skins/Vector/skin.json": `{"name":"Vector","version":"1.0.0"}`, "resources/assets/logo.png": "new",
	}
	for _, name := range []string{
		"index.php", "api.php", "load.php", "autoload.php", "includes/Setup.php", "includes/WebStart.php", "includes/AutoLoader.php",
		"maintenance/Maintenance.php", "resources/Resources.php", "mw-config/index.php",
	} {
		files[name] = "<?php // " + version
	}
	return files
}

const staticSettings = `<?php
if ( !defined( 'MEDIAWIKI' ) ) { exit; }
require_once "$IP/includes/PlatformSettings.php";
$wgServer = 'https://wiki.example'; $wgScriptPath = '/w';
$wgDBtype = 'mysql'; $wgDBserver = 'localhost:/run/db.sock'; $wgDBname = 'wiki'; $wgDBuser = 'u'; $wgDBpassword = 'p'; $wgDBprefix = 'mw_';
$wgObjectCaches[CACHE_DB] = [ 'class' => SqlBagOStuff::class ];
$wgGroupPermissions['*']['edit'] = false;
wfLoadSkin( 'Vector' );
wfLoadExtensions( [ 'Cite', 'Tally' ] );
`

func plant(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
}

// site is a planted site with its layout.
type site struct {
	*host
	t         *testing.T
	driver    *mediawiki.Driver
	dir, root string
	layout    *cms.Layout
}

// newSite plants a site that has, besides, what change says: "" takes away.
func newSite(t *testing.T, change map[string]string) *site {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	h := &host{places: place.New(dir), columns: []string{"mw_page.page_id", "mw_page.page_title"}}
	s := &site{host: h, t: t, driver: mediawiki.New(), dir: dir, root: filepath.Join(dir, "wiki")}
	files := siteFiles("1.39.17")
	files["LocalSettings.php"] = staticSettings
	for name, text := range wikimedia.Extension("1.39", made).Files() {
		files["extensions/Tally/"+name] = text
	}
	for name, text := range change {
		if files[name] = text; text == "" {
			delete(files, name)
		}
	}
	plant(t, s.root, files)
	return s
}

func (s *site) detect() *cms.Layout {
	s.t.Helper()
	l, err := s.driver.Detect(s.t.Context(), s, s.root)
	if err != nil {
		s.t.Fatal(err)
	}
	s.layout = l
	return l
}

func (s *site) inventory() *upkeep.Inventory {
	s.t.Helper()
	s.detect()
	inventory, err := s.driver.Inventory(s.t.Context(), s, s.layout)
	if err != nil {
		s.t.Fatal(err)
	}
	return inventory
}

func TestDetectReadsWithoutPHP(t *testing.T) {
	s := newSite(t, nil)
	l := s.detect()
	db := l.Database
	if db.Engine != "mariadb" || db.Socket != "/run/db.sock" || db.Host != "localhost" || db.Name != "wiki" || db.Prefix != "mw_" || !slices.Equal(db.Neighbours, []string{"other_"}) {
		t.Errorf("%+v", db)
	}
	if l.Options["home"] != "https://wiki.example/w/" || len(l.Findings) > 0 || len(l.Areas) != 1 {
		t.Errorf("%+v", l)
	}
	for text, want := range map[string]string{
		"$wgDBtype = 'postgres'; $wgDBserver = 'db'; $wgDBport = 5433; $wgDBmwschema = 'wiki';": "postgresql db 5433 wiki",
		"$wgDBtype = 'mysql'; $wgDBserver = 'db:3307';":                                         "mariadb db 3307 ",
		"$wgDBtype = 'mysql'; $wgDBserver = '[::1]:3307';":                                      "mariadb ::1 3307 ",
	} {
		s := newSite(t, map[string]string{"LocalSettings.php": staticSettings + text})
		db := s.detect().Database
		if got := strings.Join([]string{db.Engine, db.Host, upkeep.SiteID(db.Port).String(), db.Schema}, " "); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestDetectSQLite(t *testing.T) {
	s := newSite(t, nil)
	plant(t, s.dir, map[string]string{"data/wiki.sqlite": "", "data/wiki_jobqueue.sqlite": "", "data/.htaccess": "Deny"})
	plant(t, s.root, map[string]string{"LocalSettings.php": staticSettings + "$wgDBtype = 'sqlite'; $wgDBprefix = ''; $wgSQLiteDataDir = dirname( $IP ) . '/data';"})
	l := s.detect()
	if l.Database.File != filepath.Join(s.dir, "data/wiki.sqlite") || !slices.Equal(l.Database.Files, []string{filepath.Join(s.dir, "data/wiki_jobqueue.sqlite")}) {
		t.Errorf("%+v", l.Database)
	}
	if len(l.Areas) != 2 || l.Areas[1].Dir != filepath.Join(s.dir, "data") {
		t.Errorf("%+v", l.Areas)
	}
}

func TestWhatIsNotMediaWiki(t *testing.T) {
	for missing, want := range map[string]upkeep.Code{
		"load.php": upkeep.CodeNotFound, "includes/Defines.php": upkeep.CodeInvalid, "LocalSettings.php": upkeep.CodeInvalid,
	} {
		s := newSite(t, map[string]string{missing: ""})
		if _, err := s.driver.Detect(t.Context(), s, s.root); upkeep.CodeOf(err) != want {
			t.Errorf("without %s: %v", missing, err)
		}
	}
}

// findings are the codes of those that block, with what they are about.
func findings(all []upkeep.Finding) string {
	var codes []string
	for _, f := range all {
		if f.Blocks {
			codes = append(codes, strings.TrimSuffix(f.Code+" "+f.Component, " "))
		}
	}
	slices.Sort(codes)
	return strings.Join(codes, "; ")
}

func TestInventory(t *testing.T) {
	s := newSite(t, map[string]string{
		"extensions/Old/Old.php":             "<?php\n$wgExtensionCredits['other'][] = array( 'name' => 'Old', 'version' => '2.3' );\n",
		"extensions/Off/extension.json":      `{"name":"Off","version":2.5}`,
		"extensions/Semantic/extension.json": `{"name":"Semantic","version":"4.0"}`,
		"extensions/notes/readme.txt":        "no extension",
		"composer.local.json":                "{}",
		"vendor/composer/installed.json":     `{"packages":[{"type":"mediawiki-extension","install-path":"../../extensions/Semantic"},{"type":"library","install-path":"../x/y"}]}`,
		"extensions/Own/.git/HEAD":           "x",
		"extensions/Own/extension.json":      `{"name":"Own Thing"}`,
	})
	inventory := s.inventory()
	var got []string
	for i := range inventory.Components {
		c := &inventory.Components[i]
		line := c.Ref() + " " + string(c.Version)
		if c.Active {
			line += " on"
		}
		got = append(got, line)
	}
	want := []string{"core 1.39.17 on", "plugin:Cite  on", "plugin:Off 2.5", "plugin:Old 2.3", "plugin:Own ", "plugin:Semantic 4.0", "plugin:Tally 1.39-20240506070809 on", "theme:Vector 1.0.0 on"}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if got := findings(inventory.Findings); got != "composer_managed core; composer_managed plugin:Semantic; version_control plugin:Own" {
		t.Errorf("findings %s", got)
	}
	if inventory.Schema.Pending {
		t.Errorf("%+v", inventory.Schema)
	}
	s.columns = s.columns[:1]
	if schema := s.inventory().Schema; !schema.Pending || !strings.Contains(schema.Database, "mw_page.page_title") {
		t.Errorf("%+v", schema)
	}
}

func TestGateKeepsTheConfiguration(t *testing.T) {
	s := newSite(t, nil)
	s.detect()
	if err := os.Chmod(filepath.Join(s.root, "LocalSettings.php"), 0o640); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it is closed
		gate, err := s.driver.Gate(t.Context(), s, s.layout, strings.Repeat("t", 20))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range gate.Files {
			waits := filepath.Base(file.Path) == "LocalSettings.upkeep.php"
			if waits && string(file.Content) != staticSettings || !waits && !strings.Contains(string(file.Content), "UPKEEP_AT_WORK") || file.Mode != 0o440 {
				t.Errorf("%s %o: %.80s", file.Path, file.Mode, file.Content)
			}
			_ = os.Remove(file.Path) // read-only, or not there
			if err := os.WriteFile(file.Path, file.Content, file.Mode); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Remove(filepath.Join(s.root, "LocalSettings.upkeep.php")); err != nil {
			t.Fatal(err) // what dies between the two files leaves it like that
		}
		if l := s.detect(); l.Database.Name != "wiki" {
			t.Errorf("behind the gate: %+v", l)
		}
	}
	if _, err := s.driver.Gate(t.Context(), s, s.layout, "short"); upkeep.CodeOf(err) != upkeep.CodeInvalid {
		t.Error(err)
	}
}

// stage plants a package and stages it for an update to version.
func (s *site) stage(c upkeep.Component, version, top string, files map[string]string) (*cms.Staged, error) {
	s.t.Helper()
	dir := filepath.Join(s.dir, "package-"+top)
	if err := os.RemoveAll(dir); err != nil {
		s.t.Fatal(err)
	}
	plant(s.t, filepath.Join(dir, top), files)
	update := upkeep.Update{Component: c, Release: upkeep.Release{Kind: c.Kind, Version: upkeep.Version(version)}}
	return s.driver.Stage(s.t.Context(), s, s.layout, update, dir)
}

func TestStageRefuses(t *testing.T) {
	s := newSite(t, nil)
	inventory := s.inventory()
	core, old := *inventory.Core(), *inventory.Core()
	old.Version = "1.31.2"
	tally := inventory.Components[2]
	next := wikimedia.Extension("1.39", made.AddDate(0, 1, 0))
	with := func(files map[string]string, name, text string) map[string]string {
		files = maps.Clone(files)
		if files[name] = text; text == "" {
			delete(files, name)
		}
		return files
	}
	good := siteFiles("1.43.9")
	for name, c := range map[string]struct {
		component    upkeep.Component
		version, top string
		files        map[string]string
		ok           bool
	}{
		"a release":              {core, "1.43.9", "mediawiki-1.43.9", good, true},
		"another version":        {core, "1.43.8", "mediawiki-1.43.9", good, false},
		"half a release":         {core, "1.43.9", "mediawiki-1.43.9", with(good, "vendor/autoload.php", ""), false},
		"a configuration":        {core, "1.43.9", "mediawiki-1.43.9", with(good, "LocalSettings.php", "<?php"), false},
		"too far behind":         {old, "1.43.9", "mediawiki-1.43.9", good, false},
		"a newer PHP":            {core, "1.43.9", "mediawiki-1.43.9", with(good, "includes/PHPVersionCheck.php", "<?php $minimumVersion = '8.4.0';"), false},
		"an extension":           {tally, string(next.Version()), "Tally", next.Files(), true},
		"another extension":      {tally, string(next.Version()), "Tall", next.Files(), false},
		"an older commit":        {tally, string(next.Version()), "Tally", next.With(wikimedia.Lies).Files(), false},
		"an extension's own PHP": {tally, string(next.Version()), "Tally", with(next.Files(), "extension.json", `{"name":"Tally","requires":{"platform":{"php":">= 8.4"}}}`), false},
	} {
		if _, err := s.stage(c.component, c.version, c.top, c.files); (err == nil) != c.ok || err != nil && upkeep.CodeOf(err) != upkeep.CodeRefused {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestApplyKeepsWhatIsTheOwners(t *testing.T) {
	s := newSite(t, map[string]string{
		"images/a.png": "mine", "resources/assets/own.svg": "mine", "resources/old.js": "gone", "includes/Old.php": "gone", "extensions/Cite/old.php": "gone",
		"composer.local.json": "{}", "robots.txt": "mine", "profileinfo.php": "gone",
	})
	core := *s.inventory().Core()
	staged, err := s.stage(core, "1.43.9", "mediawiki-1.43.9", siteFiles("1.43.9"))
	if err != nil {
		t.Fatal(err)
	}
	if last := staged.Moves[len(staged.Moves)-1].To; last != filepath.Join(s.root, "includes") {
		t.Errorf("the version is not last: %s", last)
	}
	for range 2 {
		if err := s.driver.Apply(t.Context(), s, s.layout, []cms.Staged{*staged}); err != nil {
			t.Fatal(err)
		}
	}
	for name, there := range map[string]bool{
		"images/a.png": true, "resources/assets/own.svg": true, "composer.local.json": true, "robots.txt": true, "extensions/Tally/extension.json": true,
		"LocalSettings.php": true, "resources/assets/logo.png": true, "RELEASE-NOTES-1.43": true,
		"resources/old.js": false, "includes/Old.php": false, "extensions/Cite/old.php": false, "profileinfo.php": false, "RELEASE-NOTES-1.39": false,
	} {
		if _, err := os.Lstat(filepath.Join(s.root, name)); (err == nil) != there {
			t.Errorf("%s: there %v, want %v", name, err == nil, there)
		}
	}
	if got := s.inventory().Core().Version; got != "1.43.9" {
		t.Errorf("is now %s", got)
	}
}

func TestVersions(t *testing.T) {
	ordered := []string{"1.35.14", "1.39-20240101000000", "1.39-20240506070809", "1.39.17", "1.43-20230101000000", "1.43.0-rc.0", "1.43.0", "1.43.9", "1.43.10"}
	for i, a := range ordered {
		for j, b := range ordered {
			got := mediawiki.CompareVersions(a, b)
			// A snapshot and a release are never compared.
			if strings.Contains(a, "-2") == strings.Contains(b, "-2") && (got < 0) != (i < j) {
				t.Errorf("%s %s: %d", a, b, got)
			}
		}
	}
	for text, want := range map[string]string{
		"Cite: REL1_43\n2024-12-01T10:53:27\n\nb7e0a3b\n": "1.43-20241201105327", "Cite: master\n2024-12-01T10:53:27\n\nb7e0a3b\n": "", "2.1": "", "": "",
	} {
		if got := mediawiki.Snapshot([]byte(text)); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}
