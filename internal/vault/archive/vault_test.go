package archive_test

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/vault"
	"upkeep/internal/vault/archive"
	"upkeep/internal/vault/local"
)

func sum(data []byte) [32]byte { return sha256.Sum256(data) }

// noise is n bytes that do not compress.
func noise(n int) string {
	data := make([]byte, n)
	_, _ = rand.Read(data)
	return string(data)
}

func reopen(t *testing.T, dir string) *vault.Repository {
	t.Helper()
	repo, err := vault.Open(t.Context(), local.Dir(dir), password)
	if err != nil {
		t.Fatal(err)
	}
	return repo
}

func (b *bench) forget(ids ...vault.ID) {
	b.t.Helper()
	ctx, release, err := b.repo.Lock(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	defer release()
	if err := b.repo.Forget(ctx, ids...); err != nil {
		b.t.Fatal(err)
	}
}

// restores proves that a stored tree gives back these entries.
func (b *bench) restores(repo *vault.Repository, tree vault.ID, want []upkeep.Entry) {
	b.t.Helper()
	target := []archive.Source{{Name: "site", Dir: filepath.Join(b.t.TempDir(), "restored")}}
	if _, err := archive.Restore(b.t.Context(), repo, tree, target, b.options()); err != nil {
		b.t.Fatal(err)
	}
	got, err := archive.Scan(b.t.Context(), target, b.options())
	if err != nil {
		b.t.Fatal(err)
	}
	same(b.t, want, got)
}

func TestPruneKeepsWhatIsReferred(t *testing.T) {
	b := setup(t)
	for i := range 12 {
		b.write(fmt.Sprintf("old/%d", i), noise(3<<20))
	}
	b.write("both", noise(5<<20))
	_, first := b.backup(b.options())
	if err := os.RemoveAll(filepath.Join(b.site, "old")); err != nil {
		t.Fatal(err)
	}
	b.write("new", noise(1<<20))
	result, second := b.backup(b.options())
	b.forget(first.ID)
	kept, err := b.repo.Prune(t.Context(), vault.PruneOptions{})
	if err != nil || kept.Removed > 0 {
		t.Fatalf("within grace: %+v, %v", kept, err)
	}
	b.check()
	pruned, err := b.repo.Prune(t.Context(), vault.PruneOptions{Grace: -1, MaxUnused: -1})
	if err != nil {
		t.Fatal(err)
	}
	if kept.Repacked > 0 || pruned.Freed < 36<<20 || pruned.Unused != 0 { // what is unused within grace stays where it is
		t.Errorf("%+v, then %+v: want 36 MiB freed and nothing unused", kept, pruned)
	}
	b.check()
	b.restores(b.repo, result.Tree, result.Entries)
	b.restores(reopen(t, b.dir), result.Tree, result.Entries)
	if _, err := b.repo.Verify(t.Context(), second.ID, vault.VerifyOptions{Sample: 1}); err != nil {
		t.Error(err)
	}
}

func TestManySmallPacksArePutTogether(t *testing.T) {
	b := setup(t)
	for i := range 20 {
		b.write("counter", fmt.Sprint(i))
		b.backup(b.options())
	}
	pruned, err := b.repo.Prune(t.Context(), vault.PruneOptions{Grace: -1})
	if err != nil || pruned.Repacked < 40 {
		t.Fatalf("%+v, %v", pruned, err)
	}
	packs, err := filepath.Glob(filepath.Join(b.dir, "data/*/*"))
	if err != nil || len(packs) != 2 {
		t.Errorf("%d packs, %v", len(packs), err)
	}
	b.check()
}

func TestWeReadWhatResticWrites(t *testing.T) {
	b := setup(t)
	b.fill()
	b.write("large", noise(20<<20))
	want, _ := b.backup(b.options())
	b.restic("backup", b.site)
	b.write("more", "more")
	b.restic("backup", b.site)
	b.restic("forget", "--keep-last", "1", "--group-by", "host", "--prune", "--max-unused", "0")
	b.check()
	repo := reopen(t, b.dir)
	snapshots, err := repo.Snapshots(t.Context())
	if err != nil || len(snapshots) != 1 {
		t.Fatalf("%d snapshots, %v", len(snapshots), err)
	}
	if snapshots[0].Site() != "" {
		t.Fatal("restic kept our snapshot, not its own")
	}
	if _, err := repo.Verify(t.Context(), snapshots[0].ID, vault.VerifyOptions{Sample: 1}); err != nil {
		t.Error(err)
	}
	// restic keeps the whole path to what it backs up.
	entries, err := archive.Entries(t.Context(), repo, *snapshots[0].Tree)
	if err != nil {
		t.Fatal(err)
	}
	prefix := strings.TrimPrefix(b.site, "/") + "/"
	found := map[string]string{}
	for _, e := range entries {
		if rest, ok := strings.CutPrefix(string(e.Path), prefix); ok {
			found["site/"+rest] = e.Content
		}
	}
	for _, e := range want.Entries {
		if e.Type == "file" && found[string(e.Path)] != e.Content {
			t.Errorf("%s differs", e.Path)
		}
	}
	// The open repository notices that packs moved.
	if _, err := b.repo.Verify(t.Context(), snapshots[0].ID, vault.VerifyOptions{Sample: 1}); err != nil {
		t.Error(err)
	}
}

func TestVerifyNamesTheDamagedPack(t *testing.T) {
	for _, c := range []struct {
		name   string
		sample float64
		damage func(path string) error
	}{
		{"flipped bit", 1, func(path string) error {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			data[len(data)/2] ^= 1
			return os.WriteFile(path, data, 0o600)
		}},
		{"cut short", 0, func(path string) error { return os.Truncate(path, 1000) }},
		{"removed", 0, os.Remove},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := setup(t)
			b.write("large", noise(3<<20))
			_, snapshot := b.backup(b.options())
			packs, err := filepath.Glob(filepath.Join(b.dir, "data/*/*"))
			if err != nil || len(packs) != 2 {
				t.Fatalf("%d packs, %v", len(packs), err)
			}
			largest := packs[0]
			if a, _ := os.Stat(packs[0]); a.Size() < 1<<20 {
				largest = packs[1]
			}
			if err := c.damage(largest); err != nil {
				t.Fatal(err)
			}
			_, err = b.repo.Verify(t.Context(), snapshot.ID, vault.VerifyOptions{Sample: c.sample})
			if upkeep.CodeOf(err) != upkeep.CodeDamaged || upkeep.HintOf(err) == "" || !strings.Contains(err.Error(), filepath.Base(largest)) {
				t.Errorf("verify says: %v", err)
			}
			if _, err := b.repo.Prune(t.Context(), vault.PruneOptions{Grace: -1}); c.sample == 0 && upkeep.CodeOf(err) != upkeep.CodeDamaged {
				t.Errorf("prune says: %v", err)
			}
		})
	}
}

