package agent

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"upkeep"
	"upkeep/internal/demo"
)

// server starts a MariaDB of the test's own.
func server(t *testing.T) *demo.MariaDB {
	t.Helper()
	dir, err := os.MkdirTemp("", "upkeep-agent-") // its account must be able to walk there
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	m, err := demo.StartMariaDB(t.Context(), filepath.Join(dir, "server"), demo.MariaDBOptions{})
	if err != nil {
		t.Fatal(err, upkeep.HintOf(err))
	}
	t.Cleanup(func() { _ = m.Remove(context.Background()) })
	return m
}

// withDatabase gives the bench's site a database of the name with two tables,
// which a migration changes.
func (b *bench) withDatabase(t *testing.T, m *demo.MariaDB, name string) {
	t.Helper()
	var err error
	if b.driver.database, err = m.CreateDatabase(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	b.sql(t, m, "CREATE TABLE orders (id INT PRIMARY KEY, what TEXT); INSERT INTO orders VALUES (1, 'hat'), (2, 'coat');"+
		"CREATE TABLE settings (id INT PRIMARY KEY, what TEXT); INSERT INTO settings VALUES (1, 'version 1');")
	b.driver.migrate = func(context.Context, string) error {
		b.sql(t, m, "UPDATE settings SET what = 'version 2'; DROP TABLE orders;")
		return nil
	}
}

func (b *bench) sql(t *testing.T, m *demo.MariaDB, script string) string {
	t.Helper()
	out, err := m.Exec(context.Background(), b.driver.database.Name, script)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

const (
	original = "1\that\n2\tcoat\n1\tversion 1\n"
	selected = "SELECT * FROM orders; SELECT * FROM settings"
)

// What an undo needs was secured on the host and in the vault. What is damaged
// here comes from there; where neither has it, or the database does not let it
// be made again, the site is opened in time nevertheless, and it is told.
func TestUndoWithWhatIsLeft(t *testing.T) {
	m := server(t)
	harms := map[string]func(b *bench) error{
		"gone": func(b *bench) error {
			return errors.Join(os.RemoveAll(filepath.Join(b.dir, "dump")), os.RemoveAll(filepath.Join(b.dir, "manifest")))
		},
		"damaged": func(b *bench) error {
			manifest := filepath.Join(b.dir, "manifest/manifest.jsonl")
			text, err := os.ReadFile(manifest)
			return errors.Join(err, os.WriteFile(filepath.Join(b.dir, "dump/2-table-orders.sql"), []byte("DROP DATABASE mysql;"), 0o600),
				os.Truncate(manifest, int64(bytes.IndexByte(text, '\n')+1))) // what is left reads well
		},
	}
	for name, harm := range harms {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.withDatabase(t, m, name)
			before := b.state(t)
			a, _ := applied(t, b)
			if err := harm(b); err != nil {
				t.Fatal(err)
			}
			disconnect(a)
			if _, err := a.opUndo(t.Context(), quiet(), Nothing{}); upkeep.CodeOf(err) != upkeep.CodeDamaged {
				t.Errorf("without the vault: %v", err)
			}
			b.connect(t, a)
			if identity := must[*upkeep.Identity](t)(a.opUndo(t.Context(), quiet(), Nothing{})); !identity.Proven() {
				t.Error(identity.Differences)
			}
			must[Nothing](t)(a.opThaw(t.Context(), quiet(), Nothing{}))
			if got := b.sql(t, m, selected); got != original {
				t.Errorf("the database holds %q", got)
			}
			must[Nothing](t)(a.opClose(t.Context(), quiet(), Nothing{}))
			b.same(t, before)
			b.gone(t)
		})
	}
	t.Run("nobody has it", func(t *testing.T) {
		b := newBench(t)
		b.withDatabase(t, m, "nobody")
		a, _ := applied(t, b)
		if err := harms["gone"](b); err != nil {
			t.Fatal(err)
		}
		disconnect(a)
		b.clock.pass(11 * time.Minute)
		b.recovered(t, a)
		b.openedUnproven(t, a, "database")
		b.openedUnproven(t, a, "manifest")
	})
	t.Run("a program of another account", func(t *testing.T) {
		b := newBench(t)
		b.withDatabase(t, m, "programs")
		b.sql(t, m, "CREATE DEFINER=root@localhost TRIGGER audit BEFORE UPDATE ON settings FOR EACH ROW SET NEW.id = 1")
		a, _ := applied(t, b)
		b.sql(t, m, "DROP TRIGGER audit")
		if identity := must[*upkeep.Identity](t)(a.opUndo(t.Context(), quiet(), Nothing{})); identity.Proven() {
			t.Error("proven without its trigger")
		}
		must[Nothing](t)(a.opThaw(t.Context(), quiet(), Nothing{}))
		b.openedUnproven(t, a, "trigger audit")
		if got := b.sql(t, m, selected); got != original {
			t.Errorf("the database holds %q", got)
		}
	})
}

