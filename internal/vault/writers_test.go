package vault_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/vault"
	"upkeep/internal/vault/local"
)

// hooked is a storage that others have a hand in.
type hooked struct {
	local.Dir
	onSave func(name string) error
	onLoad func(name string) error
}

func (h *hooked) Save(ctx context.Context, name string, data []byte) error {
	if h.onSave != nil {
		if err := h.onSave(name); err != nil {
			return err
		}
	}
	return h.Dir.Save(ctx, name, data)
}

func (h *hooked) Load(ctx context.Context, name string, offset int64, length int) ([]byte, error) {
	if h.onLoad != nil {
		if err := h.onLoad(name); err != nil {
			return nil, err
		}
	}
	return h.Dir.Load(ctx, name, offset, length)
}

func createHooked(t *testing.T) (*vault.Repository, *hooked) {
	t.Helper()
	h := &hooked{Dir: local.Dir(filepath.Join(t.TempDir(), "vault"))}
	repo, err := vault.Create(t.Context(), h, password)
	if err != nil {
		t.Fatal(err)
	}
	return repo, h
}

func save(t *testing.T, ctx context.Context, repo *vault.Repository, data []byte) {
	t.Helper()
	if err := repo.Save(ctx, vault.DataBlob, sha256.Sum256(data), data); err != nil {
		t.Error(err)
	}
}

// treeOf is the text of a tree with one file of one blob.
func treeOf(data []byte) []byte {
	const when = `"2026-01-02T03:04:05Z"`
	return fmt.Appendf(nil, `{"nodes":[{"name":"a","type":"file","mode":420,"mtime":%s,"atime":%s,"ctime":%s,"uid":0,"gid":0,"size":%d,"links":1,"content":["%x"]}]}`+"\n",
		when, when, when, len(data), sha256.Sum256(data))
}

// TestASnapshotWaitsForTheIndexThatAnotherWrites: packs hold blobs of all who
// write at the same time, and so do index files.
func TestASnapshotWaitsForTheIndexThatAnotherWrites(t *testing.T) {
	repo, h := createHooked(t)
	ctx, release, err := repo.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	begun, snapshot := make(chan struct{}), make(chan struct{})
	var listed atomic.Bool
	h.onSave = func(name string) error {
		switch {
		case strings.HasPrefix(name, "index/"):
			close(begun)
			select { // long enough for whoever does not wait
			case <-snapshot:
			case <-time.After(200 * time.Millisecond):
			}
			listed.Store(true)
		case strings.HasPrefix(name, "snapshots/"):
			close(snapshot)
			if !listed.Load() {
				t.Error("the snapshot came before the index")
			}
		}
		return nil
	}
	data := []byte("of the second writer")
	text := treeOf(data)
	tree := vault.ID(sha256.Sum256(text))
	save(t, ctx, repo, data)
	if err := repo.Save(ctx, vault.TreeBlob, tree, text); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	group.Go(func() {
		if _, err := repo.Flush(ctx); err != nil { // the first writer's
			t.Error(err)
		}
	})
	<-begun
	if err := repo.SaveSnapshot(ctx, &vault.Snapshot{Tree: &tree}); err != nil {
		t.Error(err)
	}
	group.Wait()
}

