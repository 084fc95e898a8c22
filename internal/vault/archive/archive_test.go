package archive_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/vault"
	"upkeep/internal/vault/archive"
	"upkeep/internal/vault/local"
)

const password = "correct horse battery staple"

// bench is a repository with a tree of files beside it.
type bench struct {
	t    *testing.T
	repo *vault.Repository
	dir  string // of the repository
	site string // folder to back up
}

func setup(t *testing.T) *bench {
	t.Helper()
	base := t.TempDir()
	b := &bench{t: t, dir: filepath.Join(base, "vault"), site: filepath.Join(base, "site")}
	repo, err := vault.Create(t.Context(), local.Dir(b.dir), password)
	if err != nil {
		t.Fatal(err)
	}
	b.repo = repo
	if err := os.Mkdir(b.site, 0o755); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) options() archive.Options {
	return archive.Options{Polynomial: b.repo.Polynomial()}
}

func (b *bench) sources() []archive.Source {
	return []archive.Source{{Name: "site", Dir: b.site}}
}

// backup stores the site and returns what was stored and its snapshot.
func (b *bench) backup(options archive.Options) (*archive.Result, *vault.Snapshot) {
	b.t.Helper()
	ctx, release, err := b.repo.Lock(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	defer release()
	result, err := archive.Read(ctx, b.repo, b.sources(), options)
	if err != nil {
		b.t.Fatal(err)
	}
	s := &vault.Snapshot{Tree: &result.Tree, Paths: []string{b.site}, Tags: []string{vault.SiteTag("shop")}}
	if err := b.repo.SaveSnapshot(ctx, s); err != nil {
		b.t.Fatal(err)
	}
	return result, s
}

// restic runs Debian's restic on the repository and returns what it prints.
func (b *bench) restic(args ...string) string {
	b.t.Helper()
	return restic(b.t, b.dir, args...)
}

func restic(t testing.TB, repo string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("restic"); err != nil {
		t.Fatal("restic is missing: apt-get install restic")
	}
	out, err := resticCommand(repo, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("restic %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func resticCommand(repo string, args ...string) *exec.Cmd {
	cmd := exec.Command("restic", append([]string{"-r", repo, "--no-cache"}, args...)...)
	cmd.Env = append(os.Environ(), "RESTIC_PASSWORD="+password)
	return cmd
}

func runRestic(repo string, args ...string) error { return resticCommand(repo, args...).Run() }

func contextWithTimeout(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), d)
}

func (b *bench) check() {
	b.t.Helper()
	out := b.restic("check", "--read-data")
	if !strings.Contains(out, "no errors were found") || strings.Contains(out, "not referenced") {
		b.t.Errorf("restic check says:\n%s", out)
	}
}

func (b *bench) write(name, content string) {
	b.t.Helper()
	path := filepath.Join(b.site, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) scan() []upkeep.Entry {
	b.t.Helper()
	entries, err := archive.Scan(b.t.Context(), b.sources(), b.options())
	if err != nil {
		b.t.Fatal(err)
	}
	return entries
}

// same fails the test where two manifests differ.
func same(t testing.TB, want, got []upkeep.Entry) {
	t.Helper()
	before, after := upkeep.Manifest{Entries: want}, upkeep.Manifest{Entries: got}
	if diffs := before.Compare(&after); len(diffs) > 0 {
		t.Errorf("%d differences: %v", len(diffs), diffs[:min(10, len(diffs))])
	}
}

func TestResticRestoresWhatWasRead(t *testing.T) {
	b := setup(t)
	b.write("index.php", "<?php echo 1;")
	b.write("wp-content/uploads/a.txt", strings.Repeat("hello ", 300_000))
	b.write("empty", "")
	result, snapshot := b.backup(b.options())
	same(t, result.Entries, b.scan())
	b.check()
	target := t.TempDir()
	b.restic("restore", snapshot.ID.String(), "--target", target)
	restored, err := archive.Scan(t.Context(), []archive.Source{{Name: "site", Dir: filepath.Join(target, "site")}}, b.options())
	if err != nil {
		t.Fatal(err)
	}
	same(t, result.Entries, restored)
	stored, err := archive.Entries(t.Context(), b.repo, result.Tree)
	if err != nil {
		t.Fatal(err)
	}
	same(t, result.Entries, stored)
	t.Log(b.restic("ls", "-l", snapshot.ID.String()), b.restic("snapshots"))
}

// damage changes the site in every way that an update or an attacker might.
func (b *bench) damage() {
	b.t.Helper()
	for _, step := range []func() error{
		func() error { return os.Remove(filepath.Join(b.site, "index.php")) },
		func() error { return os.MkdirAll(filepath.Join(b.site, "index.php/now/a/folder"), 0o755) },
		func() error { return os.RemoveAll(filepath.Join(b.site, "wp-content/uploads")) },
		func() error { return os.Symlink("/etc", filepath.Join(b.site, "wp-content/uploads")) },
		func() error { return os.WriteFile(filepath.Join(b.site, "empty"), []byte("x"), 0o600) },
		func() error { return os.WriteFile(filepath.Join(b.site, "extra"), nil, 0o600) },
		func() error { return os.Chmod(filepath.Join(b.site, "readme"), 0o4711) },
		func() error { return os.Remove(filepath.Join(b.site, "other name")) },
	} {
		if err := step(); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *bench) fill() {
	b.t.Helper()
	b.write("index.php", "<?php echo 1;")
	b.write("wp-content/uploads/a.txt", strings.Repeat("hello ", 300_000))
	b.write("empty", "")
	b.write("readme", "read me")
	b.write("one name", "linked")
	if err := os.Link(filepath.Join(b.site, "one name"), filepath.Join(b.site, "other name")); err != nil {
		b.t.Fatal(err)
	}
}

func TestRestoreInPlaceGivesBackTheOriginal(t *testing.T) {
	b := setup(t)
	b.fill()
	result, _ := b.backup(b.options())
	b.damage()
	options := b.options()
	options.InPlace = true
	diffs, err := archive.Differences(t.Context(), b.repo, result.Tree, b.sources(), options)
	if err != nil || len(diffs) < 8 {
		t.Fatalf("%d differences, %v: %v", len(diffs), err, diffs)
	}
	stats, err := archive.Restore(t.Context(), b.repo, result.Tree, b.sources(), options)
	if err != nil {
		t.Fatal(err)
	}
	same(t, result.Entries, b.scan())
	t.Logf("%+v", *stats)
	again, err := archive.Restore(t.Context(), b.repo, result.Tree, b.sources(), options)
	if err != nil || again.Changed+again.Removed > 0 {
		t.Errorf("restoring twice: %+v, %v", again, err)
	}
}

func TestRestoreIntoAnEmptyFolder(t *testing.T) {
	b := setup(t)
	b.fill()
	result, _ := b.backup(b.options())
	target := []archive.Source{{Name: "site", Dir: filepath.Join(t.TempDir(), "new")}}
	if _, err := archive.Restore(t.Context(), b.repo, result.Tree, target, b.options()); err != nil {
		t.Fatal(err)
	}
	entries, err := archive.Scan(t.Context(), target, b.options())
	if err != nil {
		t.Fatal(err)
	}
	same(t, result.Entries, entries)
	_, err = archive.Restore(t.Context(), b.repo, result.Tree, target, b.options())
	if upkeep.CodeOf(err) != upkeep.CodeConflict {
		t.Errorf("into a folder that is not empty: %v", err)
	}
}

// "a.php" sorts between "a" and "a/b", as WordPress's blocks do.
func TestAFolderIsRemovedWithANeighbourOfItsName(t *testing.T) {
	b := setup(t)
	b.fill()
	result, _ := b.backup(b.options())
	for _, name := range []string{"later/deep", "later.d/deep"} {
		if err := os.MkdirAll(filepath.Join(b.site, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"later.php", "later/file", "later/deep/file", "later/deep.php", "later.d/deep/file"} {
		if err := os.WriteFile(filepath.Join(b.site, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	options := b.options()
	options.InPlace = true
	if _, err := archive.Restore(t.Context(), b.repo, result.Tree, b.sources(), options); err != nil {
		t.Fatal(err)
	}
	same(t, result.Entries, b.scan())
}
