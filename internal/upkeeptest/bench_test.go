//go:build bench

package upkeeptest_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/agent"
	"upkeep/internal/demo"
	"upkeep/internal/demo/fixtures"
	"upkeep/internal/upkeeptest"
)

// The figures of doc/performance.md. Each is measured beside what an operator
// would use today, in the same run.

const (
	uploads    = 1 << 30 // bytes of files of the site
	uploadSize = 2 << 20 // bytes of each
	rowText    = 2000    // bytes of each row
	rowCount   = 100_000 // 200 MB
	plugins    = "1.1"   // version that the update brings
)

// large is a site of 1 GB of uploads and a 200 MB database.
func large(t *testing.T) *demo.Site {
	t.Helper()
	spec := small()
	spec.Extensions = append(spec.Extensions, fixtures.Plugin(fixtures.Notes, "1.0"), fixtures.Plugin(fixtures.LeadForm, "1.0"))
	site := upkeeptest.WordPress(t, spec)
	dir := filepath.Join(site.Content, "uploads", "bench")
	uid, gid := upkeeptest.World(t).Account()
	must(t, os.MkdirAll(dir, 0o755))
	block := make([]byte, uploadSize)
	for i := range uploads / uploadSize {
		_, err := rand.Read(block)
		must(t, err)
		path := filepath.Join(dir, strconv.Itoa(i)+".bin")
		must(t, os.WriteFile(path, block, 0o644))
		must(t, os.Chown(path, uid, gid))
	}
	must(t, os.Chown(dir, uid, gid))
	_, err := site.SQL(t.Context(), fmt.Sprintf(`CREATE TABLE wp_bench (id INT AUTO_INCREMENT PRIMARY KEY, text MEDIUMTEXT, n INT);
		INSERT INTO wp_bench (text, n) SELECT REPEAT(MD5(seq), %d), seq FROM seq_1_to_%d;`, rowText/32, rowCount))
	must(t, err)
	return site
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// offered are the releases of the update: five plugins.
func offered() []fixtures.Release {
	var list []fixtures.Release
	for _, slug := range []string{fixtures.Guestbook, fixtures.Diary, fixtures.LoneWolf, fixtures.Notes, fixtures.LeadForm} {
		list = append(list, fixtures.Plugin(slug, plugins))
	}
	return list
}

func TestBenchIntervention(t *testing.T) {
	site := large(t)
	script := careful(t, site)

	ours := large(t)
	p := upkeeptest.AdoptWith(t, ours, []string{"--majors"}, offered()...)
	started := time.Now()
	worker := p.Command(t, "site", "update", "shop", "--yes")
	must(t, worker.Start())
	memory := peakMemory(p, worker.Process.Pid)
	must(t, worker.Wait())
	total := time.Since(started)
	iv := p.Last(t)
	if iv.State != upkeep.Done {
		t.Fatalf("ended %s: %v", iv.State, iv.Error)
	}
	frozen := iv.Frozen(time.Now())

	table(t, "Core and five plugins, 1 GB of uploads, 200 MB of database",
		row{"frozen", script.frozen, frozen}, row{"whole intervention", script.total, total})
	t.Logf("memory: control plane %d MB, agent %d MB at the most", (<-memory)[0]>>10, (<-memory)[1]>>10)
}

func TestBenchRollback(t *testing.T) {
	site := large(t)
	dir := t.TempDir()
	restic := resticAt(t, dir)
	must(t, dump(t, site, filepath.Join(site.Dir, "db.sql")))
	restic("backup", site.Root, filepath.Join(site.Dir, "db.sql"))
	p := upkeeptest.Adopt(t, site, fixtures.Plugin(fixtures.Guestbook, plugins).With(fixtures.HalfMigrate))
	p.Run(t, "site", "update", "shop", "--yes")
	var undoing, thawed time.Time
	for _, event := range upkeeptest.JSON[[]upkeep.Event](t, p, "intervention", "log", p.Last(t).ID.String()) {
		if event.State == upkeep.Undoing && event.Code == "state" {
			undoing = event.At
		}
		if event.State == upkeep.Concluding && event.Code == "state" {
			thawed = event.At
		}
	}
	whole := clock(func() {
		restic("restore", "latest", "--target", filepath.Join(dir, "out"))
		must(t, load(t, site, filepath.Join(dir, "out", site.Dir, "db.sql")))
	})
	table(t, "Undo of a failed update of the same site, until it answers again",
		row{"undo", whole, thawed.Sub(undoing)})
}

func TestBenchInventory(t *testing.T) {
	site := upkeeptest.WordPress(t, demo.Spec{})
	p := upkeeptest.Adopt(t, site)
	var boots, fresh, again []time.Duration
	for range 5 {
		boots = append(boots, clock(func() {
			_, err := site.PHP(t.Context(), `require ABSPATH . 'wp-admin/includes/plugin.php'; echo count(get_plugins());`)
			must(t, err)
		}))
	}
	client, err := agent.Start(t.Context(), agent.Launch{Dir: p.AgentDir(), Root: site.Root, Command: []string{"/bin/false"}})
	must(t, err)
	defer client.Close()
	take := func() {
		_, err := client.Inventory(t.Context())
		must(t, err)
	}
	take()
	for range 5 {
		must(t, filepath.WalkDir(site.Content, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			return os.Chtimes(path, time.Time{}, time.Now()) // its change time shows it
		}))
		fresh = append(fresh, clock(take))
	}
	for range 5 {
		again = append(again, clock(take))
	}
	table(t, "Inventory", row{"anew", median(boots), median(fresh)}, row{"unchanged", median(boots), median(again)})
}

