package upkeeptest_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upkeep"
	"upkeep/internal/demo"
	"upkeep/internal/upkeeptest"
	"upkeep/internal/web"
)

// school is a small application in the shape of Moodle: its configuration is
// an object, its files are partly outside the root, every page writes.
func school(s *demo.Site) map[string]string {
	return map[string]string{
		"public/version.php":       "<?php\n$version  = 2024100706.00;\n$release  = '4.5.6 (Build: 20250811)';\n",
		"public/lib/moodlelib.php": "<?php\n",
		"public/config.php": "<?php\nunset($CFG);\nglobal $CFG;\n$CFG = new stdClass();\n$CFG->dbtype = 'mariadb';\n$CFG->dbhost = 'localhost';\n" +
			"$CFG->dbname = '" + s.Database.Name + "';\n$CFG->dbuser = '" + s.Database.User + "';\n$CFG->dbpass = '" + s.Database.Password + "';\n" +
			"$CFG->prefix = 'mdl_';\n$CFG->dboptions = array('dbsocket' => '" + s.Database.Socket + "');\n" +
			"$CFG->wwwroot = '" + strings.TrimSuffix(s.URL, "/") + "';\n$CFG->dataroot = '" + filepath.Join(s.Dir, "data") + "';\n" +
			"require_once(__DIR__ . '/lib/setup.php');\n",
		"public/lib/setup.php": "<?php\n$DB = new mysqli(null, $CFG->dbuser, $CFG->dbpass, $CFG->dbname, 0, $CFG->dboptions['dbsocket']);\n",
		"public/index.php": "<?php require_once(__DIR__ . '/config.php');\n$DB->query('INSERT INTO mdl_log (what) VALUES (1)');\n" +
			"echo '<html><head><title>School</title></head><body>', $DB->query('SELECT COUNT(*) FROM mdl_course')->fetch_row()[0], ' courses</body></html>';\n",
		"public/mod/quiz/version.php": "<?php\n$plugin->version   = 2024100700;\n",
		"data/filedir/aa/bb/aabb":     "a file of a course",
	}
}

// newSchool returns one in the place of a WordPress.
func newSchool(t *testing.T) *demo.Site {
	t.Helper()
	site := upkeeptest.WordPress(t, upkeeptest.Small())
	empty(t, site)
	name := site.Database.Name
	sql(t, site, "DROP DATABASE "+name+"; CREATE DATABASE "+name+" CHARACTER SET utf8mb4; USE "+name+";"+
		"CREATE TABLE mdl_course (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(50)); CREATE TABLE mdl_log (id INT PRIMARY KEY AUTO_INCREMENT, what INT);"+
		"INSERT INTO mdl_course (name) VALUES ('Maths'), ('Physics');")
	uid, gid := upkeeptest.World(t).Account()
	for name, text := range school(site) {
		for dir := filepath.Dir(name); dir != "public" && dir != "."; dir = filepath.Dir(dir) {
			if err := os.MkdirAll(filepath.Join(site.Dir, dir), 0o755); err != nil {
				t.Fatal(err)
			}
			if os.Geteuid() == 0 {
				if err := os.Chown(filepath.Join(site.Dir, dir), uid, gid); err != nil {
					t.Fatal(err)
				}
			}
		}
		place(t, site, filepath.Join("..", name), text)
	}
	return site
}

// empty takes away whatever is in a site's root.
func empty(t *testing.T, site *demo.Site) {
	t.Helper()
	entries, err := os.ReadDir(site.Root)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if err := os.RemoveAll(filepath.Join(site.Root, entry.Name())); err != nil {
			t.Fatal(err)
		}
	}
}

