package demo_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upkeep/internal/demo"
)

// folder returns an empty folder that the server's account can walk to;
// t.TempDir's parent is closed to others.
func folder(t *testing.T) string {
	dir, err := os.MkdirTemp("", "upkeep-demo-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestMariaDBSurvivesKillAndIsTakenOver(t *testing.T) {
	ctx, dir := t.Context(), filepath.Join(folder(t), strings.Repeat("long", 30))
	m, err := demo.StartMariaDB(ctx, dir, demo.MariaDBOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Kill(context.WithoutCancel(ctx)) })
	db, err := m.CreateDatabase(ctx, "shop")
	if err != nil {
		t.Fatal(err)
	}
	if db.Password == "" || db.Socket != m.Socket {
		t.Errorf("database %+v", db)
	}
	if _, err := m.Exec(ctx, "shop", "CREATE TABLE t (a INT); INSERT INTO t VALUES (7);"); err != nil {
		t.Fatal(err)
	}
	again, err := demo.StartMariaDB(ctx, dir, demo.MariaDBOptions{})
	if err != nil || again.PID() != m.PID() {
		t.Fatalf("taken over: pid %d, want %d, %v", again.PID(), m.PID(), err)
	}
	if err := m.Kill(ctx); err != nil {
		t.Fatal(err)
	}
	if err := m.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if got, err := m.Exec(ctx, "shop", "SELECT a FROM t;"); err != nil || got != "7\n" {
		t.Errorf("after a kill: %q, %v", got, err)
	}
	if err := m.Remove(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("something is left")
	}
}
