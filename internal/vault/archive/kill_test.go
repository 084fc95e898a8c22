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
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/vault"
	"upkeep/internal/vault/archive"
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
	repo, err := vault.Open(ctx, vault.Dir(dir), password)
	if err != nil {
		return err
	}
	fmt.Println("ready") // the parent starts to count
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
	if locks, _ := filepath.Glob(filepath.Join(b.dir, "locks/*")); len(locks) != 0 {
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