// result is what a way of updating took.
type result struct{ frozen, total time.Duration }

// careful updates a site the way a careful operator's script does: warm
// backup, maintenance, dump, backup, the site's own upgrader, pages looked at,
// maintenance off, dump and backup again.
func careful(t *testing.T, site *demo.Site) result {
	t.Helper()
	dir := t.TempDir()
	restic := resticAt(t, dir)
	zips := t.TempDir()
	var archives []string
	for _, release := range offered() {
		path, err := release.WriteZip(zips)
		must(t, err)
		must(t, os.Chmod(path, 0o644))
		archives = append(archives, path)
	}
	must(t, os.Chmod(zips, 0o755))
	must(t, os.Chmod(filepath.Dir(zips), 0o755))
	set, err := upkeeptest.World(t).Packages()
	must(t, err)
	core := set.Newest()
	zip, err := os.ReadFile(core.Zip)
	must(t, err)
	coreZip := filepath.Join(zips, "core.zip")
	must(t, os.WriteFile(coreZip, zip, 0o644))
	db := filepath.Join(site.Dir, "db.sql")
	gate := filepath.Join(site.Root, ".maintenance")

	started := time.Now()
	restic("backup", site.Root)
	frozen := time.Now()
	must(t, os.WriteFile(gate, []byte("<?php $upgrading = PHP_SAPI === 'cli' ? 0 : time() + 3600;"), 0o644))
	must(t, dump(t, site, db))
	restic("backup", site.Root, db)
	for _, archive := range archives {
		_, err := site.PHP(t.Context(), upgraderCode+fmt.Sprintf(`$up = new Plugin_Upgrader(new Automatic_Upgrader_Skin()); var_dump($up->install(%q, ['overwrite_package' => true]));`, archive))
		must(t, err)
	}
	_, err = site.PHP(t.Context(), upgraderCode+fmt.Sprintf(`$offer = (object) ['response' => 'upgrade', 'current' => %[1]q, 'version' => %[1]q, 'locale' => 'en_US', 'packages' => (object) ['full' => %[2]q, 'no_content' => false, 'new_bundled' => false, 'partial' => false, 'rollback' => false], 'php_version' => '7.0', 'mysql_version' => '5.0', 'new_bundled' => '', 'partial_version' => '', 'download' => %[2]q];
		$up = new Core_Upgrader(new Automatic_Upgrader_Skin()); var_dump($up->upgrade($offer));`, string(core.Version), coreZip))
	must(t, err)
	_, err = site.PHP(t.Context(), upgraderCode+`require_once ABSPATH . 'wp-admin/includes/upgrade.php'; wp_upgrade();`)
	must(t, err)
	if err := os.Remove(gate); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, path := range []string{"", "?p=1", "wp-login.php", "?rest_route=/"} {
		_, err := upkeeptest.Get(t.Context(), site, path)
		must(t, err)
	}
	r := result{frozen: time.Since(frozen)}
	must(t, dump(t, site, db))
	restic("backup", site.Root, db)
	r.total = time.Since(started)
	got, err := site.PHP(t.Context(), `require ABSPATH . 'wp-admin/includes/plugin.php'; global $wp_version; echo $wp_version; foreach (get_plugins() as $p) { echo ' ', $p['Version']; }`)
	must(t, err)
	if !strings.HasPrefix(got, string(core.Version)+" ") || strings.Count(got, " "+plugins) < len(archives) {
		t.Fatalf("the script did not update: %q", got)
	}
	return r
}

