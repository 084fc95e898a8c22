package archive_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/vault"
	"upkeep/internal/vault/archive"
	"upkeep/internal/vault/local"
)

// TestMain lets the binary be its own child: a process that can be killed.
func TestMain(m *testing.M) {
	if work := os.Getenv("UPKEEP_VAULT_CHILD"); work != "" {
		if err := child(work, os.Getenv("UPKEEP_VAULT_DIR"), os.Getenv("UPKEEP_VAULT_SITE")); err != nil {
			fmt.Println("child:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func child(work, dir, site string) error {
	ctx := context.Background()
	repo, err := vault.Open(ctx, local.Dir(dir), password)
	if err != nil {
		return err
	}
	fmt.Println("ready") // the parent starts to count
	if work == "keep out" {
		return keepOut(ctx, repo, site)
	}
	if work == "prune" {
		_, err := repo.Prune(ctx, vault.PruneOptions{Grace: -1, MaxUnused: -1})
		return err
	}
	held, release, err := repo.Lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	result, err := archive.Read(held, repo, []archive.Source{{Name: "site", Dir: site}}, archive.Options{Polynomial: repo.Polynomial()})
	if err != nil {
		return err
	}
	return repo.SaveSnapshot(held, &vault.Snapshot{Tree: &result.Tree, Paths: []string{site}})
}

// keepOut restores, as a user who is not root, where modes keep that user
// out: of folders that may not be written and ones that may not be entered.
func keepOut(ctx context.Context, repo *vault.Repository, site string) error {
	held, release, err := repo.Lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	sources := []archive.Source{{Name: "site", Dir: site}}
	options := archive.Options{Polynomial: repo.Polynomial(), InPlace: true}
	sub, deep := filepath.Join(site, "sub"), filepath.Join(site, "sub/deep")
	err = errors.Join(os.MkdirAll(deep, 0o755), os.WriteFile(filepath.Join(deep, "file"), []byte("a"), 0o444),
		os.WriteFile(filepath.Join(deep, "quarantined"), []byte("b"), 0), os.Chmod(deep, 0o555), os.Chmod(sub, 0o555))
	if err != nil {
		return err
	}
	result, err := archive.Read(held, repo, sources, options)
	if err != nil {
		return err
	}
	if _, err := repo.Flush(held); err != nil {
		return err
	}
	err = errors.Join(os.Chmod(deep, 0o755), os.Remove(filepath.Join(deep, "file")),
		os.WriteFile(filepath.Join(deep, "extra"), nil, 0o600), os.Chmod(deep, 0o500), os.Chmod(sub, 0))
	if err != nil {
		return err
	}
	if _, err := archive.Restore(held, repo, result.Tree, sources, options); err != nil {
		return err
	}
	now, err := archive.Scan(held, sources, options)
	if err != nil {
		return err
	}
	want, got := upkeep.Manifest{Entries: result.Entries}, upkeep.Manifest{Entries: now}
	if diffs := want.Compare(&got); len(diffs) > 0 {
		return fmt.Errorf("not as before: %v", diffs)
	}
	return errors.Join(os.Chmod(sub, 0o755), os.Chmod(deep, 0o755)) // for the cleanup
}

func TestRestoreWhereModesKeepUsOut(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("becoming another user needs root: run the tests as root")
	}
	const nobody = 65534
	// The child must reach its folders and its own program.
	base, err := os.MkdirTemp("/tmp", "upkeep-archive-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(base)
	program, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, dir: filepath.Join(base, "vault"), site: filepath.Join(base, "site")}
	if err := errors.Join(os.WriteFile(filepath.Join(base, "program"), program, 0o755), os.Chmod(base, 0o755),
		os.Mkdir(b.site, 0o755), os.Chown(b.site, nobody, nobody)); err != nil {
		t.Fatal(err)
	}
	if _, err := vault.Create(t.Context(), local.Dir(b.dir), password); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"", "data", "index", "keys", "locks", "snapshots", "config"} {
		path := filepath.Join(b.dir, folder)
		if err := os.MkdirAll(path, 0o700); err != nil && folder != "config" {
			t.Fatal(err)
		}
		if err := os.Chown(path, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	keys, _ := filepath.Glob(filepath.Join(b.dir, "keys/*"))
	if err := os.Chown(keys[0], nobody, nobody); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(base, "program"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	cmd.Env = append(os.Environ(), "UPKEEP_VAULT_CHILD=keep out", "UPKEEP_VAULT_DIR="+b.dir, "UPKEEP_VAULT_SITE="+b.site)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// kill starts a child at work and kills it after a while. It reports whether
// the child came to its end before.
func (b *bench) kill(work string, after time.Duration) (finished bool) {
	b.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "UPKEEP_VAULT_CHILD="+work, "UPKEEP_VAULT_DIR="+b.dir, "UPKEEP_VAULT_SITE="+b.site)
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	ready := make([]byte, 6)
	if _, err := out.Read(ready); err != nil {
		b.t.Fatal(err)
	}
	killer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	defer killer.Stop()
	rest := make([]byte, 4096)
	n, _ := out.Read(rest)
	err = cmd.Wait()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.Exited()) {
		b.t.Fatalf("child: %v %s", err, rest[:n])
	}
	return err == nil
}

// TestKilledAtAnyPointNothingCommittedIsLost backs up and prunes in
// processes that are killed, again and again, on one repository.
func TestKilledAtAnyPointNothingCommittedIsLost(t *testing.T) {
	b := setup(t)
	for i := range 6 {
		b.write(fmt.Sprintf("keep/%d", i), noise(2<<20))
	}
	first, _ := b.backup(b.options())
	committed := map[vault.ID][]upkeep.Entry{first.Tree: first.Entries}
	const rounds = 8
	finished := 0
	for round := range rounds {
		b.write(fmt.Sprintf("round/%d", round%3), noise(1+rand.IntN(6<<20)))
		work := "backup"
		if round%2 == 1 {
			work = "prune"
			b.forgetHalf(committed)
		}
		if b.kill(work, time.Duration(rand.IntN(150))*time.Millisecond) {
			finished++
		}
		b.collect(committed)
	}
	t.Logf("%d of %d children finished", finished, rounds)
	repo := reopen(t, b.dir)
	if _, err := repo.Prune(t.Context(), vault.PruneOptions{Grace: -1}); err != nil {
		t.Fatal(err)
	}
	b.check()
	for tree, entries := range committed {
		b.restores(repo, tree, entries)
	}
	// A child may be killed while it writes its lock; what it leaves then is no
	// lock yet, and goes an hour later.
	if locks, _ := filepath.Glob(filepath.Join(b.dir, "locks/[0-9a-f]*")); len(locks) != 0 {
		t.Errorf("%d locks stayed", len(locks))
	}
}

// collect adds the snapshots that children committed. What restic says of
// the repository must be good at every moment, but for data nobody needs.
func (b *bench) collect(committed map[vault.ID][]upkeep.Entry) {
	b.t.Helper()
	out, err := resticCommand(b.dir, "check", "--no-lock").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "no errors were found") {
		b.t.Fatalf("restic check: %v\n%s", err, out)
	}
	snapshots, err := b.repo.Snapshots(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	for _, s := range snapshots {
		if committed[*s.Tree] != nil {
			continue
		}
		entries, err := archive.Entries(b.t.Context(), b.repo, *s.Tree)
		if err != nil {
			b.t.Fatal(err)
		}
		committed[*s.Tree] = entries
	}
}

// forgetHalf forgets about half of the snapshots.
func (b *bench) forgetHalf(committed map[vault.ID][]upkeep.Entry) {
	b.t.Helper()
	snapshots, err := b.repo.Snapshots(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	for _, s := range snapshots[1:] {
		if rand.IntN(2) == 0 {
			b.forget(s.ID)
			delete(committed, *s.Tree)
		}
	}
}
