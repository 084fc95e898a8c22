package agent

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/restic/chunker"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/demo/cluster"
)

// A site on each engine goes the whole way back and forth: what a migration did
// to rows, definitions and files is taken back, alone and with a vault.
func TestEveryEngineGoesTheWholeWay(t *testing.T) {
	for name, made := range map[string]func(t *testing.T, b *bench) engineSite{
		"sqlite": sqliteSite(""), "sqlite with a log": sqliteSite("PRAGMA journal_mode = wal;"), "postgresql": postgresSite,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			site := made(t, b)
			b.driver.database = site.config
			site.sql(t, "CREATE TABLE page (id INTEGER PRIMARY KEY, title TEXT); INSERT INTO page VALUES (1, 'one'), (2, 'two'), (3, 'three'); CREATE VIEW seen AS SELECT title FROM page;")
			b.driver.migrate = func(context.Context, string) error {
				site.sql(t, "DROP VIEW seen; UPDATE page SET title = 'migrated'; DELETE FROM page WHERE id > 1; CREATE TABLE stray (id INTEGER);")
				return nil
			}
			rows := site.sql(t, "SELECT id, title FROM page ORDER BY id;")
			before := b.state(t)
			a := b.agent(t)
			s := b.frozen(t, a)
			b.staged(t, s)
			for range 2 {
				if err := b.apply(t, a); err != nil {
					t.Fatal(err)
				}
				checks := must[[]upkeep.Check](t)(a.rowChecks(t.Context(), s))
				if len(checks) != 1 || checks[0].OK || !strings.HasSuffix(checks[0].Subject, "page") {
					t.Errorf("rows that are gone: %v", checks)
				}
				if identity := must[*upkeep.Identity](t)(a.opUndo(t.Context(), quiet(), Nothing{})); !identity.Proven() {
					t.Fatalf("undone: %v", identity.Differences)
				}
			}
			if err := b.apply(t, a); err != nil {
				t.Fatal(err)
			}
			crash(t, s)
			next := b.agent(t) // without a vault
			b.recovered(t, next)
			status := must[*Status](t)(next.opStatus(t.Context(), quiet(), StatusRequest{}))
			if status.Identity == nil || !status.Identity.Proven() {
				t.Errorf("alone: %v", status.Identity)
			}
			must[Nothing](t)(next.opClose(t.Context(), quiet(), Nothing{}))
			if after := b.state(t); after != before {
				t.Errorf("before:\n%s\nafter:\n%s", before, after)
			}
			if got := site.sql(t, "SELECT id, title FROM page ORDER BY id;"); got != rows {
				t.Errorf("rows %q, before %q", got, rows)
			}
			site.restores(t, b)
		})
	}
}

// engineSite is a site's database and a client of it.
type engineSite struct {
	config    *cms.Database
	sql       func(t *testing.T, script string) string
	elsewhere string // the name of another, empty database
}

// restores backs the live site up, damages it, and restores in place and
// elsewhere.
func (site *engineSite) restores(t *testing.T, b *bench) {
	t.Helper()
	a := b.agent(t)
	b.connect(t, a)
	layout := must[*cms.Layout](t)(b.driver.Detect(t.Context(), nil, b.root))
	pol := uint64(must[chunker.Pol](t)(chunker.DerivePolynomial(strings.NewReader(strings.Repeat("upkeep", 1000)))))
	taken := must[*ReadResult](t)(a.opRead(t.Context(), quiet(), ReadRequest{Layout: layout, Polynomial: pol}))
	request := RestoreRequest{Tree: taken.Tree, Layout: layout, Polynomial: pol, DryRun: true}
	if result := must[*RestoreResult](t)(a.opRestore(t.Context(), quiet(), request)); result.Total != 0 {
		t.Errorf("nothing changed, and yet: %v", result.Differences)
	}
	before := b.state(t)
	site.sql(t, "DELETE FROM page; CREATE TABLE later (id INTEGER);")
	if result := must[*RestoreResult](t)(a.opRestore(t.Context(), quiet(), request)); result.Total == 0 {
		t.Error("a difference is not seen")
	}
	s := b.frozen(t, a)
	request.DryRun = false
	result := must[*RestoreResult](t)(a.opRestore(t.Context(), quiet(), request))
	if result.Identity == nil || !result.Identity.Proven() {
		t.Errorf("in place: %+v", result)
	}
	must[Nothing](t)(a.opThaw(t.Context(), quiet(), Nothing{}))
	must[Nothing](t)(a.opClose(t.Context(), quiet(), Nothing{}))
	if after := b.state(t); after != before {
		t.Errorf("backed up:\n%s\nrestored:\n%s", before, after)
	}
	_ = s
	other := site.config.Beside(site.elsewhere)
	request.Into, request.Database = filepath.Join(filepath.Dir(b.root), "restored"), &other
	must[*RestoreResult](t)(a.opRestore(t.Context(), quiet(), request))
	host := a.newHost()
	found := must[[][][]byte](t)(host.Query(t.Context(), &other, "SELECT title FROM page WHERE id > ? ORDER BY id", 1))
	if fmt.Sprintf("%q", found) != `[["two"] ["three"]]` {
		t.Errorf("elsewhere: %q", found)
	}
}

func sqliteSite(mode string) func(*testing.T, *bench) engineSite {
	return func(t *testing.T, b *bench) engineSite {
		file := filepath.Join(b.root, "data/wiki.sqlite")
		if err := os.Mkdir(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		sql := func(t *testing.T, script string) string {
			cmd := exec.Command("sqlite3", "-bail", file)
			cmd.Stdin = strings.NewReader(script)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			return string(out)
		}
		if mode != "" {
			sql(t, mode)
		}
		return engineSite{&cms.Database{Engine: "sqlite", File: file}, sql, filepath.Join(filepath.Dir(b.root), "other.sqlite")}
	}
}

func postgresSite(t *testing.T, _ *bench) engineSite {
	dir, err := os.MkdirTemp("/tmp", "upkeep-pg-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	server, err := cluster.Start(t.Context(), dir, "")
	if err != nil {
		t.Fatal(err, upkeep.HintOf(err))
	}
	t.Cleanup(func() { _ = server.Kill(context.Background()) })
	config := must[*cms.Database](t)(server.CreateDatabase(t.Context(), "shop"))
	must[string](t)(server.Exec(t.Context(), "postgres", "CREATE DATABASE other OWNER shop"))
	return engineSite{config, func(t *testing.T, script string) string {
		return must[string](t)(server.ExecAs(t.Context(), "shop", "shop", script))
	}, "other"}
}