// disconnect takes the vault away from a.
func disconnect(a *Agent) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.blobs = nil
}

// Somebody who opens a frozen site has visitors write what the undo takes away:
// that is not passed over in silence.
func TestUndoOfASiteThatOthersOpened(t *testing.T) {
	b := newBench(t)
	a, _ := applied(t, b)
	if err := errors.Join(os.Chmod(b.root, 0o755), os.Remove(filepath.Join(b.root, ".maintenance"))); err != nil {
		t.Fatal(err)
	}
	must[*upkeep.Identity](t)(a.opUndo(t.Context(), quiet(), Nothing{}))
	must[Nothing](t)(a.opThaw(t.Context(), quiet(), Nothing{}))
	b.openedUnproven(t, a, "gate")
}

// The file system of a site is full when its files have to be brought back.
func TestUndoOnAFullFileSystem(t *testing.T) {
	b := newBench(t)
	if err := unix.Mount("tmpfs", b.root, "tmpfs", 0, "size=64m"); err != nil {
		t.Skip("mount a file system:", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(b.root, unix.MNT_DETACH) })
	put(t, filepath.Join(b.root, "plugins/shop/shop.php"), "version 1")
	put(t, filepath.Join(b.root, "plugins/shop/install.php"), "install 1")
	put(t, filepath.Join(b.root, "config/settings.php"), "<?php // own")
	put(t, filepath.Join(b.root, "uploads/cat.jpg"), strings.Repeat("cat", 1<<20))
	put(t, filepath.Join(b.root, "index.php"), strings.Repeat("<?php", 1<<20))
	b.driver.migrate = func(_ context.Context, root string) error {
		return os.Truncate(filepath.Join(root, "index.php"), 0)
	}
	a, s := applied(t, b)
	// Somebody else's file, which no undo may remove, takes what is free.
	other := filepath.Join(s.workFor(b.root), "theirs")
	if err := os.WriteFile(other, make([]byte, 64<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	if identity := must[*upkeep.Identity](t)(a.opUndo(t.Context(), quiet(), Nothing{})); !identity.Proven() {
		t.Error(identity.Differences)
	}
	if info := must[os.FileInfo](t)(os.Stat(filepath.Join(b.root, "index.php"))); info.Size() != 5<<20 {
		t.Errorf("%d bytes are back", info.Size())
	}
}

// openedUnproven asserts that visitors are let in to a site of which it is
// known that, and what, is not as it was.
func (b *bench) openedUnproven(t *testing.T, a *Agent, what string) {
	t.Helper()
	status := must[*Status](t)(a.opStatus(t.Context(), quiet(), StatusRequest{}))
	if status.Frozen || status.Identity == nil || status.Identity.Proven() {
		t.Fatalf("%+v", status)
	}
	if !slices.ContainsFunc(status.Identity.Differences, func(d upkeep.Difference) bool { return d.Path == what }) {
		t.Errorf("%s is not among %v", what, status.Identity.Differences)
	}
	if _, err := os.Lstat(filepath.Join(b.root, ".maintenance")); err == nil {
		t.Error("the gate is still there")
	}
}
