package known_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"upkeep"
	"upkeep/internal/agent/place"
	"upkeep/internal/cms"
	"upkeep/internal/cms/dokuwiki"
	"upkeep/internal/cms/known"
	"upkeep/internal/cms/wordpress"
)

// lender lends a site as the agent does: the folders it was made for and PHP.
// Its database does not answer.
type lender struct {
	places *place.Places
	runs   int // of PHP
}

func (h *lender) Open(dir string) (*os.Root, error) { return h.places.Open(dir) }

func (h *lender) Query(context.Context, *cms.Database, string, ...any) ([][][]byte, error) {
	return nil, upkeep.Errorf(upkeep.CodeUnreachable, "no database")
}

func (h *lender) PHP(ctx context.Context, script cms.Script, input, output any) error {
	h.runs++
	question, err := json.Marshal(input)
	if err != nil {
		return err
	}
	inR, inW, err := os.Pipe()
	if err != nil {
		return err
	}
	defer inR.Close()
	outR, outW, err := os.Pipe()
	if err != nil {
		return err
	}
	defer outR.Close()
	cmd := exec.CommandContext(ctx, "php", "-d", "display_errors=stderr")
	cmd.Dir, cmd.Stdin, cmd.ExtraFiles = script.Dir, strings.NewReader(script.Source), []*os.File{inR, outW}
	var printed bytes.Buffer
	cmd.Stderr = &printed
	if _, err := inW.Write(question); err != nil {
		return err
	}
	inW.Close()
	err = cmd.Run()
	outW.Close()
	answer, _ := io.ReadAll(outR) // nothing read is no JSON either
	if json.Unmarshal(answer, output) != nil {
		return upkeep.Errorf(upkeep.CodeRefused, "php: %v: %s", err, printed.String())
	}
	return nil
}

// drivers are those of the program, in its order.
var drivers = sync.OnceValue(func() cms.Drivers {
	return append(cms.Drivers{wordpress.New(), dokuwiki.New()}, known.Drivers()...)
})

// site is a planted application.
type site struct {
	*lender
	t    *testing.T
	root string
}

func newRoot(t *testing.T) *site {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &site{lender: &lender{places: place.New(dir)}, t: t, root: filepath.Join(dir, "site")}
}

// plant plants a miniature of testdata with further files.
func plant(t *testing.T, name string, more map[string]string) *site {
	t.Helper()
	s := newRoot(t)
	s.unpack(name, ".")
	s.put(more)
	return s
}

func (s *site) unpack(name, dir string) {
	s.t.Helper()
	archive, err := txtar.ParseFile(filepath.Join("testdata", name+".txtar"))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, file := range archive.Files {
		s.put(map[string]string{filepath.Join(dir, file.Name): strings.ReplaceAll(string(file.Data), "@ROOT@", s.root)})
	}
}

