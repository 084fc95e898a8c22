package move_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/ledger"
	"upkeep/internal/store"
	"upkeep/internal/store/move"
	"upkeep/internal/upkeeptest/postgres"
)

var server postgres.Server

func TestMain(m *testing.M) { os.Exit(server.Run(m)) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, config store.Config) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), config)
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	return db
}

// fill makes records of every sort: truths, bytes, times that are not,
// an intervention on its way and some that ended.
func fill(t *testing.T, db *store.DB) {
	t.Helper()
	ctx := t.Context()
	host := &upkeep.Host{Name: "web1", Mark: "m", Sudo: true, At: upkeep.Hop{User: "root", Address: "web1.example"},
		Keys: []upkeep.HostKey{{Hop: "root@web1.example", Key: "ssh-ed25519 AAAA", Fingerprint: "SHA256:x"}}}
	must(t, db.CreateHost(ctx, host))
	for _, name := range []string{"b.example", "a.example", "z.example", "gone.example"} {
		site := &upkeep.Site{Name: name, URL: "https://" + name, Root: "/srv/" + name, Host: host.ID, CMS: upkeep.WordPress}
		must(t, db.CreateSite(ctx, site))
		must(t, db.UpdateSiteLayout(ctx, site.ID, []byte{0, 1, 0xff}))
		must(t, db.PutSubscription(ctx, &upkeep.Subscription{Site: site.ID, Plan: "base", Client: "dupont"}))
		if _, err := db.CreateInventory(ctx, site.ID, &upkeep.Inventory{Taken: time.Now()}); err != nil {
			t.Fatal(err)
		}
		iv := &upkeep.Intervention{Site: site.ID, Requester: "anna"}
		must(t, db.CreateIntervention(ctx, iv))
		must(t, db.AcquireLease(ctx, store.InterventionLease(iv.ID), "w", time.Hour))
		must(t, db.AdvanceIntervention(ctx, iv.ID, "w", [2]upkeep.State{upkeep.Planned, upkeep.Preparing}, nil))
		if name == "z.example" {
			continue
		}
		must(t, db.AdvanceIntervention(ctx, iv.ID, "w", [2]upkeep.State{upkeep.Preparing, upkeep.Failed}, nil))
		must(t, db.CreateBackup(ctx, &upkeep.Backup{Site: site.ID, Intervention: iv.ID, Moment: upkeep.Before, Snapshot: "s" + name, Complete: true}))
		if name == "gone.example" {
			must(t, db.DeleteSite(ctx, site.ID))
		}
	}
	must(t, db.CreateSecret(ctx, "vault", []byte{0, 0xfe}))
	l := &ledger.Ledger{Rows: db, Clock: time.Now}
	for range 300 { // more than go together
		_, err := l.Append(ctx, upkeep.LedgerEntry{Actor: "anna", Kind: "site_added", Facts: map[string]any{"é": int64(1)}})
		must(t, err)
	}
}

func TestMove(t *testing.T) {
	file := open(t, store.Config{Path: filepath.Join(t.TempDir(), "upkeep.db")})
	fill(t, file)
	address, _ := server.Database(t)
	there := open(t, store.Config{URL: address})
	tables, err := move.Move(t.Context(), file.Records(), there.Records())
	must(t, err)
	rows := map[string]int{}
	for _, table := range tables {
		rows[table.Name] = table.Rows
	}
	if rows["site"] != 3 || rows["ledger"] != 300 || rows["plan"] != 3 || rows["secret"] != 1 {
		t.Errorf("moved %v", rows)
	}
	same(t, file, there)
	must(t, ledger.Verify((&ledger.Ledger{Rows: there, Clock: time.Now}).Entries(t.Context())))
	if _, err := (&ledger.Ledger{Rows: there, Clock: time.Now}).Append(t.Context(), upkeep.LedgerEntry{Actor: "anna", Kind: "k"}); err != nil {
		t.Errorf("the ledger does not go on: %v", err)
	}
	// The number of a site that was deleted is nobody's.
	next := &upkeep.Site{Name: "next.example", URL: "https://next.example", Root: "/srv/next", CMS: upkeep.WordPress}
	must(t, there.CreateSite(t.Context(), next))
	if next.ID != 5 {
		t.Errorf("the next site has number %s", next.ID)
	}
	iv := &upkeep.Intervention{Site: next.ID}
	must(t, there.CreateIntervention(t.Context(), iv))
	must(t, there.AcquireLease(t.Context(), store.InterventionLease(iv.ID), "w", time.Hour))
	if err := there.AdvanceIntervention(t.Context(), iv.ID, "w", [2]upkeep.State{upkeep.Planned, upkeep.Thawing}, nil); upkeep.CodeOf(err) != upkeep.CodeConflict {
		t.Errorf("transitions are not held to any more: %v", err)
	}

	if _, err := move.Move(t.Context(), file.Records(), there.Records()); upkeep.CodeOf(err) != upkeep.CodeConflict {
		t.Errorf("moved twice: %v", err)
	}
}

// same compares what either answers.
func same(t *testing.T, one, other *store.DB) {
	t.Helper()
	ctx := t.Context()
	ask := func(db *store.DB) (all []any) {
		sites, err := db.Sites(ctx)
		must(t, err)
		interventions, err := db.Interventions(ctx, upkeep.InterventionFilter{})
		must(t, err)
		backups, err := db.Backups(ctx, upkeep.BackupFilter{})
		must(t, err)
		entries, err := db.LedgerEntries(ctx, 0, 0)
		must(t, err)
		layout, err := db.SiteLayout(ctx, 1)
		must(t, err)
		return []any{sites, interventions, backups, entries, layout}
	}
	if !reflect.DeepEqual(ask(one), ask(other)) {
		t.Error("they answer differently")
	}
}

// What does not arrive whole does not arrive at all.
func TestMoveIsAllOrNothing(t *testing.T) {
	file := open(t, store.Config{Path: filepath.Join(t.TempDir(), "upkeep.db")})
	fill(t, file)
	address, exec := server.Database(t)
	there := open(t, store.Config{URL: address})
	exec(`CREATE FUNCTION corrupt() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.note = 'x'; RETURN NEW; END $$;
		CREATE TRIGGER corrupt BEFORE INSERT ON backup FOR EACH ROW EXECUTE FUNCTION corrupt()`)
	_, err := move.Move(t.Context(), file.Records(), there.Records())
	if upkeep.CodeOf(err) != upkeep.CodeDamaged || !strings.Contains(err.Error(), "backup") {
		t.Errorf("got %v", err)
	}
	if left := strings.Fields(exec(`SELECT count(*) FROM site; SELECT count(*) FROM plan`)); !reflect.DeepEqual(left, []string{"0", "3"}) {
		t.Errorf("left %v", left)
	}
}

// A database that others use is left alone.
func TestForeignDatabaseIsRefused(t *testing.T) {
	address, exec := server.Database(t)
	exec(`CREATE TABLE theirs (id int)`)
	_, err := store.Open(t.Context(), store.Config{URL: address})
	if upkeep.CodeOf(err) != upkeep.CodeConflict {
		t.Errorf("got %v", err)
	}
	if tables := strings.Fields(exec(`SELECT tablename FROM pg_tables WHERE schemaname = 'public'`)); len(tables) != 1 {
		t.Errorf("tables %v", tables)
	}
}
