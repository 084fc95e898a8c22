package upkeeptest_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"upkeep"
	"upkeep/internal/demo"
	"upkeep/internal/upkeeptest"
	"upkeep/internal/web"
)

// sql runs statements in the site's database.
func sql(t *testing.T, site *demo.Site, statements string) string {
	t.Helper()
	out, err := site.SQL(t.Context(), statements)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// put writes text into a file of the site, as its owner would.
func place(t *testing.T, site *demo.Site, path, text string) {
	t.Helper()
	path = filepath.Join(site.Root, path)
	uid, gid := upkeeptest.World(t).Account()
	err := os.WriteFile(path, []byte(text), 0o644)
	if err == nil && os.Geteuid() == 0 {
		err = os.Chown(path, uid, gid)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestBackupsAreListedComparedAndVerified(t *testing.T) {
	t.Parallel()
	site := upkeeptest.WordPress(t, upkeeptest.Small())
	p := upkeeptest.Adopt(t, site)
	first := upkeeptest.BackUp(t, p)
	place(t, site, "wp-content/uploads/new.txt", "new")
	place(t, site, "wp-trackback.php", "changed")
	if err := os.Remove(filepath.Join(site.Root, "wp-links-opml.php")); err != nil {
		t.Fatal(err)
	}
	sql(t, site, "INSERT INTO wp_options (option_name, option_value) VALUES ('fresh', '1')")
	second := upkeeptest.BackUp(t, p)
	if second.Added > first.Bytes/4 {
		t.Errorf("the second backup added %d of %d bytes", second.Added, first.Bytes)
	}
	want := map[string]string{
		"site/wp-content/uploads/new.txt": "added", "site/wp-trackback.php": "content",
		"site/wp-links-opml.php": "removed", "table wp_options": "rows",
	}
	for _, args := range [][]string{{"backup", "diff", "1", "2"}, {"backup", "diff", "1"}} {
		diffs := upkeeptest.JSON[[]upkeep.Difference](t, p, args...)
		for path, change := range want {
			if !slices.ContainsFunc(diffs, func(d upkeep.Difference) bool { return d.Path == path && strings.Contains(d.Change, change) }) {
				t.Errorf("%v: no %s of %s in %v", args, change, path, diffs)
			}
		}
		if len(diffs) > len(want)+4 { // times of the folders
			t.Errorf("%v: %v", args, diffs)
		}
	}
	if diffs := upkeeptest.JSON[[]upkeep.Difference](t, p, "backup", "diff", "2"); len(diffs) > 0 {
		t.Errorf("against the live site: %v", diffs)
	}
	if list := upkeeptest.JSON[[]web.Backup](t, p, "backup", "list", "shop"); len(list) != 2 || list[0].ID != second.ID {
		t.Errorf("list: %v", list)
	}
	if one := upkeeptest.JSON[web.Backup](t, p, "backup", "show", "1"); one.Manifest != first.Manifest {
		t.Errorf("show: %+v", one)
	}
	if check := upkeeptest.JSON[web.BackupCheck](t, p, "backup", "verify", "1", "--deep"); !check.OK || check.Read == 0 {
		t.Errorf("verify: %+v", check)
	}
}

// An old backup is restored after real content was added: what would be lost
// is shown, what was replaced is kept.
func TestRestoreInPlaceTouchesOnlyWhatDiffers(t *testing.T) {
	t.Parallel()
	site := upkeeptest.WordPress(t, upkeeptest.Small())
	p := upkeeptest.Adopt(t, site)
	upkeeptest.BackUp(t, p)
	before := upkeeptest.StateOf(t, site)
	place(t, site, "wp-content/uploads/new.txt", "new")
	sql(t, site, "INSERT INTO wp_comments (comment_post_ID, comment_author, comment_content) VALUES (1, 'A', 'a real comment')")
	after := upkeeptest.StateOf(t, site)

	plan := upkeeptest.JSON[web.RestorePlan](t, p, "backup", "restore", "1", "--in-place", "--dry-run")
	if plan.Files != 1 || plan.Rows != 1 || plan.Token == "" {
		t.Errorf("plan: %d files, %d rows, token %q: %v", plan.Files, plan.Rows, plan.Token, plan.Differences)
	}
	upkeeptest.Same(t, after, site)
	if out, code := p.Run(t, "backup", "restore", "1", "--in-place"); code == 0 {
		t.Errorf("restored without being asked: %s", out)
	}
	upkeeptest.Same(t, after, site)

	result := upkeeptest.JSON[web.RestoreResult](t, p, "backup", "restore", "1", "--in-place", "--yes")
	if result.Identity == nil || !result.Identity.Proven() || result.Safety == 0 {
		t.Errorf("%+v", result)
	}
	if result.Files > 4 {
		t.Errorf("%d files were touched", result.Files)
	}
	upkeeptest.Same(t, before, site)
	upkeeptest.Works(t, site)

	// What was replaced can be had back.
	again := upkeeptest.JSON[web.RestoreResult](t, p, "backup", "restore", result.Safety.String(), "--in-place", "--yes")
	if again.Identity == nil || !again.Identity.Proven() {
		t.Errorf("%+v", again)
	}
	if out := sql(t, site, "SELECT comment_content FROM wp_comments"); !strings.Contains(out, "a real comment") {
		t.Errorf("the comment is lost: %s", out)
	}
	upkeeptest.Works(t, site)
}

// What destroys a site, and what it is restored from must not mind.
var disasters = map[string]func(t *testing.T, site *demo.Site){
	"fatal in the configuration": func(t *testing.T, site *demo.Site) {
		place(t, site, "wp-config.php", "<?php not_a_function();\n")
	},
	"fatal in the index": func(t *testing.T, site *demo.Site) {
		place(t, site, "index.php", "<?php not_a_function();\n")
	},
	"half of WordPress gone": func(t *testing.T, site *demo.Site) {
		found, err := filepath.Glob(filepath.Join(site.Root, "wp-includes", "[a-f]*"))
		if err != nil || len(found) == 0 {
			t.Fatal(found, err)
		}
		for _, path := range append(found, filepath.Join(site.Root, "wp-includes", "version.php")) {
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
		}
	},
	"tables dropped": func(t *testing.T, site *demo.Site) {
		sql(t, site, "DROP TABLE wp_options; DROP TABLE wp_posts; DELETE FROM wp_users; ALTER TABLE wp_comments DROP COLUMN comment_content")
	},
	"everything gone": func(t *testing.T, site *demo.Site) {
		entries, err := os.ReadDir(site.Root)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if err := os.RemoveAll(filepath.Join(site.Root, entry.Name())); err != nil {
				t.Fatal(err)
			}
		}
		sql(t, site, "DROP DATABASE `"+site.Database.Name+"`; CREATE DATABASE `"+site.Database.Name+"`")
	},
}

func TestRestoreOfDestroyedSite(t *testing.T) {
	for name, destroy := range disasters {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site := upkeeptest.WordPress(t, upkeeptest.Small())
			p := upkeeptest.Adopt(t, site)
			upkeeptest.BackUp(t, p)
			before := upkeeptest.StateOf(t, site)
			destroy(t, site)
			out, code := p.Run(t, "backup", "restore", "1", "--in-place", "--yes")
			if code != 0 {
				t.Errorf("exit %d\n%s", code, out)
			}
			upkeeptest.Same(t, before, site)
			upkeeptest.Works(t, site)
		})
	}
}

