package database_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"upkeep"
	"upkeep/internal/agent/database"
	"upkeep/internal/cms"
	"upkeep/internal/demo"
)

// server is the private MariaDB that all tests share.
var server *demo.MariaDB

func TestMain(m *testing.M) {
	// Each check makes two databases: by default fewer than rapid's own 100.
	_ = flag.Set("rapid.checks", "25") // a flag of rapid's that is always there
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	ctx := context.Background()
	dir, err := openTempDir()
	if err == nil {
		defer os.RemoveAll(dir)
		server, err = demo.StartMariaDB(ctx, filepath.Join(dir, "server"), demo.MariaDBOptions{Args: []string{"--event-scheduler=OFF"}})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err, upkeep.HintOf(err))
		return 1
	}
	defer func() { _ = server.Remove(ctx) }()
	return m.Run()
}

// openTempDir returns a folder that the server's account can walk to.
func openTempDir() (string, error) {
	dir, err := os.MkdirTemp("", "upkeep-database-")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}

var numbered atomic.Int32

// newDatabase makes an empty database of the shared server.
func newDatabase(t testing.TB) *cms.Database {
	t.Helper()
	site, err := server.CreateDatabase(context.Background(), fmt.Sprintf("db%d", numbered.Add(1)))
	if err != nil {
		t.Fatal(err)
	}
	return site
}

func open(t testing.TB, site *cms.Database) *database.DB {
	t.Helper()
	db, err := database.Open(context.Background(), *site)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// sql runs a script in the site's database as the server's administrator.
func sql(t testing.TB, site *cms.Database, script string) string {
	t.Helper()
	out, err := server.Exec(context.Background(), site.Name, script)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func dump(t testing.TB, db *database.DB) (string, []upkeep.Object) {
	t.Helper()
	dir := t.TempDir()
	objects, err := db.Dump(context.Background(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	return dir, objects
}

func scan(t testing.TB, db *database.DB) []upkeep.Object {
	t.Helper()
	objects, err := db.Scan(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// same fails the test unless both identities are equal.
func same(t testing.TB, want, got []upkeep.Object) {
	t.Helper()
	before, after := upkeep.Manifest{Tables: want}, upkeep.Manifest{Tables: got}
	for _, d := range before.Compare(&after) {
		t.Errorf("%s: %s", d.Path, d.Change)
	}
}

// importDump reads a dump with the real client, as an operator would.
func importDump(t testing.TB, site *cms.Database, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.sql"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, file := range files { // Glob sorts as a shell does
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	client(t, site, all.String())
}