// TestManyWritersAtOnce lets writers that hold much in common back up at once,
// each with a snapshot that must stand as soon as it is there.
func TestManyWritersAtOnce(t *testing.T) {
	repo, h := createHooked(t)
	reader, err := vault.Open(t.Context(), h.Dir, password) // who knows only what is on disk
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 6 {
		group.Go(func() {
			ctx, release, err := repo.Lock(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			defer release()
			for i := range 8 {
				data := bytes.Repeat([]byte{byte(i)}, 300_000)
				text := treeOf(data)
				tree := vault.ID(sha256.Sum256(text))
				save(t, ctx, repo, data)
				if err := errors.Join(repo.Save(ctx, vault.TreeBlob, tree, text), repo.SaveSnapshot(ctx, &vault.Snapshot{Tree: &tree})); err != nil {
					t.Error(err)
					return
				}
				if _, err := reader.VerifyTree(ctx, tree, vault.VerifyOptions{Sample: 1}); err != nil {
					t.Errorf("backup %d does not stand: %v", i, err)
					return
				}
			}
		})
	}
	group.Wait()
	if out := restic(t, string(h.Dir), "check", "--read-data"); !strings.Contains(out, "no errors were found") {
		t.Error(out)
	}
}

// TestWhoGivesUpHarmsNobody: a writer whose context ends while the storage is
// slow leaves the blobs of others in good hands.
func TestWhoGivesUpHarmsNobody(t *testing.T) {
	repo, h := createHooked(t)
	ctx, release, err := repo.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	slow := make(chan struct{})
	h.onSave = func(name string) error {
		if strings.HasPrefix(name, "data/") {
			<-slow
		}
		return nil
	}
	data := []byte("of one who goes on")
	text := treeOf(data)
	tree := vault.ID(sha256.Sum256(text))
	save(t, ctx, repo, data)
	if err := repo.Save(ctx, vault.TreeBlob, tree, text); err != nil {
		t.Fatal(err)
	}
	impatient, giveUp := context.WithCancel(ctx)
	giveUp()
	noise := make([]byte, 6<<20)
	for range 12 { // more than may be on its way
		_, _ = rand.Read(noise)
		if err := repo.Save(impatient, vault.DataBlob, sha256.Sum256(noise), noise); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if _, err := repo.Flush(impatient); !errors.Is(err, context.Canceled) {
		t.Errorf("who gave up: %v", err)
	}
	close(slow)
	s := &vault.Snapshot{Tree: &tree}
	if err := repo.SaveSnapshot(ctx, s); err != nil {
		t.Fatal(err)
	}
	if _, err := repo.Verify(ctx, s.ID, vault.VerifyOptions{Sample: 1}); err != nil {
		t.Error(err)
	}
}

// TestADiskWithABadSpot: what the disk does not give is damage, is named, and
// is stored anew by who has it.
func TestADiskWithABadSpot(t *testing.T) {
	repo, h := createHooked(t)
	data := make([]byte, 100_000)
	_, _ = rand.Read(data)
	s := store(t, repo, [][]byte{data})
	packs, err := filepath.Glob(filepath.Join(string(h.Dir), "data/*/*"))
	if err != nil || len(packs) != 2 {
		t.Fatalf("%q, %v", packs, err)
	}
	bad := ""
	for _, pack := range packs {
		if info, err := os.Stat(pack); err == nil && info.Size() > 100_000 {
			bad = filepath.Base(pack)
		}
	}
	h.onLoad = func(name string) error {
		if strings.HasSuffix(name, bad) {
			return &fs.PathError{Op: "read", Path: name, Err: syscall.EIO}
		}
		return nil
	}
	_, err = repo.Verify(t.Context(), s.ID, vault.VerifyOptions{Sample: 1})
	if upkeep.CodeOf(err) != upkeep.CodeDamaged || !strings.Contains(err.Error(), bad) {
		t.Errorf("a pack that cannot be read: %v", err)
	}
	again := store(t, repo, [][]byte{data})
	for _, id := range []vault.ID{s.ID, again.ID} {
		if _, err := repo.Verify(t.Context(), id, vault.VerifyOptions{Sample: 1}); err != nil {
			t.Errorf("stored anew: %v", err)
		}
	}
}

// TestWhatNobodyReadBackYetIsNotPassedOver: a sample of none still reads what
// was just written.
func TestWhatNobodyReadBackYetIsNotPassedOver(t *testing.T) {
	repo, h := createHooked(t)
	s := store(t, repo, [][]byte{bytes.Repeat([]byte("x"), 5000)})
	verified, err := repo.Verify(t.Context(), s.ID, vault.VerifyOptions{})
	if err != nil || verified.ReadBack != 2 {
		t.Errorf("read back %+v, %v", verified, err)
	}
	fresh, err := vault.Open(t.Context(), h.Dir, password)
	if err != nil {
		t.Fatal(err)
	}
	if verified, err := fresh.Verify(t.Context(), s.ID, vault.VerifyOptions{}); err != nil || verified.ReadBack != 1 {
		t.Errorf("by another: %+v, %v", verified, err)
	}
}

// TestOneBadKeyKeepsNobodyOut: another's key file that is damaged, or asks for
// more memory than there is.
func TestOneBadKeyKeepsNobodyOut(t *testing.T) {
	_, dir := create(t)
	for name, text := range map[string]string{"00": "{", "01": `{"kdf":"scrypt","N":4194304,"r":64,"p":1,"salt":"AA==","data":"AA=="}`} {
		if err := os.WriteFile(filepath.Join(dir, "keys", name+strings.Repeat("0", 62)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := vault.Open(t.Context(), local.Dir(dir), password); err != nil {
		t.Error(err)
	}
	if _, err := vault.Open(t.Context(), local.Dir(dir), "wrong"); upkeep.CodeOf(err) != upkeep.CodeDamaged {
		t.Errorf("no key fits, and two are damaged: %v", err)
	}
}

// TestGraceSparesWhatIsUnusedInPacksInUse, and a dry run tells what forgetting
// would give.
func TestGraceSparesWhatIsUnusedInPacksInUse(t *testing.T) {
	repo, _ := create(t)
	var noise [][]byte
	for range 4 {
		data := make([]byte, 200_000)
		_, _ = rand.Read(data)
		noise = append(noise, data)
	}
	dropped := store(t, repo, noise)
	store(t, repo, noise[:1])
	would, err := repo.Prune(t.Context(), vault.PruneOptions{Grace: -1, MaxUnused: -1, DryRun: true, Without: []vault.ID{dropped.ID}})
	if err != nil || would.Freed < 500_000 {
		t.Errorf("a dry run: %+v, %v", would, err)
	}
	ctx, release, err := repo.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := repo.Forget(ctx, dropped.ID); err != nil {
		t.Fatal(err)
	}
	release()
	young, err := repo.Prune(t.Context(), vault.PruneOptions{MaxUnused: -1})
	if err != nil || young.Repacked+young.Removed != 0 {
		t.Errorf("within grace: %+v, %v", young, err)
	}
	old, err := repo.Prune(t.Context(), vault.PruneOptions{Grace: -1, MaxUnused: -1})
	if err != nil || old.Freed < 500_000 {
		t.Errorf("after it: %+v, %v", old, err)
	}
}

// TestWhoSleptLosesTheLock: a machine that sleeps refreshes nothing, and wakes
// up with a lock that others may have removed.
func TestWhoSleptLosesTheLock(t *testing.T) {
	repo, _ := create(t)
	var asleep atomic.Int64
	repo.Clock = func() time.Time { return time.Now().Add(time.Duration(asleep.Load())) }
	ctx, release, err := repo.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	asleep.Store(int64(time.Hour))
	<-ctx.Done()
}
