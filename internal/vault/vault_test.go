package vault_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/vault"
	"upkeep/internal/vault/local"
)

const password = "correct horse battery staple"

func create(t *testing.T) (*vault.Repository, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "vault")
	repo, err := vault.Create(t.Context(), local.Dir(dir), password)
	if err != nil {
		t.Fatal(err)
	}
	return repo, dir
}

func restic(t *testing.T, dir string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("restic"); err != nil {
		t.Fatal("restic is missing: apt-get install restic")
	}
	cmd := exec.Command("restic", append([]string{"-r", dir, "--no-cache"}, args...)...)
	cmd.Env = append(os.Environ(), "RESTIC_PASSWORD="+password)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("restic %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// store saves blobs from many goroutines, each blob twice, with a tree that
// refers to all of them.
func store(t *testing.T, repo *vault.Repository, blobs [][]byte) *vault.Snapshot {
	t.Helper()
	ctx, release, err := repo.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	var group sync.WaitGroup
	var refs []string
	size := 0
	for _, data := range blobs {
		id := vault.ID(sha256.Sum256(data))
		refs = append(refs, `"`+id.String()+`"`)
		size += len(data)
		for range 2 {
			group.Go(func() {
				if err := repo.Save(ctx, vault.DataBlob, id, data); err != nil {
					t.Error(err)
				}
			})
		}
	}
	group.Wait()
	const when = `"2026-01-02T03:04:05Z"`
	text := fmt.Appendf(nil, `{"nodes":[{"name":"all","type":"file","mode":420,"mtime":%s,"atime":%s,"ctime":%s,"uid":0,"gid":0,"size":%d,"links":1,"content":[%s]}]}`+"\n",
		when, when, when, size, strings.Join(refs, ","))
	tree := vault.ID(sha256.Sum256(text))
	if err := repo.Save(ctx, vault.TreeBlob, tree, text); err != nil {
		t.Fatal(err)
	}
	s := &vault.Snapshot{Tree: &tree, Paths: []string{"/srv/shop"}, Tags: []string{vault.SiteTag("shop"), vault.MomentTag(upkeep.Before)}}
	if err := repo.SaveSnapshot(ctx, s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestBlobsOfEverySizeComeBackAndResticAgrees(t *testing.T) {
	repo, dir := create(t)
	var blobs [][]byte
	for _, size := range []int{1, 31, 4096, 1 << 20, 8 << 20} {
		for i := range 3 {
			data := make([]byte, size)
			for j := range data {
				data[j] = byte(i * j * (size + j) >> 7)
			}
			data[0] = byte(i)
			blobs = append(blobs, data)
		}
	}
	s := store(t, repo, blobs)
	if out := restic(t, dir, "check", "--read-data"); !strings.Contains(out, "no errors were found") {
		t.Error(out)
	}
	if out := restic(t, dir, "cat", "snapshot", s.ID.String()); !strings.Contains(out, "moment:before") {
		t.Error(out)
	}
	again, err := vault.Open(t.Context(), local.Dir(dir), password)
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range blobs {
		id := vault.ID(sha256.Sum256(data))
		got, err := again.Load(t.Context(), vault.DataBlob, id)
		if err != nil || !slices.Equal(got, data) {
			t.Errorf("%d bytes came back as %d: %v", len(data), len(got), err)
		}
	}
	var none vault.ID
	if _, err := again.Load(t.Context(), vault.DataBlob, none); upkeep.CodeOf(err) != upkeep.CodeNotFound {
		t.Errorf("a blob that was never stored: %v", err)
	}
}

func TestSaveRefusesWhatIsNotAsked(t *testing.T) {
	repo, _ := create(t)
	id := vault.ID(sha256.Sum256([]byte("a")))
	if err := repo.Save(t.Context(), vault.DataBlob, id, []byte("a")); err == nil {
		t.Error("it saved without a lock")
	}
	ctx, release, err := repo.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if err := repo.Save(ctx, vault.DataBlob, id, []byte("b")); upkeep.CodeOf(err) != upkeep.CodeRefused {
		t.Errorf("content that is not its ID: %v", err)
	}
	if err := repo.SaveSnapshot(ctx, &vault.Snapshot{Tree: &id}); upkeep.CodeOf(err) != upkeep.CodeNotFound {
		t.Errorf("a snapshot of a tree that is not stored: %v", err)
	}
}

// failing is a storage whose disk becomes full.
type failing struct {
	local.Dir
	mu   sync.Mutex
	full bool
}

func (f *failing) Save(ctx context.Context, name string, data []byte) error {
	f.mu.Lock()
	full := f.full
	f.mu.Unlock()
	if full && strings.HasPrefix(name, "data/") {
		return upkeep.Errorf(upkeep.CodeNoSpace, "disk full")
	}
	return f.Dir.Save(ctx, name, data)
}

func TestAFullDiskStopsTheBackupAndKeepsTheOthers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "vault")
	storage := &failing{Dir: local.Dir(dir)}
	repo, err := vault.Create(t.Context(), storage, password)
	if err != nil {
		t.Fatal(err)
	}
	good := store(t, repo, [][]byte{[]byte("good")})
	storage.mu.Lock()
	storage.full = true
	storage.mu.Unlock()
	ctx, release, err := repo.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	data := []byte("lost")
	if err := repo.Save(ctx, vault.DataBlob, sha256.Sum256(data), data); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := repo.SaveSnapshot(ctx, &vault.Snapshot{Tree: good.Tree}); upkeep.CodeOf(err) != upkeep.CodeNoSpace {
			t.Fatalf("a snapshot after an error: %v", err)
		}
	}
	release()
	restic(t, dir, "check", "--read-data")
}

func TestDirNeverReplacesAFile(t *testing.T) {
	d := local.Dir(t.TempDir())
	if err := d.Save(t.Context(), "locks/a", []byte("first")); err != nil {
		t.Fatal(err)
	}
	if err := d.Save(t.Context(), "locks/a", []byte("second")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("saving over a file: %v", err)
	}
	data, err := d.Load(t.Context(), "locks/a", 1, 3)
	if err != nil || string(data) != "irs" {
		t.Errorf("%q, %v", data, err)
	}
	if _, err := d.Load(t.Context(), "locks/a", 3, 30); err == nil {
		t.Error("it read beyond the end")
	}
	if _, err := d.Stat(t.Context(), "locks/b"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that does not exist: %v", err)
	}
	parts, err := filepath.Glob(filepath.Join(string(d), "locks/.part-*"))
	if err != nil || len(parts) > 0 {
		t.Errorf("left behind: %v %v", parts, err)
	}
}

func TestStaleLocksAreTakenAway(t *testing.T) {
	repo, dir := create(t)
	_, release, err := repo.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	other, err := vault.Open(t.Context(), local.Dir(dir), password)
	if err != nil {
		t.Fatal(err)
	}
	// For whoever lives an hour later, the lock was not refreshed in time.
	other.Clock = func() time.Time { return time.Now().Add(time.Hour) }
	if _, err := other.Prune(t.Context(), vault.PruneOptions{}); err != nil {
		t.Errorf("a stale lock is in the way: %v", err)
	}
}

func TestWhatAKilledWriterLeftIsIgnoredAndTidied(t *testing.T) {
	repo, dir := create(t)
	store(t, repo, [][]byte{[]byte("content")})
	packs, err := filepath.Glob(filepath.Join(dir, "data/*/*"))
	if err != nil || len(packs) != 2 {
		t.Fatalf("%v %v", packs, err)
	}
	old := time.Now().Add(-48 * time.Hour)
	var left []string
	for _, folder := range []string{filepath.Dir(packs[0]), filepath.Join(dir, "index"), filepath.Join(dir, "snapshots"), filepath.Join(dir, "locks")} {
		path := filepath.Join(folder, ".part-LEFT")
		if err := errors.Join(os.WriteFile(path, []byte("half"), 0o600), os.Chtimes(path, old, old)); err != nil {
			t.Fatal(err)
		}
		left = append(left, path)
	}
	if out := restic(t, dir, "check", "--read-data"); !strings.Contains(out, "no errors were found") {
		t.Error(out)
	}
	if _, err := repo.Snapshots(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := repo.Prune(t.Context(), vault.PruneOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, path := range left {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there: %v", path, err)
		}
	}
}

func TestAPruneOfAnotherIsNoticed(t *testing.T) {
	repo, dir := create(t)
	var junk [][]byte
	for i := range 40 {
		junk = append(junk, []byte(strings.Repeat(fmt.Sprint(i), 1000)))
	}
	kept := store(t, repo, junk[:1])
	dropped := store(t, repo, junk)
	other, err := vault.Open(t.Context(), local.Dir(dir), password)
	if err != nil {
		t.Fatal(err)
	}
	ctx, release, err := other.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Forget(ctx, dropped.ID); err != nil {
		t.Fatal(err)
	}
	release()
	if _, err := other.Prune(t.Context(), vault.PruneOptions{Grace: -1, MaxUnused: -1}); err != nil {
		t.Fatal(err)
	}
	// Under a lock, what is gone must not be taken for stored.
	again := store(t, repo, junk)
	if _, err := repo.Verify(t.Context(), again.ID, vault.VerifyOptions{Sample: 1}); err != nil {
		t.Error(err)
	}
	if _, err := repo.Verify(t.Context(), kept.ID, vault.VerifyOptions{Sample: 1}); err != nil {
		t.Error(err)
	}
	if out := restic(t, dir, "check", "--read-data"); !strings.Contains(out, "no errors were found") {
		t.Error(out)
	}
}

// A hacked host can store folders in folders without end, which no file system
// has: whoever follows them must not run out of stack.
func TestChainsOfTreesAreFollowedOnlySoFar(t *testing.T) {
	repo, _ := create(t)
	ctx, release, err := repo.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	text := `{"nodes":[]}` + "\n"
	var id vault.ID
	for range 20_010 {
		id = sha256.Sum256([]byte(text))
		if err := repo.Save(ctx, vault.TreeBlob, id, []byte(text)); err != nil {
			t.Fatal(err)
		}
		text = `{"nodes":[{"name":"a","type":"dir","subtree":"` + id.String() + `"}]}` + "\n"
	}
	if _, err := repo.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := repo.VerifyTree(ctx, id, vault.VerifyOptions{}); upkeep.CodeOf(err) != upkeep.CodeRefused {
		t.Errorf("got %v", err)
	}
}
