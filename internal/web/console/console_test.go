package console_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/agent/post"
	"upkeep/internal/custody"
	"upkeep/internal/fleet"
	"upkeep/internal/fleet/discovery"
	"upkeep/internal/fleet/hosts"
	"upkeep/internal/resolve"
	"upkeep/internal/store/standing"
	"upkeep/internal/upkeeptest/agency"
	"upkeep/internal/web"
	"upkeep/internal/web/access"
	"upkeep/internal/web/console"
	"upkeep/internal/web/lists"
	"upkeep/internal/web/reply"
)

// token lets the tests' requests in.
const token = "a-token-of-the-tests"

// rig is the console on the records of an agency, behind the gate.
type rig struct {
	*agency.Agency
	*fleet.Fleet
	server *httptest.Server
	gate   *access.Gate
}

// newRig returns the console at an instant on a Sunday afternoon.
func newRig(tb testing.TB) *rig {
	tb.Helper()
	dir := tb.TempDir()
	db, err := agency.Open(tb.Context(), dir, time.Date(2026, 11, 29, 15, 12, 0, 0, time.UTC))
	must(tb, err)
	tb.Cleanup(func() { must(tb, db.Close()) })
	all := standing.DB{DB: db.Records()}
	log := slog.New(slog.NewTextHandler(tb.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	f := fleet.New(fleet.Config{Sites: db, Hosts: db, Applications: db, Inventories: db, Interventions: db, Notes: db, Plans: db, Windows: db, Turns: db,
		Publishers: map[upkeep.CMS]fleet.Publisher{upkeep.WordPress: silent{}},
		Releases:   db, Waves: db, Standings: all, Ledger: db.Ledger,
		Custody: custody.New(custody.Config{Sites: db, Backups: db, Here: &post.Local{Dir: filepath.Join(dir, "agents"), Guard: []string{"/bin/false"}}, Now: db.Clock, Log: log}),
		Enqueue: func(_ context.Context, _ upkeep.InterventionID) error { return nil }, Now: db.Clock, Log: log})
	services := web.Config{
		Sites: fleet.SiteList{Fleet: f}, Hosts: hosts.List{Fleet: f}, Applications: discovery.List{Fleet: f}, Inventories: f, Updates: f,
		Interventions: fleet.Record{Fleet: f}, Backups: fleet.Vault{Fleet: f}, Restores: fleet.Vault{Fleet: f}, Gates: f, Checks: f, Ledger: f,
		Plans: fleet.Contracts{Fleet: f}, Schedules: fleet.Calendar{Fleet: f}, FleetWork: fleet.Calendar{Fleet: f}, Releases: fleet.Shelf{Fleet: f},
		Version: "1.0", Log: log,
	}
	paris, err := time.LoadLocation("Europe/Paris")
	must(tb, err)
	pages, err := console.New(console.Config{Config: services, Overview: all, Progress: all, Slots: fleet.Calendar{Fleet: f}, Records: db, Now: db.Clock, Zone: paris})
	must(tb, err)
	gate := access.New(access.Config{Refuse: pages.Refuse, Log: log,
		Routes: append(append(web.New(services).Routes(), lists.Routes(all, reply.Replier{Log: log})...), pages.Routes()...)})
	r := &rig{Agency: db, Fleet: f, gate: gate, server: httptest.NewServer(gate.Public(token))}
	tb.Cleanup(r.server.Close)
	return r
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// silent is a publisher that offers nothing.
type silent struct{}

func (silent) Check(context.Context, *upkeep.Inventory, fleet.Freshness) (*fleet.Known, error) {
	return &fleet.Known{}, nil
}

func (silent) Originals(context.Context, []upkeep.Component) (map[string]upkeep.Original, []error) {
	return nil, nil
}

func (silent) Rules() resolve.Rules {
	return resolve.Rules{Compare: func(a, b upkeep.Version) int { return strings.Compare(string(a), string(b)) }}
}