func TestRestoreElsewhere(t *testing.T) {
	t.Parallel()
	site := upkeeptest.WordPress(t, upkeeptest.Small())
	p := upkeeptest.Adopt(t, site)
	upkeeptest.BackUp(t, p)
	name := "elsewhere_" + site.Database.Name
	sql(t, site, "CREATE DATABASE "+name+"; GRANT ALL ON "+name+".* TO '"+site.Database.User+"'@'localhost'")
	t.Cleanup(func() {
		if _, err := site.SQL(context.WithoutCancel(t.Context()), "DROP DATABASE "+name); err != nil {
			t.Error(err)
		}
	})
	dir := filepath.Join(filepath.Dir(p.State), "elsewhere")
	result := upkeeptest.JSON[web.RestoreResult](t, p, "backup", "restore", "1", "--dir", dir, "--database", name)
	if result.Files == 0 {
		t.Errorf("%+v", result)
	}
	sameTree(t, site.Root, filepath.Join(dir, "site"))
	if was, is := dumped(t, site, site.Database.Name), dumped(t, site, name); was != is {
		t.Errorf("the databases differ: %d and %d bytes", len(was), len(is))
	}
	// A second time the folder is not empty any more, nor the database.
	if out, code := p.Run(t, "backup", "restore", "1", "--dir", dir); code != 1 || !strings.Contains(out, "not empty") {
		t.Errorf("exit %d: %s", code, out)
	}
	if out, code := p.Run(t, "backup", "restore", "1", "--dir", dir+"-2", "--database", name); code != 1 || !strings.Contains(out, "not empty") {
		t.Errorf("exit %d: %s", code, out)
	}
	if was, is := dumped(t, site, site.Database.Name), dumped(t, site, name); was != is {
		t.Errorf("the database was changed")
	}
}