func TestVerifyBlobsReadsBackWhatWasJustWritten(t *testing.T) {
	b := setup(t)
	b.write("large", noise(40<<20))
	ctx, release, err := b.repo.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if _, err := archive.Read(ctx, b.repo, b.sources(), b.options()); err != nil {
		t.Fatal(err)
	}
	written, err := b.repo.Flush(ctx)
	if err != nil || len(written) < 20 {
		t.Fatalf("%d blobs, %v", len(written), err)
	}
	if err := b.repo.VerifyBlobs(ctx, written); err != nil {
		t.Error(err)
	}
	packs, _ := filepath.Glob(filepath.Join(b.dir, "data/*/*"))
	f, err := os.OpenFile(packs[0], os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("damage"), 100); err != nil {
		t.Fatal(err)
	}
	err = b.repo.VerifyBlobs(ctx, written)
	if upkeep.CodeOf(err) != upkeep.CodeDamaged || !strings.Contains(err.Error(), filepath.Base(packs[0])) {
		t.Errorf("verify says: %v", err)
	}
}

func TestLocksAreHonouredBothWays(t *testing.T) {
	b := setup(t)
	b.fill()
	_, snapshot := b.backup(b.options())
	_, release, err := b.repo.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// restic asks with SIGHUP whether we live: this process must survive.
	b.restic("unlock")
	if locks, _ := filepath.Glob(filepath.Join(b.dir, "locks/*")); len(locks) != 1 {
		t.Errorf("%d locks: want ours", len(locks))
	}
	other := reopen(t, b.dir)
	short, cancel := contextWithTimeout(t, 2*time.Second)
	defer cancel()
	if _, err := other.Prune(short, vault.PruneOptions{}); upkeep.CodeOf(err) != upkeep.CodeConflict {
		t.Errorf("prune under a shared lock: %v", err)
	}
	if err := runRestic(b.dir, "prune"); err == nil {
		t.Error("restic prunes under our lock")
	}
	release()
	release()
	b.restic("prune")
	if _, err := b.repo.Snapshot(t.Context(), snapshot.ID); err != nil {
		t.Error(err)
	}
	if locks, _ := filepath.Glob(filepath.Join(b.dir, "locks/*")); len(locks) != 0 {
		t.Errorf("%d locks stayed", len(locks))
	}
}