const upgraderCode = `define('FS_METHOD', 'direct'); require_once ABSPATH . 'wp-admin/includes/admin.php'; require_once ABSPATH . 'wp-admin/includes/class-wp-upgrader.php'; `

func resticAt(t *testing.T, dir string) func(args ...string) {
	t.Helper()
	run := func(args ...string) {
		cmd := exec.CommandContext(t.Context(), "restic", append([]string{"-q", "-r", filepath.Join(dir, "restic")}, args...)...)
		cmd.Env = append(os.Environ(), "RESTIC_PASSWORD=bench", "RESTIC_CACHE_DIR="+filepath.Join(dir, "cache"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("restic %v: %v: %s", args, err, out)
		}
	}
	run("init")
	return run
}

func dump(t *testing.T, site *demo.Site, path string) error {
	cmd := exec.CommandContext(t.Context(), "mariadb-dump", "--no-defaults", "--socket="+site.Database.Socket, "--single-transaction",
		"--routines", "--triggers", "--events", "--result-file="+path, site.Database.Name)
	return cmd.Run()
}

func load(t *testing.T, site *demo.Site, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	cmd := exec.CommandContext(t.Context(), "mariadb", "--no-defaults", "--socket="+site.Database.Socket, site.Database.Name)
	cmd.Stdin = f
	return cmd.Run()
}

// peakMemory watches the resident sizes of the program and of the agent, in
// kB, until the program ends; it then sends the largest twice.
func peakMemory(p *upkeeptest.Program, pid int) <-chan [2]int {
	peaks := make(chan [2]int, 2)
	go func() {
		var most [2]int
		for {
			own, alive := resident(pid, "VmHWM")
			if !alive {
				peaks <- most
				peaks <- most
				return
			}
			most[0] = max(most[0], own)
			for _, agent := range upkeeptest.Processes("agent\x00run", p.AgentDir()) {
				size, _ := resident(agent, "VmHWM")
				most[1] = max(most[1], size)
			}
			time.Sleep(100 * time.Millisecond)
		}
	}()
	return peaks
}

func resident(pid int, what string) (kb int, alive bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil || !bytes.Contains(text, []byte(what)) {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, what+":"); ok {
			kb, _ = strconv.Atoi(strings.Fields(rest)[0])
		}
	}
	return kb, true
}

// row is one line of a table of figures.
type row struct {
	what         string
	theirs, ours time.Duration
}

func table(t *testing.T, title string, rows ...row) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s\n\n| | script | upkeep | ratio |\n|---|---|---|---|\n", title)
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %.3g s | %.3g s | %.3f |\n", r.what, r.theirs.Seconds(), r.ours.Seconds(), r.ours.Seconds()/r.theirs.Seconds())
	}
	t.Log(b.String())
}

func clock(fn func()) time.Duration {
	started := time.Now()
	fn()
	return time.Since(started)
}

func median(list []time.Duration) time.Duration {
	slices.Sort(list)
	return list[len(list)/2]
}