func (s *site) put(files map[string]string) {
	s.t.Helper()
	for name, text := range files {
		file := filepath.Join(s.root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *site) detect() (*cms.Layout, error) { return drivers().Detect(s.t.Context(), s, s.root) }

func (s *site) detected() *cms.Layout {
	s.t.Helper()
	l, err := s.detect()
	if err != nil {
		s.t.Fatalf("%v (%s)", err, upkeep.HintOf(err))
	}
	return l
}

func (s *site) inventory(l *cms.Layout) *upkeep.Inventory {
	s.t.Helper()
	d, err := drivers().For(l.CMS)
	if err != nil {
		s.t.Fatal(err)
	}
	inv, err := d.Inventory(s.t.Context(), s, l)
	if err != nil {
		s.t.Fatal(err)
	}
	return inv
}

func show(db *cms.Database) string {
	if db == nil {
		return "none"
	}
	return fmt.Sprintf("%s %s:%s@%s:%d%s/%s %s", db.Engine, db.User, db.Password, db.Host, db.Port, db.Socket, db.Name, db.Prefix)
}

// codes returns the codes of findings.
func codes(findings []upkeep.Finding) []string {
	var out []string
	for _, f := range findings {
		out = append(out, f.Code)
	}
	slices.Sort(out)
	return out
}

// Each application is known by its miniature, with its version and database,
// and nothing of it runs for that.
func TestEveryApplicationIsKnown(t *testing.T) {
	for _, c := range []struct{ name, cms, version, database, components string }{
		{"prestashop", "prestashop", "8.1.5", `mariadb owner:it's "secret"@127.0.0.1:3307/boutique ps_`, "plugin:ps_wirepayment 2.1.3, theme:classic 2.1.1"},
		{"prestashop16", "prestashop", "1.6.1.24", "mariadb owner:secret@localhost:0/boutique ps_", ""},
		{"nextcloud", "nextcloud", "31.0.3", "mariadb owner:secret@localhost:0/run/mysqld/mysqld.sock/cloud oc_", "plugin:files 2.3.1"},
		{"moodle", "moodle", "4.5.6", "postgresql owner:secret@db.example.org:5433/school mdl_", "plugin:quiz 2024100700, theme:boost 2024100701"},
		{"phpbb", "phpbb", "3.3.15", "mariadb owner:secret@localhost:3306/forum phpbb_", "plugin:acme/demo 1.2.0, theme:prosilver 3.3.15"},
		{"matomo", "matomo", "5.2.2", "mariadb owner:se;cret@127.0.0.1:3308/counts matomo_", "plugin:Funnels 5.0.1"},
		{"magento", "magento", "2.4.7-p3", "mariadb owner:secret@localhost:0/boutique m2_", "plugin:acme/module-gifts 1.4.0"},
		{"openmage", "openmage", "20.10.2", "mariadb owner:secret@127.0.0.1:3309/boutique mage_", ""},
		{"typo3", "typo3", "12.4.25", "mariadb owner:secret@localhost:3306/run/mysqld/mysqld.sock/firm ", "plugin:acme/news 12.1.0"},
		{"typo3classic", "typo3", "11.5.41", "mariadb owner:secret@127.0.0.1:0/firm ", "plugin:news 9.4.0"},
		{"grav", "grav", "1.7.48", "none", "plugin:form 7.4.2, theme:quark 2.0.5"},
		{"silverstripe", "silverstripe", "5.2.4", "mariadb owner:sec#ret@localhost:0/firm ", "plugin:silverstripe/framework 5.2.4"},
		{"concrete", "concrete", "9.3.4", "mariadb owner:secret@localhost:0/firm ", "plugin:gallery 1.0.7"},
		{"craft", "craft", "5.5.2", "postgresql owner:se$cret@127.0.0.1:5432/firm ", "plugin:craftcms/redactor 4.2.0"},
		{"backdrop", "backdrop", "1.29.2", "mariadb owner:se@cret@localhost:3306/firm bd_", "plugin:gallery 1.x-1.2.0"},
		{"classicpress", "classicpress", "2.4.1", "mariadb owner:secret@localhost:0/firm cp_", "plugin:hello 1.7.2, theme:plain 3.1"},
		{"php", "php", "", "mariadb owner:secret@localhost:0/firm ", ""},
		{"phpenv", "php", "", "postgresql owner:se/cret@127.0.0.1:5432/firm ", ""},
		{"phpfiles", "php", "", "none", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := plant(t, c.name, nil)
			l := s.detected()
			inv := s.inventory(l)
			var components []string
			for _, one := range inv.Components[1:] {
				components = append(components, one.Ref()+" "+string(one.Version))
			}
			core := inv.Core()
			if string(l.CMS) != c.cms || string(core.Version) != c.version || show(l.Database) != c.database || strings.Join(components, ", ") != c.components {
				t.Errorf("%s %s, %q, %s", l.CMS, core.Version, show(l.Database), strings.Join(components, ", "))
			}
			if s.runs > 0 {
				t.Error("PHP ran")
			}
			if l.Root != s.root || core.Path != s.root {
				t.Errorf("root %s, core at %s", l.Root, core.Path)
			}
			if at := slices.IndexFunc(inv.Findings, func(f upkeep.Finding) bool { return f.Code == known.NotMaintained && f.Blocks }); at < 0 {
				t.Errorf("findings %v", codes(inv.Findings))
			}
			if (l.Database == nil) == slices.Contains(codes(inv.Findings), "database_unreachable") {
				t.Errorf("a database that does not answer: %v", codes(inv.Findings))
			}
		})
	}
}

// What real releases write is read: excerpts of their files, in the place of
// those of the miniatures.
func TestRealFilesAreRead(t *testing.T) {
	corpus := os.Getenv("UPKEEP_CORPUS")
	text, err := os.ReadFile(filepath.Join(corpus, "vectors", "version_files.json"))
	if err != nil {
		t.Skipf("no corpus (set UPKEEP_CORPUS): %v", err)
	}
	var excerpts struct {
		Cases []struct {
			CMS, Excerpt, Version string
			InstallPath           string `json:"install_path"`
		}
	}
	if err := json.Unmarshal(text, &excerpts); err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, c := range excerpts.Cases {
		name := map[string]string{"typo3": "typo3classic", "phpbb": "phpbb"}[c.CMS]
		if name == "" {
			continue
		}
		read++
		path, _, _ := strings.Cut(c.InstallPath, " ")
		s := plant(t, name, map[string]string{path: "<?php\n" + c.Excerpt})
		if version := s.inventory(s.detected()).Core().Version; string(version) != c.Version {
			t.Errorf("%s: %s, want %s", c.CMS, version, c.Version)
		}
	}
	if read == 0 {
		t.Error("no case read")
	}
	s := plant(t, "phpbb", nil)
	for file, from := range map[string]string{"ext/vendor/moo/composer.json": "ext.vendor.moo.composer.json", "styles/all/composer.json": "style.prosilver.composer.json"} {
		text, err := os.ReadFile(filepath.Join(corpus, "other", "phpbb", from))
		if err != nil {
			t.Fatal(err)
		}
		s.put(map[string]string{file: string(text)})
	}
	refs := map[string]upkeep.Version{}
	for _, c := range s.inventory(s.detected()).Components {
		refs[c.Ref()] = c.Version
	}
	if refs["plugin:vendor/moo"] == "" || refs["theme:all"] == "" {
		t.Errorf("%v", refs)
	}
}

// What is outside the root and belongs to the site is part of it.
func TestFoldersOutsideAreAreas(t *testing.T) {
	s := plant(t, "moodle", map[string]string{"../site-data/filedir/aa/bb": "x"})
	l := s.detected()
	want := []cms.Area{{Name: "site", Dir: s.root}, {Name: "data", Dir: s.root + "-data"}}
	if len(l.Areas) != 2 || l.Areas[1].Dir != want[1].Dir || l.Areas[1].Name != want[1].Name {
		t.Errorf("areas %v", l.Areas)
	}
	if l.Options["home"] != "https://school.example.org/" {
		t.Errorf("options %v", l.Options)
	}
	// A folder of the system is no part of any site.
	s = plant(t, "nextcloud", map[string]string{"config/zy.config.php": "<?php\n$CONFIG = array('datadirectory' => '/etc');\n"})
	if l = s.detected(); len(l.Areas) != 1 || !slices.Contains(codes(l.Findings), "area_refused") {
		t.Errorf("areas %v, findings %v", l.Areas, codes(l.Findings))
	}
	// The release that links lead to beside the root is read and backed up.
	s = plant(t, "typo3classic", nil)
	beside := filepath.Join(filepath.Dir(s.root), "typo3_src-11")
	if err := errors.Join(os.MkdirAll(beside, 0o755), os.Rename(filepath.Join(s.root, "typo3"), filepath.Join(beside, "typo3")),
		os.Symlink(beside, filepath.Join(s.root, "typo3_src")), os.Symlink("typo3_src/typo3", filepath.Join(s.root, "typo3"))); err != nil {
		t.Fatal(err)
	}
	l = s.detected()
	if version := s.inventory(l).Core().Version; version != "11.5.41" || len(l.Areas) != 2 || l.Areas[1].Dir != beside+"/typo3" && l.Areas[1].Dir != beside {
		t.Errorf("version %s, areas %v", version, l.Areas)
	}
}

// What reading does not tell is asked of PHP, and the application itself does
// not start.
func TestDynamicConfigurationsAreEvaluated(t *testing.T) {
	if _, err := exec.LookPath("php"); err != nil {
		t.Skip("no php")
	}
	boot := "<?php\nfile_put_contents(__DIR__ . '/ran', '');\n"
	for name, c := range map[string]struct {
		base, database string
		files          map[string]string
	}{
		"environment": {"moodle", "mariadb owner:secret@db:0/school mdl_", map[string]string{
			"config.php": "<?php\nunset($CFG);\nglobal $CFG;\n$CFG = new stdClass();\n$CFG->dbtype = 'mariadb';\n$CFG->dbhost = getenv('MOODLE_DB') ?: 'db';\n" +
				"$CFG->dbname = 'school';\n$CFG->dbuser = 'owner';\n$CFG->dbpass = 'secret';\n$CFG->prefix = 'mdl_';\nrequire_once(__DIR__ . '/lib/setup.php');\n",
			"lib/setup.php": "<?php\nif (!defined('ABORT_AFTER_CONFIG')) { file_put_contents(__DIR__ . '/ran', ''); }\n",
		}},
		"included": {"backdrop", "mariadb other:secret@db:0/other bd_", map[string]string{
			"settings.php":       "<?php\n$database = 'mysql://owner:x@localhost/firm';\n$database_prefix = 'bd_';\nif (file_exists(__DIR__ . '/settings.local.php')) { include __DIR__ . '/settings.local.php'; }\n",
			"settings.local.php": "<?php\n$database = 'mysql://other:secret@db/other';\n",
			"index.php":          boot,
		}},
		"overridden": {"typo3", "mariadb owner:from-the-host@localhost:3306/run/mysqld/mysqld.sock/firm ", map[string]string{
			"config/system/additional.php": "<?php\n$GLOBALS['TYPO3_CONF_VARS']['DB']['Connections']['Default']['password'] = 'from-' . strtolower('THE-HOST');\n",
		}},
		"merged": {"nextcloud", "mariadb owner:secret@db:0/cloud oc_", map[string]string{
			"config/aa.config.php": "<?php\n$CONFIG = array('dbhost' => getenv('NOWHERE') ?: 'db');\n",
		}},
		"helper": {"classicpress", "mariadb u:p@mysql:0/blog cp_", map[string]string{
			"wp-config.php": "<?php\nfunction of($n, $d) { return getenv($n) ?: $d; }\ndefine('DB_NAME', of('A', 'blog'));\ndefine('DB_USER', of('B', 'u'));\n" +
				"define('DB_PASSWORD', of('C', 'p'));\ndefine('DB_HOST', of('D', 'mysql'));\n$table_prefix = of('E', 'cp_');\nrequire_once ABSPATH . 'wp-settings.php';\n",
			"wp-settings.php": "<?php\nrequire ABSPATH . WPINC . '/load.php';\nfile_put_contents(ABSPATH . 'ran', '');\n", "wp-includes/load.php": boot,
		}},
	} {
		s := plant(t, c.base, c.files)
		l, err := s.detect()
		if err != nil || show(l.Database) != c.database || s.runs != 1 {
			t.Errorf("%s: %v, %d runs, %v", name, l, s.runs, err)
			continue
		}
		err = filepath.WalkDir(s.root, func(path string, _ os.DirEntry, err error) error {
			if filepath.Base(path) == "ran" {
				t.Errorf("%s: %s", name, path)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	// What is unknown is not run: its database is not known then.
	s := plant(t, "php", map[string]string{"config.php": "<?php\ndefine('DB_NAME', getenv('X') ?: 'firm');\n"})
	if l := s.detected(); l.Database != nil || s.runs != 0 || !slices.Contains(codes(l.Findings), "database_unknown") {
		t.Errorf("%v, %d runs, %v", l.Database, s.runs, codes(l.Findings))
	}
	// One that fails before it has said all must not be half believed.
	s = plant(t, "typo3", map[string]string{"config/system/additional.php": "<?php\nif (\\TYPO3\\CMS\\Core\\Core\\Environment::isCli()) { $GLOBALS['TYPO3_CONF_VARS']['DB']['x'] = 1; }\n"})
	if _, err := s.detect(); upkeep.CodeOf(err) != upkeep.CodeInvalid {
		t.Errorf("half a configuration: %v", err)
	}
}

func TestSQLiteIsFound(t *testing.T) {
	s := plant(t, "nextcloud", map[string]string{
		"config/zz.config.php": "<?php\n$CONFIG = array('dbtype' => 'sqlite3', 'dbname' => 'owncloud');\n", "data/owncloud.db": "SQLite format 3\x00",
	})
	if db := s.detected().Database; db == nil || db.Engine != "sqlite" || db.File != filepath.Join(s.root, "data/owncloud.db") {
		t.Errorf("%+v", db)
	}
}

// What is no application, or not one that can be used, is not taken for one.
func TestDecoys(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		code  upkeep.Code
	}{
		"a static site":         {map[string]string{"index.html": "<p>", "css/a.css": ""}, upkeep.CodeNotFound},
		"a single script":       {map[string]string{"index.php": "<?php"}, upkeep.CodeNotFound},
		"a folder of plugins":   {map[string]string{"akismet/akismet.php": "<?php /* Plugin Name: A */", "hello/hello.php": "<?php"}, upkeep.CodeNotFound},
		"a folder of modules":   {map[string]string{"ps_a/config.xml": "<module/>", "ps_b/config.xml": "<module/>"}, upkeep.CodeNotFound},
		"half a WordPress":      {map[string]string{"index.php": "<?php", "wp-config.php": "<?php", "wp-admin/a.php": "", "config/a": ""}, upkeep.CodeNotFound},
		"a library":             {map[string]string{"composer.json": "{}", "src/A.php": "<?php"}, upkeep.CodeNotFound},
		"nothing":               {map[string]string{"x": ""}, upkeep.CodeNotFound},
		"a version alone":       {map[string]string{"core/Version.php": "<?php const VERSION = '1';", "index.html": ""}, upkeep.CodeNotFound},
		"an ownCloud":           {map[string]string{"version.php": "<?php $vendor = 'owncloud';", "lib/base.php": "", "occ": ""}, upkeep.CodeNotFound},
		"Moodle, not installed": {map[string]string{"lib/moodlelib.php": "<?php", "version.php": "<?php", "index.php": "<?php"}, upkeep.CodeInvalid},
		"Moodle on another engine": {map[string]string{"lib/moodlelib.php": "<?php", "version.php": "<?php",
			"config.php": "<?php $CFG = new stdClass; $CFG->dbtype = 'oci'; $CFG->dbname = 'x';"}, upkeep.CodeInvalid},
	} {
		s := newRoot(t)
		s.put(c.files)
		if l, err := s.detect(); upkeep.CodeOf(err) != c.code {
			t.Errorf("%s: %+v, %v", name, l, err)
		}
	}
}

// Who names the folder that visitors see is told to name the project.
func TestFrontIsNotTheSite(t *testing.T) {
	for _, name := range []string{"typo3/public", "magento/pub", "craft/web", "silverstripe/public", "moodle/public"} {
		app, front := filepath.Split(name)
		s := plant(t, filepath.Clean(app), nil)
		if name == "moodle/public" {
			s.put(map[string]string{"public/lib/moodlelib.php": "<?php", "public/version.php": "<?php", "public/config.php": "<?php require __DIR__ . '/../config.php';"})
		}
		project := s.root
		s.root = filepath.Join(project, front)
		s.places = place.New(s.root, project)
		if _, err := s.detect(); upkeep.CodeOf(err) != upkeep.CodeInvalid || !strings.Contains(upkeep.HintOf(err), project) {
			t.Errorf("%s: %v (%s)", name, err, upkeep.HintOf(err))
		}
	}
}

// A folder of that name may well be all of the site.
func TestAWholeApplicationInAFolderOfThatName(t *testing.T) {
	s := newRoot(t)
	s.root = filepath.Join(s.root, "public")
	s.unpack("moodle", ".")
	s.places = place.New(s.root, filepath.Dir(s.root))
	if l := s.detected(); l.CMS != "moodle" || l.Root != s.root {
		t.Errorf("%+v", l)
	}
}

// Of two applications in each other the outer one is the site, and says that
// the inner one has a database of its own.
func TestApplicationsInside(t *testing.T) {
	for _, inner := range []string{"phpbb", "matomo", "classicpress"} {
		s := plant(t, "typo3", nil)
		s.unpack(inner, "extra")
		l := s.detected()
		at := slices.IndexFunc(l.Findings, func(f upkeep.Finding) bool { return f.Code == "application_inside" && f.Blocks })
		if l.CMS != "typo3" || at < 0 || l.Findings[at].Paths[0] != filepath.Join(s.root, "extra") {
			t.Errorf("%s: %s, %v", inner, l.CMS, l.Findings)
		}
	}
}

// A WordPress below another application is not taken for the whole.
func TestTheOuterApplicationWins(t *testing.T) {
	s := plant(t, "prestashop", map[string]string{
		"blog/wp-load.php": "<?php", "blog/wp-settings.php": "<?php", "blog/wp-includes/version.php": "<?php $wp_version = '6.8';",
		"blog/wp-config.php": "<?php define('DB_NAME','b');define('DB_USER','u');define('DB_PASSWORD','p');define('DB_HOST','h');$table_prefix='wp_';",
	})
	l := s.detected()
	if l.CMS != "prestashop" || !slices.Contains(codes(l.Findings), "application_inside") {
		t.Errorf("%s, %v", l.CMS, codes(l.Findings))
	}
}

// A tree that was made to lead astray is neither followed nor waited for.
func TestHostileTrees(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret.php")
	if err := os.WriteFile(secret, []byte("<?php\n$dbname = 'stolen'; $dbuser = 'stolen'; define('PHPBB_VERSION', '6.6.6');"), 0o600); err != nil {
		t.Fatal(err)
	}
	harm := map[string]func(file string) error{
		"link out":   func(file string) error { return errors.Join(os.Remove(file), os.Symlink(secret, file)) },
		"pipe":       func(file string) error { return errors.Join(os.Remove(file), syscall.Mkfifo(file, 0o644)) },
		"folder":     func(file string) error { return errors.Join(os.Remove(file), os.Mkdir(file, 0o755)) },
		"huge":       func(file string) error { return os.Truncate(file, 1<<40) },
		"loop":       func(file string) error { return errors.Join(os.Remove(file), os.Symlink(file, file)) },
		"unreadable": func(file string) error { return os.Chmod(file, 0) },
	}
	for _, app := range []string{"phpbb", "nextcloud", "typo3", "matomo", "craft", "php"} {
		archive, err := txtar.ParseFile(filepath.Join("testdata", app+".txtar"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range archive.Files {
			for name, do := range harm {
				s := plant(t, app, nil)
				if err := do(filepath.Join(s.root, file.Name)); err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				l, err := s.detect()
				if err != nil && upkeep.CodeOf(err) == upkeep.CodeInternal && !errors.Is(err, os.ErrPermission) && !strings.Contains(err.Error(), "escapes") {
					t.Errorf("%s, %s is a %s: %v", app, file.Name, name, err)
				}
				if err == nil {
					inv := s.inventory(l)
					if db := l.Database; db != nil && db.Name == "stolen" || inv.Core().Version == "6.6.6" {
						t.Errorf("%s, %s is a %s: was followed", app, file.Name, name)
					}
				}
				if took := time.Since(began); took > 20*time.Second {
					t.Errorf("%s, %s is a %s: took %s", app, file.Name, name, took)
				}
			}
		}
	}
}

// Nothing is updated, and that is said in so many words.
func TestUpdatesAreRefused(t *testing.T) {
	s := plant(t, "grav", nil)
	l := s.detected()
	d, err := drivers().For(l.CMS)
	if err != nil {
		t.Fatal(err)
	}
	_, staged := d.Stage(t.Context(), s, l, upkeep.Update{}, s.root)
	_, read := d.ReadBack(t.Context(), s, l, nil, nil)
	for _, err := range []error{staged, read, d.Apply(t.Context(), nil, l, nil), d.Migrate(t.Context(), nil, l, nil)} {
		if upkeep.CodeOf(err) != upkeep.CodeHeld || !strings.Contains(err.Error(), "not maintained automatically") || upkeep.HintOf(err) == "" {
			t.Errorf("%v", err)
		}
	}
	if findings, err := d.Integrity(t.Context(), s, l, nil); len(findings) > 0 || err != nil {
		t.Errorf("%v, %v", findings, err)
	}
}

// Behind the gate the site answers nobody, and its configuration can still be
// read, also when the gate is closed twice.
func TestGate(t *testing.T) {
	s := plant(t, "typo3classic", nil)
	before := s.detected()
	const token = "0123456789abcdef0123"
	for range 2 {
		l := s.detected()
		d, err := drivers().For(l.CMS)
		if err != nil {
			t.Fatal(err)
		}
		gate, err := d.Gate(t.Context(), s, l, token)
		if err != nil || len(gate.Files) != 2 {
			t.Fatalf("%+v, %v", gate, err)
		}
		file := gate.Files[0]
		if want := filepath.Join(s.root, "typo3conf/LocalConfiguration.php"); file.Path != want || file.Mode != 0o444 {
			t.Errorf("%s %s", file.Path, file.Mode)
		}
		if err := errors.Join(os.Remove(file.Path), os.WriteFile(file.Path, file.Content, file.Mode)); err != nil {
			t.Fatal(err)
		}
		if after := s.detected(); show(after.Database) != show(before.Database) {
			t.Errorf("behind the gate: %s", show(after.Database))
		}
		if php, err := exec.LookPath("php"); err == nil {
			out, err := exec.CommandContext(t.Context(), php, file.Path).CombinedOutput()
			if exit := (&exec.ExitError{}); !errors.As(err, &exit) || exit.ExitCode() != 75 {
				t.Errorf("command line: %v: %s", err, out)
			}
		}
	}
	// Of a site that is gone there is nothing but its folder to close.
	empty := newRoot(t)
	if err := os.Mkdir(empty.root, 0o755); err != nil {
		t.Fatal(err)
	}
	gate, err := known.Drivers()[0].Gate(t.Context(), empty, &cms.Layout{Root: empty.root}, token)
	if err != nil || len(gate.Files) != 0 || len(gate.Modes) != 1 || gate.Modes[0].Mode != 0o555 {
		t.Errorf("%+v, %v", gate, err)
	}
}