// dumped is a database as mariadb-dump sees it.
func dumped(t *testing.T, site *demo.Site, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "mariadb-dump", "--no-defaults", "--socket="+site.Database.Socket,
		"--skip-dump-date", "--skip-comments", "--order-by-primary", "--hex-blob", "--routines", "--triggers", "--events", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// sameTree fails unless rsync finds nothing to do, owners aside.
func sameTree(t *testing.T, a, b string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "diff", "-r", "--no-dereference", a, b).CombinedOutput()
	if err != nil {
		t.Errorf("%s differs from %s: %v\n%.2000s", b, a, err, out)
	}
	list := func(dir string) string {
		cmd := exec.CommandContext(t.Context(), "find", ".", "-type", "d", "-printf", `%p %y %m %T@\n`, "-o", "-printf", `%p %y %m %s %T@ %l\n`)
		cmd.Dir = dir
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(out), "\n")
		slices.Sort(lines)
		return strings.Join(lines, "\n")
	}
	if list(a) != list(b) {
		t.Errorf("modes or times of %s differ from %s", b, a)
	}
}

// Operators need nothing of ours: restic and the password restore the site.
func TestPlainResticRestoresTheSite(t *testing.T) {
	t.Parallel()
	site := upkeeptest.WordPress(t, upkeeptest.Small())
	p := upkeeptest.Adopt(t, site)
	upkeeptest.BackUp(t, p)
	before := upkeeptest.StateOf(t, site)
	target := filepath.Join(filepath.Dir(p.State), "by-restic")
	restic(t, p, "restore", "latest", "--target", target)
	sameTree(t, site.Root, filepath.Join(target, "site"))

	for _, dump := range []string{"DROP DATABASE `" + site.Database.Name + "`; CREATE DATABASE `" + site.Database.Name + "`"} {
		sql(t, site, dump)
	}
	files, err := filepath.Glob(filepath.Join(target, "database", "*.sql"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	slices.Sort(files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		sql(t, site, string(text))
	}
	upkeeptest.Same(t, before, site)
	upkeeptest.Works(t, site)
}

// restic runs restic on the program's vault.
func restic(t *testing.T, p *upkeeptest.Program, args ...string) string {
	t.Helper()
	password, code := p.Run(t, "vault", "password")
	if code != 0 {
		t.Fatalf("vault password: exit %d", code)
	}
	cmd := exec.CommandContext(t.Context(), "restic", append([]string{"--no-cache", "--repo", filepath.Join(p.State, "vault")}, args...)...)
	cmd.Env = append(os.Environ(), "RESTIC_PASSWORD="+strings.TrimSpace(password))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("restic %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func TestPruneKeepsPairs(t *testing.T) {
	t.Parallel()
	site := upkeeptest.WordPress(t, upkeeptest.Small())
	p := upkeeptest.Adopt(t, site, upkeeptest.Offers()[:2]...)
	old := upkeeptest.BackUp(t, p)
	for _, component := range []string{"event-diary", "lone-wolf"} {
		if out, code := p.Run(t, "site", "update", "shop", "--yes", "--only", component); code != 0 {
			t.Fatalf("exit %d\n%s", code, out)
		}
	}
	would := upkeeptest.JSON[web.PruneResult](t, p, "backup", "prune", "shop", "--keep-last", "1", "--dry-run")
	did := upkeeptest.JSON[web.PruneResult](t, p, "backup", "prune", "shop", "--keep-last", "1", "--yes")
	if len(would.Dropped) != len(did.Dropped) || len(did.Kept) == 0 {
		t.Errorf("would drop %d, dropped %d, kept %d", len(would.Dropped), len(did.Dropped), len(did.Kept))
	}
	kept := map[upkeep.InterventionID]int{}
	for _, b := range upkeeptest.JSON[[]web.Backup](t, p, "backup", "list", "shop") {
		kept[b.Intervention]++
		if b.ID == old.ID {
			t.Log("the manual backup is kept")
		}
		if check := upkeeptest.JSON[web.BackupCheck](t, p, "backup", "verify", b.ID.String(), "--deep"); !check.OK {
			t.Errorf("%+v", check)
		}
	}
	if kept[2] != 2 || kept[1] != 0 {
		t.Errorf("kept by intervention: %v", kept)
	}
	restic(t, p, "check", "--read-data")
	if out, code := p.Run(t, "backup", "restore", old.ID.String(), "--in-place", "--yes"); kept[0] == 0 && (code != 1 || !strings.Contains(out, "backup")) {
		t.Errorf("exit %d: %s", code, out)
	}
	restored := upkeeptest.JSON[web.RestoreResult](t, p, "backup", "restore", p.Last(t).Before.String(), "--in-place", "--yes")
	if !restored.Identity.Proven() {
		t.Errorf("%+v", restored)
	}
	upkeeptest.Works(t, site)
}