func visit(t *testing.T, site *demo.Site) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, site.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// An application that is known and not maintained is a site like any other,
// but for updates: those are refused, with the reason, and change nothing.
func TestKnownApplicationIsKept(t *testing.T) {
	t.Parallel()
	site := newSchool(t)
	p := upkeeptest.AdoptKnown(t, site)

	shown := upkeeptest.JSON[web.Site](t, p, "site", "show", "shop")
	if shown.CMS != "moodle" || shown.Core != "4.5.6" || shown.Components != 2 || shown.Held != 1 || shown.Pending != 0 {
		t.Errorf("%+v", shown)
	}
	if out, code := p.Run(t, "site", "list", "--lang", "en"); code != 0 || !strings.Contains(out, "Moodle") {
		t.Errorf("site list: %d: %s", code, out)
	}
	updates := upkeeptest.JSON[[]upkeep.Update](t, p, "update", "list", "shop")
	if len(updates) != 1 || updates[0].Disposition != upkeep.Held || updates[0].Ref() != "core" || updates[0].Reasons[0].Code != "not_maintained" {
		t.Errorf("%+v", updates)
	}
	if out, code := p.Run(t, "update", "list", "shop", "--lang", "en"); code != 0 || !strings.Contains(out, "known, not maintained automatically") {
		t.Errorf("update list: %d: %s", code, out)
	}
	if inventory := upkeeptest.JSON[upkeep.Inventory](t, p, "site", "inventory", "shop"); !strings.Contains(inventory.Database, "MariaDB") {
		t.Errorf("%+v", inventory)
	}

	before := upkeeptest.StateOf(t, site)
	for _, args := range [][]string{{}, {"--dry-run"}, {"--only", "core"}} {
		if _, code := p.Run(t, append([]string{"site", "update", "shop", "--yes"}, args...)...); code != 1 {
			t.Errorf("site update %v: exit %d", args, code)
		}
	}
	upkeeptest.Same(t, before, site)

	if out, code := p.Run(t, "site", "verify", "shop"); code != 0 {
		t.Errorf("site verify: %d: %s", code, out)
	}
	if out, code := p.Run(t, "site", "freeze", "shop", "--yes"); code != 0 {
		t.Fatalf("site freeze: %d: %s", code, out)
	}
	rows := sql(t, site, "SELECT COUNT(*) FROM mdl_log")
	if status, text := visit(t, site); status != http.StatusServiceUnavailable || sql(t, site, "SELECT COUNT(*) FROM mdl_log") != rows {
		t.Errorf("frozen: %d: %s", status, text)
	}
	if out, code := p.Run(t, "site", "thaw", "shop"); code != 0 {
		t.Fatalf("site thaw: %d: %s", code, out)
	}
	if status, text := visit(t, site); status != http.StatusOK || !strings.Contains(text, "2 courses") {
		t.Errorf("thawed: %d: %s", status, text)
	}
}

// A backup of it has the files inside and outside the root and the database,
// and gives back all of it, also when so much is gone that it looks like
// something else.
func TestKnownApplicationIsRestored(t *testing.T) {
	t.Parallel()
	site := newSchool(t)
	p := upkeeptest.AdoptKnown(t, site)
	backup := upkeeptest.BackUp(t, p)
	if backup.Tables != 2 {
		t.Errorf("%d tables", backup.Tables)
	}
	if check := upkeeptest.JSON[web.BackupCheck](t, p, "backup", "verify", "1", "--deep"); !check.OK {
		t.Errorf("%+v", check)
	}
	before := upkeeptest.StateOf(t, site)
	for name, damage := range map[string]func(){
		"files and rows": func() {
			place(t, site, "index.php", "<?php echo 'hacked';")
			place(t, site, "shell.php", "<?php")
			place(t, site, "../data/filedir/aa/bb/aabb", "changed")
			sql(t, site, "DELETE FROM mdl_course WHERE id = 1; INSERT INTO mdl_log (what) VALUES (7); ALTER TABLE mdl_course ADD more INT;")
		},
		"what it is known by": func() { remove(t, site, "lib/moodlelib.php", "version.php") },
		"its configuration":   func() { remove(t, site, "config.php", "lib/setup.php") },
	} {
		damage()
		if diffs := upkeeptest.JSON[[]upkeep.Difference](t, p, "backup", "diff", "1"); len(diffs) == 0 {
			t.Errorf("%s: no differences", name)
		}
		result := upkeeptest.JSON[web.RestoreResult](t, p, "backup", "restore", "1", "--in-place", "--yes")
		if result.Identity == nil || !result.Identity.Proven() {
			t.Errorf("%s: %+v", name, result)
		}
		upkeeptest.Same(t, before, site)
	}

	dir := filepath.Join(filepath.Dir(site.Dir), "school-elsewhere")
	t.Cleanup(func() { os.RemoveAll(dir) })
	sql(t, site, "CREATE DATABASE elsewhere_school; GRANT ALL ON elsewhere_school.* TO `"+site.Database.User+"`@localhost")
	t.Cleanup(func() {
		_, _ = upkeeptest.World(t).MariaDB.Exec(context.WithoutCancel(t.Context()), "", "DROP DATABASE elsewhere_school") // the world goes anyway
	})
	upkeeptest.JSON[web.RestoreResult](t, p, "backup", "restore", "1", "--dir", dir, "--database", "elsewhere_school", "--yes")
	for path, want := range map[string]string{"site/index.php": "mdl_log", "data/filedir/aa/bb/aabb": "a file of a course"} {
		if text, err := os.ReadFile(filepath.Join(dir, path)); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %q, %v", path, text, err)
		}
	}
	if rows := sql(t, site, "SELECT name FROM elsewhere_school.mdl_course ORDER BY name"); strings.TrimSpace(rows) != "Maths\nPhysics" {
		t.Errorf("elsewhere: %q", rows)
	}
}

func remove(t *testing.T, site *demo.Site, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := os.Remove(filepath.Join(site.Root, name)); err != nil {
			t.Fatal(err)
		}
	}
}
