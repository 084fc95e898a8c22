package vault_test

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"upkeep/internal/vault"
	"upkeep/internal/vault/local"
)

var errKilled = errors.New("killed")

// mortal is a storage whose process is gone after so many changes.
type mortal struct {
	local.Dir
	left atomic.Int32
}

func (m *mortal) Save(ctx context.Context, name string, data []byte) error {
	if m.left.Add(-1) < 0 {
		return errKilled
	}
	return m.Dir.Save(ctx, name, data)
}

func (m *mortal) Remove(ctx context.Context, name string) error {
	if m.left.Add(-1) < 0 {
		return errKilled
	}
	return m.Dir.Remove(ctx, name)
}

// TestAPruneKilledAfterAnyChangeLosesNothing ends a prune after its first
// change, after its second, and so on, each time on the same repository.
func TestAPruneKilledAfterAnyChangeLosesNothing(t *testing.T) {
	repo, dir := create(t)
	var blobs [][]byte
	for range 12 {
		data := make([]byte, 4<<20)
		_, _ = rand.Read(data)
		blobs = append(blobs, data)
	}
	kept := store(t, repo, blobs[:3])
	dropped := store(t, repo, blobs)
	ctx, release, err := repo.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := repo.Forget(ctx, dropped.ID); err != nil {
		t.Fatal(err)
	}
	release()
	// The used and the unused share a pack, as after any real backup.
	shared := store(t, repo, append([][]byte{blobs[5]}, blobs[0]))
	for changes := int32(0); ; changes++ {
		copied := filepath.Join(t.TempDir(), "vault")
		if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		storage := &mortal{Dir: local.Dir(copied)}
		storage.left.Store(changes)
		dying, err := vault.Open(t.Context(), storage, password)
		if err != nil {
			t.Fatal(err)
		}
		_, pruneErr := dying.Prune(t.Context(), vault.PruneOptions{Grace: -1, MaxUnused: -1})
		if pruneErr != nil && !errors.Is(pruneErr, errKilled) {
			t.Fatal(pruneErr)
		}
		after, err := vault.Open(t.Context(), local.Dir(copied), password)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []*vault.Snapshot{kept, shared} {
			if _, err := after.Verify(t.Context(), s.ID, vault.VerifyOptions{Sample: 1}); err != nil {
				t.Errorf("after %d changes: %v", changes, err)
			}
		}
		if changes%4 == 3 || pruneErr == nil {
			if out := restic(t, copied, "check", "--no-lock"); !strings.Contains(out, "no errors were found") {
				t.Errorf("after %d changes: %s", changes, out)
			}
		}
		if pruneErr == nil {
			t.Logf("a whole prune makes %d changes", changes)
			return
		}
		if err := os.RemoveAll(copied); err != nil {
			t.Fatal(err)
		}
	}
}