func TestCreateNeverOverwrites(t *testing.T) {
	b := setup(t)
	b.fill()
	result, _ := b.backup(b.options())
	if _, err := vault.Create(t.Context(), local.Dir(b.dir), "other"); upkeep.CodeOf(err) != upkeep.CodeConflict {
		t.Errorf("create over a repository: %v", err)
	}
	if _, err := vault.Open(t.Context(), local.Dir(b.dir), "wrong"); upkeep.CodeOf(err) != upkeep.CodeUnauthorized {
		t.Errorf("wrong password: %v", err)
	}
	if _, err := vault.Open(t.Context(), local.Dir(t.TempDir()), password); upkeep.CodeOf(err) != upkeep.CodeNotFound {
		t.Errorf("no repository: %v", err)
	}
	if err := b.repo.AddPassword(t.Context(), "second"); err != nil {
		t.Fatal(err)
	}
	repo, err := vault.Open(t.Context(), local.Dir(b.dir), "second")
	if err != nil {
		t.Fatal(err)
	}
	b.restores(repo, result.Tree, result.Entries)
	// Even when its config is lost, what is left is not written over.
	if err := os.Remove(filepath.Join(b.dir, "config")); err != nil {
		t.Fatal(err)
	}
	if _, err := vault.Create(t.Context(), local.Dir(b.dir), password); upkeep.CodeOf(err) != upkeep.CodeConflict {
		t.Errorf("create over remains: %v", err)
	}
}

func TestScopeShowsAHostOnlyItsOwnBackups(t *testing.T) {
	b := setup(t)
	b.fill()
	mine, _ := b.backup(b.options())
	b.write("index.php", "another site's secret")
	other, _ := b.backup(b.options())
	scope := vault.Scoped(b.repo, []vault.ID{mine.Tree})
	if _, err := archive.Entries(t.Context(), scope, other.Tree); upkeep.CodeOf(err) != upkeep.CodeUnauthorized {
		t.Errorf("another's tree: %v", err)
	}
	file, err := archive.Open(t.Context(), scope, mine.Tree, "site/index.php")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	content := make([]byte, 13)
	if _, err := file.Read(content); err != nil || string(content) != "<?php echo 1;" {
		t.Errorf("%q, %v", content, err)
	}
	for _, e := range other.Entries {
		if string(e.Path) == "site/index.php" && e.Content == "" {
			t.Fatal("no content to steal")
		}
	}
}
