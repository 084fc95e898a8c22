package custody

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/store"
	"upkeep/internal/vault"
	"upkeep/internal/vault/local"
)

// secrets keeps secrets as they are.
type secrets map[string][]byte

func (s secrets) Secret(_ context.Context, name string) ([]byte, error) {
	if sealed, ok := s[name]; ok {
		return sealed, nil
	}
	return nil, upkeep.Errorf(upkeep.CodeNotFound, "no secret %s", name)
}

func (s secrets) CreateSecret(_ context.Context, name string, sealed []byte) error {
	s[name] = sealed
	return nil
}

func (s secrets) ReplaceSecret(ctx context.Context, name string, sealed []byte) error {
	return s.CreateSecret(ctx, name, sealed)
}

func (secrets) Seal(plain []byte) ([]byte, error)  { return plain, nil }
func (secrets) Open(sealed []byte) ([]byte, error) { return sealed, nil }

func newCustody(t *testing.T) *Custody {
	t.Helper()
	kept := secrets{}
	db, err := store.Open(t.Context(), store.Config{Path: filepath.Join(t.TempDir(), "upkeep.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // nothing is read from it any more
	return New(Config{Sites: db, Backups: db, Secrets: kept, Sealer: kept, VaultDir: filepath.Join(t.TempDir(), "vault"),
		NewPassword: func() string { return "correct horse" }, Log: slog.New(slog.DiscardHandler)})
}

// TestAVaultThatFailedIsOpenedAnew: what was full for a moment must not keep a
// daemon from ever making a backup again.
func TestAVaultThatFailedIsOpenedAnew(t *testing.T) {
	c := newCustody(t)
	backup := func() error {
		repository, err := c.vault(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		held, release, err := repository.Lock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		data := []byte("content")
		if err := repository.Save(held, vault.DataBlob, sha256.Sum256(data), data); err != nil {
			return err
		}
		_, err = repository.Flush(held)
		return err
	}
	inTheWay := filepath.Join(c.VaultDir, "data") // stands for a disk that takes nothing
	if err := errors.Join(os.MkdirAll(c.VaultDir, 0o700), os.WriteFile(inTheWay+".keep", nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.vault(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.RemoveAll(inTheWay), os.Rename(inTheWay+".keep", inTheWay)); err != nil {
		t.Fatal(err)
	}
	if backup() == nil {
		t.Fatal("it stored into nothing")
	}
	if err := os.Remove(inTheWay); err != nil {
		t.Fatal(err)
	}
	if err := backup(); err != nil {
		t.Errorf("with room again: %v", err)
	}
	first, err := c.vault(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if again, err := c.vault(t.Context()); err != nil || again != first {
		t.Errorf("one that is well was opened anew: %v", err)
	}
}

// slow is a storage that takes its time to list packs.
type slow struct {
	local.Dir
	begun, goOn chan struct{}
}

func (s *slow) List(ctx context.Context, folder string, fn func(vault.FileInfo) error) error {
	if folder == "data" {
		close(s.begun)
		<-s.goOn
	}
	return s.Dir.List(ctx, folder, fn)
}

// TestNobodyWaitsForAPruneWithAFrozenSite: with an undo a lock is done without,
// and a site is not frozen before it is there.
func TestNobodyWaitsForAPruneWithAFrozenSite(t *testing.T) {
	c := newCustody(t)
	repository, err := c.vault(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r := &Reached{c: c, client: nil, beat: func() {}, site: &upkeep.Site{Name: "shop"}}
	if err := r.holdVault(t.Context()); err != nil || r.letGo == nil {
		t.Fatalf("nobody is in the way: %v", err)
	}
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := repository.Prune(short, vault.PruneOptions{}); upkeep.CodeOf(err) != upkeep.CodeConflict {
		t.Errorf("a prune while a site is about to be frozen: %v", err)
	}
	r.letGo()
	storage := &slow{Dir: local.Dir(c.VaultDir), begun: make(chan struct{}), goOn: make(chan struct{})}
	other, err := vault.Open(t.Context(), storage, c.NewPassword())
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		_, err := other.Prune(t.Context(), vault.PruneOptions{})
		ended <- err
	}()
	<-storage.begun
	began := time.Now()
	if _, _, err := lockSoon(t.Context(), repository, 300*time.Millisecond); upkeep.CodeOf(err) != upkeep.CodeConflict || time.Since(began) > time.Minute {
		t.Errorf("while another prunes, after %v: %v", time.Since(began), err)
	}
	close(storage.goOn)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	held, release, err := lockSoon(t.Context(), repository, time.Minute)
	if err != nil || held.Err() != nil {
		t.Fatalf("when it has ended: %v", err)
	}
	release()
}
