package dokuwiki_test

import (
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
	"upkeep/internal/cms/dokuwiki"
)

// host lends folders as the agent does, and has no PHP: what the tests below
// ask for must be known without.
type host struct {
	places *place.Places
	asked  []string // scripts
}

func (h *host) Open(dir string) (*os.Root, error) { return h.places.Open(dir) }

func (h *host) Query(context.Context, *cms.Database, string, ...any) ([][][]byte, error) {
	return nil, errors.New("there is no database")
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
	if _, err := os.Lstat(source); err != nil {
		return nil // repeated
	}
	return errors.Join(os.RemoveAll(target), os.MkdirAll(filepath.Dir(target), 0o755), os.Rename(source, target))
}

func (h *host) Remove(_ context.Context, target string) error { return os.RemoveAll(target) }

// wikiFiles are those of a small DokuWiki of a version.
func wikiFiles(version string) map[string]string {
	files := map[string]string{
		"VERSION": version + " \"Testing\"\n", "doku.php": "<?php\n$updateVersion = \"57.2\";\n", "feed.php": "<?php", "index.php": "<?php", "README": version,
		"inc/init.php": "<?php // " + version, "inc/load.php": "<?php", "inc/parserutils.php": "<?php", "inc/config_cascade.php": "<?php", "inc/lang/en/lang.php": "<?php",
		"lib/exe/ajax.php": "<?php", "lib/exe/css.php": "<?php", "lib/exe/fetch.php": "<?php", "lib/plugins/action.php": "<?php",
		"conf/dokuwiki.php":         "<?php\n$conf['savedir'] = './data';\n$conf['template'] = 'dokuwiki';\n$conf['authtype'] = 'authplain';\n$conf['cachetime'] = 60*60*24;\n$conf['start'] = 'start';\n",
		"conf/plugins.required.php": "<?php\n$plugins['acl'] = 1;\n", "conf/plugins.php": "<?php\n$plugins['testing'] = 0;\n", "conf/mime.conf": version,
		"vendor/autoload.php": "<?php", "data/deleted.files": "# gone\ninc/old.php\ninc/lang/xx/\nlib/plugins/acl/old.php\n", "data/log/_dummy": "x", "data/pages/wiki/syntax.txt": version,
		"lib/plugins/acl/plugin.info.txt": "base acl\nauthor A\ndate 2015-07-25\nname ACL Manager\n", "lib/plugins/config/plugin.info.txt": "base config\ndate 2015-07-18\n",
		"lib/tpl/dokuwiki/main.php": "<?php // " + version, "lib/tpl/dokuwiki/template.info.txt": "base dokuwiki\ndate 2015-07-26\nname DokuWiki Template\n",
		"install.php": "<?php if (version_compare(phpversion(), '7.2.0', '<')) die();", "bin/indexer.php": "<?php",
	}
	return files
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

// wiki is a planted site with its layout.
type wiki struct {
	*host
	t      *testing.T
	driver *dokuwiki.Driver
	dir    string // of everything
	root   string
	layout *cms.Layout
}

// newWiki plants a site that has, besides, what change says: "" takes away.
func newWiki(t *testing.T, change map[string]string) *wiki {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := &wiki{host: &host{places: place.New(dir)}, t: t, driver: dokuwiki.New(), dir: dir, root: filepath.Join(dir, "wiki")}
	files := wikiFiles("2025-05-14a")
	delete(files, "install.php")
	delete(files, "data/log/_dummy")
	files["conf/local.php"] = "<?php\n$conf['title'] = 'x';\n$conf['plugin']['a']['b'] = 1;\n"
	files["data/pages/start.txt"] = "mine"
	files["inc/old.php"], files["inc/lang/xx/lang.php"] = "<?php", "<?php"
	for name, text := range change {
		if files[name] = text; text == "" {
			delete(files, name)
		}
	}
	plant(t, w.root, files)
	return w
}

func (w *wiki) detect() *cms.Layout {
	w.t.Helper()
	l, err := w.driver.Detect(w.t.Context(), w, w.root)
	if err != nil {
		w.t.Fatal(err)
	}
	w.layout = l
	return l
}

func (w *wiki) inventory() *upkeep.Inventory {
	w.t.Helper()
	inv, err := w.driver.Inventory(w.t.Context(), w, w.detect())
	if err != nil {
		w.t.Fatal(err)
	}
	return inv
}

func TestDetect(t *testing.T) {
	w := newWiki(t, nil)
	l := w.detect()
	if l.CMS != upkeep.DokuWiki || l.Database != nil || len(l.Areas) != 1 || l.Options["template"] != "dokuwiki" || len(w.asked) > 0 {
		t.Errorf("%+v, asked %v", l, w.asked)
	}
	outside := newWiki(t, map[string]string{"conf/local.protected.php": "<?php\n$conf['savedir'] = '" + filepath.Join(w.dir, "pages") + "';\n"})
	plant(t, w.dir, map[string]string{"pages/pages/start.txt": "x"})
	l = outside.detect()
	if !slices.ContainsFunc(l.Areas, func(a cms.Area) bool { return a.Dir == filepath.Join(w.dir, "pages") }) {
		t.Errorf("data outside is no area: %+v", l.Areas)
	}
	for name, change := range map[string]map[string]string{
		"nothing": {"doku.php": ""}, "half": {"inc/init.php": ""},
	} {
		_, err := newWiki(t, change).driver.Detect(t.Context(), w, newWiki(t, change).root)
		if upkeep.CodeOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDetectRefusesFoldersOfOthers(t *testing.T) {
	w := newWiki(t, map[string]string{"conf/local.php": "<?php\n$conf['savedir'] = '/etc';\n"})
	l := w.detect()
	// Tests run as root, to whom the planted site belongs: /etc alone is nobody's.
	if slices.ContainsFunc(l.Areas, func(a cms.Area) bool { return a.Dir == "/etc" }) || !hasFinding(l.Findings, "area_refused") {
		t.Errorf("areas %+v, findings %+v", l.Areas, l.Findings)
	}
}

func hasFinding(findings []upkeep.Finding, code string) bool {
	return slices.ContainsFunc(findings, func(f upkeep.Finding) bool { return f.Code == code })
}

func TestDetectAsksPHPForWhatCannotBeRead(t *testing.T) {
	for name, change := range map[string]map[string]string{
		"config":  {"conf/local.php": "<?php\n$conf['savedir'] = getenv('X');\n"},
		"preload": {"inc/preload.php": "<?php define('DOKU_CONF', where());\n"},
		"cascade": {"inc/preload.php": "<?php $config_cascade = array('main' => array());\n"},
	} {
		w := newWiki(t, change)
		_, err := w.driver.Detect(t.Context(), w, w.root)
		if upkeep.CodeOf(err) != upkeep.CodeUnreachable || !slices.Equal(w.asked, []string{"config.php"}) {
			t.Errorf("%s: %v, asked %v", name, err, w.asked)
		}
	}
}

func TestFindsWhoElseUpdates(t *testing.T) {
	w := newWiki(t, map[string]string{".git/HEAD": "x", "inc/preload.php": "<?php\ndefine('DOKU_FARMDIR', '/srv/farm');\n", "lib/plugins/own/.git/HEAD": "x", "lib/plugins/own/plugin.info.txt": "base own\n"})
	findings := append(w.detect().Findings, w.inventory().Findings...)
	for _, code := range []string{"version_control", "farm"} {
		if !hasFinding(findings, code) {
			t.Errorf("no %s in %+v", code, findings)
		}
	}
}

func TestInventory(t *testing.T) {
	w := newWiki(t, map[string]string{
		"conf/plugins.local.php":          "<?php\n$plugins['off'] = 0;\n$plugins['acl'] = 0;\n",
		"lib/plugins/off/plugin.info.txt": "base   off\ndate   2024-01-01 # as released\nname   Off \\# On\nurl https://x/#a&#b\n",
		"lib/plugins/bare/action.php":     "<?php", "lib/plugins/moved-master/plugin.info.txt": "base moved\ndate 2020-01-01\n",
		"lib/tpl/other/template.info.txt": "\xef\xbb\xbfBASE other\r\ndate 2023-03-03\r\n", "lib/plugins/.hidden/plugin.info.txt": "base x\n",
	})
	var got []string
	inv := w.inventory()
	for i := range inv.Components {
		c := &inv.Components[i]
		got = append(got, c.Ref()+" "+string(c.Version)+map[bool]string{true: " on", false: ""}[c.Active]+map[bool]string{true: " bundled", false: ""}[c.Headers["bundled"] != ""])
	}
	want := []string{
		"core 2025-05-14a on", "plugin:acl 2015-07-25 on bundled", "plugin:bare  on", "plugin:config 2015-07-18 on bundled",
		"plugin:moved-master 2020-01-01 on", "plugin:off 2024-01-01", "theme:dokuwiki 2015-07-26 on bundled", "theme:other 2023-03-03",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if core := inv.Core(); core.Headers["update_version"] != "57.2" || core.Headers["codename"] != "Testing" {
		t.Errorf("core says %v", core.Headers)
	}
	for _, code := range []string{"info_missing", "wrong_folder"} {
		if !hasFinding(inv.Findings, code) {
			t.Errorf("no %s in %+v", code, inv.Findings)
		}
	}
	if off := inv.Components[5]; off.Name != "Off # On" {
		t.Errorf("name %q", off.Name)
	}
}

func TestVersionsAreDates(t *testing.T) {
	ascending := []string{"rc2026-06-09", "2026-06-09", "2026-07-14", "2026-07-14a", "2026-07-14b", "2027-01-01"}
	for i := range ascending[1:] {
		if dokuwiki.CompareVersions(ascending[i], ascending[i+1]) >= 0 || dokuwiki.CompareVersions(ascending[i+1], ascending[i]) <= 0 {
			t.Errorf("%s, %s", ascending[i], ascending[i+1])
		}
	}
	if dokuwiki.Branch("2026-07-14b") != "2026-07-14" || dokuwiki.Branch("2026-07-14") != "2026-07-14" || dokuwiki.Branch("") != "" {
		t.Error("branch")
	}
}

// stage unpacks nothing: files are the package below its top folder.
func (w *wiki) stage(ref, version, top string, files map[string]string) (*cms.Staged, error) {
	w.t.Helper()
	inv := w.inventory()
	at := slices.IndexFunc(inv.Components, func(c upkeep.Component) bool { return c.Ref() == ref })
	if at < 0 {
		w.t.Fatalf("no %s", ref)
	}
	dir := filepath.Join(w.dir, "staged-"+strings.ReplaceAll(ref+version, ":", "-"))
	plant(w.t, filepath.Join(dir, top), files)
	update := upkeep.Update{Component: inv.Components[at], Release: upkeep.Release{Version: upkeep.Version(version)}}
	return w.driver.Stage(w.t.Context(), w, w.layout, update, dir)
}

func TestCoreGoesOverWhatIsThere(t *testing.T) {
	w := newWiki(t, map[string]string{
		"inc/preload.php": "<?php // own\n", "conf/mime.local.conf": "own", "conf/userstyle.css": "own", "lib/images/smileys/local.gif": "own",
		"lib/tpl/dokuwiki/footer.html": "own", "lib/plugins/mine/plugin.info.txt": "base mine\ndate 2020-01-01\n", "lib/plugins/acl/old.php": "<?php", "vendor/.htaccess": "own",
	})
	files := wikiFiles("2026-07-14b")
	files["inc/fresh.php"], files["lib/images/smileys/new.gif"] = "<?php", "new"
	staged, err := w.stage("core", "2026-07-14b", "dokuwiki-2026-07-14b", files)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // repeating is harmless
		if err := w.driver.Apply(t.Context(), w, w.layout, []cms.Staged{*staged}); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"VERSION": "2026-07-14b \"Testing\"\n", "inc/init.php": "<?php // 2026-07-14b", "inc/preload.php": "<?php // own\n", "conf/mime.local.conf": "own", "conf/mime.conf": "2026-07-14b",
		"conf/userstyle.css": "own", "lib/images/smileys/local.gif": "own", "lib/images/smileys/new.gif": "new", "lib/tpl/dokuwiki/footer.html": "own", "vendor/.htaccess": "own",
		"lib/plugins/mine/plugin.info.txt": "base mine\ndate 2020-01-01\n", "data/pages/start.txt": "mine", "data/pages/wiki/syntax.txt": "2025-05-14a", "data/log/_dummy": "x", "inc/fresh.php": "<?php",
		"conf/local.php": "<?php\n$conf['title'] = 'x';\n$conf['plugin']['a']['b'] = 1;\n",
	} {
		if got, err := os.ReadFile(filepath.Join(w.root, name)); err != nil || string(got) != want {
			t.Errorf("%s is %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"inc/old.php", "inc/lang/xx", "lib/plugins/acl/old.php", "install.php"} {
		if _, err := os.Lstat(filepath.Join(w.root, name)); err == nil {
			t.Errorf("%s is there", name)
		}
	}
	last := staged.Moves[len(staged.Moves)-2:]
	if filepath.Base(last[0].To) != "VERSION" || filepath.Base(last[1].To) != "doku.php" {
		t.Errorf("last are %+v", last)
	}
}

func TestExtensionGoesOverWhatIsThere(t *testing.T) {
	w := newWiki(t, map[string]string{"lib/plugins/mine/plugin.info.txt": "base mine\ndate 2020-01-01\n", "lib/plugins/mine/manager.dat": "installed=x", "lib/plugins/mine/gone.php": "<?php", "lib/plugins/mine/a/b.txt": "own"})
	staged, err := w.stage("plugin:mine", "2021-01-01", "dokuwiki-plugin-mine-master", map[string]string{
		"plugin.info.txt": "base mine\ndate 2021-02-02\n", "action.php": "<?php", "deleted.files": "gone.php\n", "a/c.txt": "new",
	})
	if err != nil {
		t.Fatal(err)
	}
	if staged.Update.Release.Version != "2021-02-02" { // newer than the repository knew
		t.Errorf("staged %s", staged.Update.Release.Version)
	}
	if err := w.driver.Apply(t.Context(), w, w.layout, []cms.Staged{*staged}); err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, name := range []string{"manager.dat", "action.php", "gone.php", "a/b.txt", "a/c.txt"} {
		_, err := os.Lstat(filepath.Join(w.root, "lib/plugins/mine", name))
		got[name] = err == nil
	}
	if want := map[string]bool{"manager.dat": true, "action.php": true, "gone.php": false, "a/b.txt": true, "a/c.txt": true}; !maps.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

func TestStageRefuses(t *testing.T) {
	core := func(change map[string]string) map[string]string {
		files := wikiFiles("2026-07-14b")
		for name, text := range change {
			if files[name] = text; text == "" {
				delete(files, name)
			}
		}
		return files
	}
	plugin := func(info string) map[string]string {
		return map[string]string{"plugin.info.txt": info, "action.php": "<?php"}
	}
	for _, test := range []struct {
		name, ref string
		files     map[string]string
		want      string
	}{
		{"incomplete", "core", core(map[string]string{"inc/load.php": ""}), "not a complete release"},
		{"another version", "core", core(map[string]string{"VERSION": "2020-07-29\n"}), "promised"},
		{"brings a preload", "core", core(map[string]string{"inc/preload.php": "<?php"}), "inc/preload.php"},
		{"brings accounts", "core", core(map[string]string{"conf/users.auth.php": "x"}), "conf/users.auth.php"},
		{"brings settings", "core", core(map[string]string{"conf/mime.local.conf": "x"}), "conf/mime.local.conf"},
		{"brings a web server's settings", "core", core(map[string]string{".htaccess": "x"}), ".htaccess"},
		{"brings an unknown folder", "core", core(map[string]string{"evil/x.php": "x"}), "folder evil"},
		{"removes what is outside", "core", core(map[string]string{"data/deleted.files": "../../etc/passwd\n"}), "obsolete"},
		{"asks for a newer PHP", "core", core(map[string]string{"install.php": "<?php version_compare(phpversion(), '9.0', '<')"}), "needs PHP 9.0"},
		{"takes another's plugin", "core", core(map[string]string{"lib/plugins/mine/plugin.info.txt": "base mine\nauthor Another\n"}), "lib/plugins/mine"},
		{"another plugin", "plugin:mine", plugin("base other\ndate 2021-01-01\n"), "installed is"},
		{"no name", "plugin:mine", plugin("date 2021-01-01\n"), "installed is"},
		{"an older one", "plugin:mine", plugin("base mine\ndate 2020-12-31\n"), "promised"},
		{"no version", "plugin:mine", plugin("base mine\n"), "promised"},
		{"no info", "plugin:mine", map[string]string{"action.php": "<?php"}, "plugin.info.txt"},
		{"bundled", "plugin:acl", plugin("base acl\ndate 2021-01-01\n"), "comes with DokuWiki"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWiki(t, map[string]string{"lib/plugins/mine/plugin.info.txt": "base mine\nauthor Me\ndate 2020-01-01\n"})
			version := "2021-01-01"
			if test.ref == "core" {
				version = "2026-07-14b"
			}
			_, err := w.stage(test.ref, version, "top", test.files)
			if upkeep.CodeOf(err) != upkeep.CodeRefused || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestObsoleteListSparesWhatIsTheOwners(t *testing.T) {
	w := newWiki(t, map[string]string{"inc/preload.php": "<?php"})
	files := wikiFiles("2026-07-14b")
	files["data/deleted.files"] = "conf/local.php\ninc/preload.php\ndata/pages/start.txt\ninc\nlib/plugins\nconf\ndoku.php\ninc/old.php\n"
	staged, err := w.stage("core", "2026-07-14b", "top", files)
	if err != nil {
		t.Fatal(err)
	}
	if len(staged.Drop) != 1 || filepath.Base(staged.Drop[0]) != "old.php" {
		t.Errorf("drops %v", staged.Drop)
	}
}

func TestGateKeepsTheOwnersPreload(t *testing.T) {
	w := newWiki(t, map[string]string{"inc/preload.php": "<?php // own\n"})
	w.detect()
	gate, err := w.driver.Gate(t.Context(), w, w.layout, strings.Repeat("t", 32))
	if err != nil {
		t.Fatal(err)
	}
	if len(gate.Files) != 2 || string(gate.Files[1].Content) != "<?php // own\n" || !strings.Contains(string(gate.Files[0].Content), "UPKEEP_AT_WORK") {
		t.Errorf("%+v", gate.Files)
	}
	for _, file := range gate.Files { // closed: it is the same gate that is asked for again
		if err := errors.Join(os.RemoveAll(file.Path), os.WriteFile(file.Path, file.Content, file.Mode)); err != nil {
			t.Fatal(err)
		}
	}
	again, err := w.driver.Gate(t.Context(), w, w.detect(), strings.Repeat("t", 32))
	if err != nil || len(again.Files) != 2 || string(again.Files[1].Content) != "<?php // own\n" {
		t.Errorf("%+v, %v", again, err)
	}
	if _, err := w.driver.Gate(t.Context(), w, w.layout, "short"); upkeep.CodeOf(err) != upkeep.CodeInvalid {
		t.Errorf("short token: %v", err)
	}
}

func TestIntegrity(t *testing.T) {
	w := newWiki(t, map[string]string{"inc/init.php": "<?php // changed", "lib/exe/shell.php": "<?php", "lib/images/mine.gif": "x", "conf/mime.conf": "changed"})
	l := w.detect()
	files := map[string][]string{}
	for name := range wikiFiles("2025-05-14a") {
		files[name] = []string{strings.Repeat("0", 64)}
	}
	delete(files, "inc/load.php")
	sum := "8a5edab282632443219e051e4ade2d1d5bbc671c781051bf1437897cbdfea0f1" // nothing that is there
	files["README"] = []string{sum}
	findings, err := w.driver.Integrity(t.Context(), w, l, map[string]upkeep.Original{"core": {Files: files}})
	if err != nil || !hasFinding(findings, "modified") || !hasFinding(findings, "unknown_file") {
		t.Errorf("%+v, %v", findings, err)
	}
	for _, f := range findings {
		if f.Code == "unknown_file" && slices.ContainsFunc(f.Paths, func(p string) bool { return strings.HasSuffix(p, "mine.gif") }) {
			t.Error("what an owner may add is suspect")
		}
	}
}
