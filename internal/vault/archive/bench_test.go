//go:build bench

package archive_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"upkeep/internal/vault"
	"upkeep/internal/vault/archive"
	"upkeep/internal/vault/local"
)

// TestRatios prints how long each phase takes us and restic, on the same
// site, one after the other. Run it with -tags bench -run Ratios -v.
// UPKEEP_BENCH_MB sets the size of the uploads.
func TestRatios(t *testing.T) {
	base := t.TempDir()
	site := filepath.Join(base, "site")
	uploads := 600
	if s := os.Getenv("UPKEEP_BENCH_MB"); s != "" {
		fmt.Sscan(s, &uploads)
	}
	files := makeSite(t, site, uploads)
	t.Logf("%d files, %d MB of uploads", files, uploads)
	ours := &oursBench{t: t, dir: filepath.Join(base, "ours"), site: site, memory: filepath.Join(base, "memory")}
	theirs := &resticBench{t: t, dir: filepath.Join(base, "theirs"), site: site, cache: filepath.Join(base, "cache")}
	if _, err := vault.Create(t.Context(), local.Dir(ours.dir), password); err != nil {
		t.Fatal(err)
	}
	theirs.run("init")
	phase := func(name string, a, b func()) {
		x, y := clock(a), clock(b)
		t.Logf("%-20s ours %6.2f s   restic %6.2f s   ratio %.2f", name, x.Seconds(), y.Seconds(), x.Seconds()/y.Seconds())
	}
	phase("first", ours.backup, theirs.backup)
	time.Sleep(2500 * time.Millisecond) // past the racy span
	ours.backup()
	phase("unchanged", ours.backup, theirs.backup)
	phase("scan unchanged", ours.scan, theirs.backup)
	update(t, site, 1)
	phase("after update", ours.backup, theirs.backup)
	phase("whole restore", func() { ours.restore(filepath.Join(base, "r1"), false) }, func() { theirs.restore(filepath.Join(base, "r2")) })
	time.Sleep(2500 * time.Millisecond)
	ours.backup()
	update(t, site, 2)
	phase("difference restore", func() { ours.restore(site, true) }, func() { theirs.restore(filepath.Join(base, "r2")) })
	phase("same, no memory", func() { ours.memory += "x"; ours.restore(site, true) }, func() { theirs.restore(filepath.Join(base, "r2")) })
	phase("verify all", ours.verify, func() { theirs.run("check", "--read-data") })
	for _, dir := range []string{ours.dir, theirs.dir} {
		out, _ := exec.Command("du", "-sm", dir).Output()
		t.Logf("%s", out)
	}
}

// clock starts with nothing waiting to be written, which whoever syncs first
// would have to wait for.
func clock(f func()) time.Duration {
	unix.Sync()
	start := time.Now()
	f()
	return time.Since(start)
}

// makeSite makes 20,000 small files of text and uploads that do not compress.
func makeSite(t *testing.T, site string, megabytes int) int {
	random := rand.NewChaCha8([32]byte{1})
	words := []string{"function ", "return ", "$this->", "array(", ");\n", "wp_", "filter", "echo ", "if (", "'post'"}
	count := 0
	write := func(name string, data []byte) {
		path := filepath.Join(site, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		count++
	}
	for i := range 20_000 {
		var text []byte
		for size := 500 + int(random.Uint64()%20_000); len(text) < size; {
			text = append(text, words[random.Uint64()%10]...)
		}
		write(fmt.Sprintf("wp-content/plugins/p%d/inc%d/file%d.php", i/500, i/50%10, i), text)
	}
	for left := megabytes << 20; left > 0; {
		data := make([]byte, 100_000+int(random.Uint64()%2_000_000))
		_, _ = random.Read(data)
		write(fmt.Sprintf("wp-content/uploads/2024/%02d/img%d.jpg", left>>20%12, left), data)
		left -= len(data)
	}
	return count
}

// update rewrites 2,000 files, as a core update does.
func update(t *testing.T, site string, round int) {
	for i := range 2000 {
		path := filepath.Join(site, fmt.Sprintf("wp-content/plugins/p%d/inc%d/file%d.php", i/500, i/50%10, i))
		if err := os.WriteFile(path, []byte(fmt.Sprintf("<?php // %d %d", round, i)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

type oursBench struct {
	t                 *testing.T
	dir, site, memory string
	tree              vault.ID
	snapshot          vault.ID
}

func (o *oursBench) open() (*vault.Repository, archive.Options) {
	repo := reopen(o.t, o.dir)
	memory, err := archive.LoadMemory(o.memory)
	if err != nil {
		o.t.Fatal(err)
	}
	return repo, archive.Options{Polynomial: repo.Polynomial(), Memory: memory}
}

func (o *oursBench) backup() {
	repo, options := o.open()
	ctx, release, err := repo.Lock(o.t.Context())
	if err != nil {
		o.t.Fatal(err)
	}
	defer release()
	result, err := archive.Read(ctx, repo, []archive.Source{{Name: "site", Dir: o.site}}, options)
	if err != nil {
		o.t.Fatal(err)
	}
	s := &vault.Snapshot{Tree: &result.Tree, Paths: []string{o.site}}
	if err := repo.SaveSnapshot(ctx, s); err != nil {
		o.t.Fatal(err)
	}
	o.tree, o.snapshot = result.Tree, s.ID
	if err := options.Memory.Save(o.memory); err != nil {
		o.t.Fatal(err)
	}
}

func (o *oursBench) scan() {
	repo, options := o.open()
	start := time.Now()
	if _, err := archive.Scan(o.t.Context(), []archive.Source{{Name: "site", Dir: o.site}}, options); err != nil {
		o.t.Fatal(err)
	}
	o.t.Logf("scan itself: %v (repository %s…)", time.Since(start), repo.ID()[:8])
}

func (o *oursBench) restore(into string, inPlace bool) {
	repo, options := o.open()
	options.InPlace = inPlace
	stats, err := archive.Restore(o.t.Context(), repo, o.tree, []archive.Source{{Name: "site", Dir: into}}, options)
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Logf("%+v", *stats)
}

func (o *oursBench) verify() {
	repo, _ := o.open()
	if _, err := repo.Verify(o.t.Context(), o.snapshot, vault.VerifyOptions{Sample: 1}); err != nil {
		o.t.Fatal(err)
	}
}

type resticBench struct {
	t                *testing.T
	dir, site, cache string
}

func (r *resticBench) run(args ...string) {
	cmd := exec.Command("restic", append([]string{"-r", r.dir, "--cache-dir", r.cache}, args...)...)
	cmd.Env = append(os.Environ(), "RESTIC_PASSWORD="+password)
	if out, err := cmd.CombinedOutput(); err != nil {
		r.t.Fatalf("restic %v: %v\n%s", args, err, out)
	}
}

func (r *resticBench) backup()             { r.run("backup", r.site) }
func (r *resticBench) restore(into string) { r.run("restore", "latest", "--target", into) }
