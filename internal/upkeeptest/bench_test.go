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
	"upkeep/internal/agent/post"
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
	pluginSize = 500     // files of 8 KB in each plugin

	settled = 4 * time.Second // from when on a file counts as left alone, and a little
)

// large is a site of 1 GB of uploads and a 200 MB database.
func large(t *testing.T) *demo.Site {
	t.Helper()
	spec := demo.Spec{Extensions: append(offered("1.0"), fixtures.MustUse(fixtures.OpenComments, "1.0"), fixtures.Theme(fixtures.Paper, "1.0"))}
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

// offered are the releases of the update: five plugins of the size that
// plugins in use have.
func offered(version upkeep.Version) []fixtures.Release {
	var list []fixtures.Release
	for _, slug := range []string{fixtures.Guestbook, fixtures.Diary, fixtures.Crumbs, fixtures.Notes, fixtures.LeadForm} {
		list = append(list, fixtures.Plugin(slug, version).Sized(pluginSize))
	}
	return list
}

// rounds is how often the long ones are measured; the medians count.
func rounds(t *testing.T) int {
	if n, err := strconv.Atoi(os.Getenv("UPKEEP_BENCH_ROUNDS")); err == nil && n > 0 {
		return n
	}
	return 3
}

func TestBenchIntervention(t *testing.T) {
	var scripts, ours []result
	for n := range rounds(t) {
		t.Run(strconv.Itoa(n+1), func(t *testing.T) {
			scripts = append(scripts, careful(t, large(t)))
			ours = append(ours, intervention(t))
		})
	}
	script, own := medians(scripts), medians(ours)
	table(t, "Core and five plugins, 1 GB of uploads, 200 MB of database",
		row{"frozen", script.frozen, own.frozen}, row{"whole intervention", script.total, own.total},
		row{"frozen, were the script to prove no backup", script.frozen - script.proofBefore, own.frozen},
		row{"whole, were the script to prove no backup", script.total - script.proofBefore - script.proofAfter, own.total})
}

// intervention updates a site of its own by upkeep.
func intervention(t *testing.T) result {
	p := upkeeptest.AdoptWith(t, large(t), []string{"--majors"}, offered(plugins)...)
	started := time.Now()
	worker := p.Command(t, "site", "update", "shop", "--yes")
	must(t, worker.Start())
	memory := peakMemory(p, worker.Process.Pid)
	must(t, worker.Wait())
	r := result{total: time.Since(started)}
	iv := p.Last(t)
	if iv.State != upkeep.Done {
		t.Fatalf("ended %s: %v", iv.State, iv.Error)
	}
	r.frozen = iv.Frozen(time.Now())
	phases(t, p, iv)
	t.Logf("memory: control plane %d MB, agent %d MB at the most", (<-memory)[0]>>10, (<-memory)[1]>>10)
	return r
}

func TestBenchRollback(t *testing.T) {
	var theirs, ours []time.Duration
	for n := range rounds(t) {
		t.Run(strconv.Itoa(n+1), func(t *testing.T) {
			whole, undo := rollback(t)
			theirs, ours = append(theirs, whole), append(ours, undo)
		})
	}
	table(t, "Undo of a failed update of the same site, until it answers again",
		row{"undo", median(theirs), median(ours)})
}

// rollback has a site restored whole, and one undone.
func rollback(t *testing.T) (whole, undo time.Duration) {
	site := large(t)
	dir := t.TempDir()
	restic := resticAt(t, dir)
	must(t, dump(t, site, filepath.Join(site.Dir, "db.sql")))
	restic("backup", site.Root, filepath.Join(site.Dir, "db.sql"))
	p := upkeeptest.Adopt(t, site, fixtures.Plugin(fixtures.Guestbook, plugins).Sized(pluginSize).With(fixtures.HalfMigrate))
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
	whole = clock(func() {
		restic("restore", "latest", "--target", filepath.Join(dir, "out"))
		must(t, load(t, site, filepath.Join(dir, "out", site.Dir, "db.sql")))
	})
	return whole, thawed.Sub(undoing)
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
	at := &post.Local{Dir: filepath.Dir(p.AgentDir()), Guard: []string{"/bin/false"}}
	client, err := at.Start(t.Context(), filepath.Base(p.AgentDir()), site.Root)
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
	// What files say is remembered once they have been left alone for a while.
	time.Sleep(settled)
	take()
	for range 25 {
		again = append(again, clock(take))
	}
	table(t, "Inventory", row{"anew", median(boots), median(fresh)}, row{"unchanged", median(boots), median(again)})
}

// result is what a way of updating took.
type result struct {
	frozen, total           time.Duration
	proofBefore, proofAfter time.Duration // in them: reading backups back, where that is a step of its own
}

// medians takes each figure by itself.
func medians(list []result) result {
	of := func(get func(*result) time.Duration) time.Duration {
		var all []time.Duration
		for i := range list {
			all = append(all, get(&list[i]))
		}
		return median(all)
	}
	return result{
		of(func(r *result) time.Duration { return r.frozen }), of(func(r *result) time.Duration { return r.total }),
		of(func(r *result) time.Duration { return r.proofBefore }), of(func(r *result) time.Duration { return r.proofAfter }),
	}
}

// proof is how a script makes sure that a backup can be restored: restic reads
// all of the structure and a tenth of the content. Less than what we read back.
var proof = []string{"check", "--read-data-subset=10%"}

// careful updates a site the way a careful operator's script does: warm
// backup; maintenance, dump, backup, proof, the site's own upgraders for all
// plugins in one go, for core, for the database, pages looked at past the gate;
// maintenance off; dump, backup, proof again. Its packages are on this disk
// already.
func careful(t *testing.T, site *demo.Site) (r result) {
	t.Helper()
	restic := resticAt(t, t.TempDir())
	archives, version := packages(t)
	db := filepath.Join(site.Dir, "db.sql")
	gate := filepath.Join(site.Root, ".maintenance")
	closeGate := func() { must(t, os.WriteFile(gate, []byte(scriptGate), 0o644)) }
	secure := func() time.Duration {
		must(t, dump(t, site, db))
		restic("backup", site.Root, db)
		return clock(func() { restic(proof...) })
	}

	started := time.Now()
	restic("backup", site.Root)
	frozen := time.Now()
	closeGate()
	r.proofBefore = secure()
	code := upgraderCode
	for _, archive := range archives[1:] {
		code += fmt.Sprintf(`$up = new Plugin_Upgrader(new Automatic_Upgrader_Skin()); var_dump($up->install(%q, ['overwrite_package' => true]));`, archive)
	}
	run := func(code string) {
		_, err := site.PHP(t.Context(), code)
		must(t, err)
	}
	run(code)
	run(upgraderCode + fmt.Sprintf(`$offer = (object) ['response' => 'upgrade', 'current' => %[1]q, 'version' => %[1]q, 'locale' => 'en_US', 'packages' => (object) ['full' => %[2]q, 'no_content' => false, 'new_bundled' => false, 'partial' => false, 'rollback' => false], 'php_version' => '7.0', 'mysql_version' => '5.0', 'new_bundled' => '', 'partial_version' => '', 'download' => %[2]q];
		$up = new Core_Upgrader(new Automatic_Upgrader_Skin()); var_dump($up->upgrade($offer));`, version, archives[0]))
	closeGate() // the upgrader has opened it
	run(upgraderCode + `require_once ABSPATH . 'wp-admin/includes/upgrade.php'; wp_upgrade();`)
	for _, path := range []string{"", "?p=1", "wp-login.php", "?rest_route=/"} {
		must(t, look(t, site, path))
	}
	must(t, os.Remove(gate))
	r.frozen = time.Since(frozen)
	r.proofAfter = secure()
	r.total = time.Since(started)
	got, err := site.PHP(t.Context(), `require ABSPATH . 'wp-admin/includes/plugin.php'; global $wp_version; echo $wp_version; foreach (get_plugins() as $p) { echo ' ', $p['Version']; }`)
	must(t, err)
	if !strings.HasPrefix(got, version+" ") || strings.Count(got, " "+plugins) < len(archives)-1 {
		t.Fatalf("the script did not update: %q", got)
	}
	return r
}

// packages writes what the script installs where the site's account can read
// it, core first, and tells core's version.
func packages(t *testing.T) (archives []string, version string) {
	t.Helper()
	zips := t.TempDir()
	must(t, os.Chmod(zips, 0o755))
	must(t, os.Chmod(filepath.Dir(zips), 0o755))
	set, err := upkeeptest.World(t).Packages()
	must(t, err)
	core := set.Newest()
	zip, err := os.ReadFile(core.Zip)
	must(t, err)
	archives = []string{filepath.Join(zips, "core.zip")}
	must(t, os.WriteFile(archives[0], zip, 0o644))
	for _, release := range offered(plugins) {
		path, err := release.WriteZip(zips)
		must(t, err)
		must(t, os.Chmod(path, 0o644))
		archives = append(archives, path)
	}
	return archives, string(core.Version)
}

// scriptGate closes WordPress to all but the script's own upgraders and looks.
const scriptGate = "<?php $upgrading = PHP_SAPI === 'cli' || isset($_SERVER['HTTP_X_SCRIPT']) ? 0 : time() + 3600;"

// look is curl, past the script's gate.
func look(t *testing.T, site *demo.Site, path string) error {
	cmd := exec.CommandContext(t.Context(), "curl", "-sS", "--fail", "-L", "-o", "/dev/null", "-H", "X-Script: 1", strings.TrimSuffix(site.URL, "/")+"/"+path)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("curl %s: %w: %s", path, err, out)
	}
	return nil
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

// phases tells where the time went: how long after the one before each thing
// was noted.
func phases(t *testing.T, p *upkeeptest.Program, iv *upkeep.Intervention) {
	t.Helper()
	var b strings.Builder
	last := iv.Created
	for _, event := range upkeeptest.JSON[[]upkeep.Event](t, p, "intervention", "log", iv.ID.String()) {
		fmt.Fprintf(&b, "%8.3f s  %s %s\n", event.At.Sub(last).Seconds(), event.State, event.Code)
		last = event.At
	}
	t.Logf("after the one before:\n%s", b.String())
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
