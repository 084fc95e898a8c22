package planner_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/agent/post"
	"upkeep/internal/custody"
	"upkeep/internal/fleet"
	"upkeep/internal/fleet/planner"
	"upkeep/internal/ledger"
	"upkeep/internal/resolve"
	"upkeep/internal/schedule"
	"upkeep/internal/store"
	"upkeep/internal/store/standing"
)

// publisher offers one release of the one plugin that every site has.
type publisher struct{ security bool }

func (p *publisher) Check(context.Context, *upkeep.Inventory, fleet.Freshness) (*fleet.Known, error) {
	return &fleet.Known{Releases: []upkeep.Release{{Kind: upkeep.Plugin, Slug: "akismet", Version: "2", Package: "https://example.org/a.zip",
		Source: "example.org", Security: p.security}}}, nil
}

func (*publisher) Originals(context.Context, []upkeep.Component) (map[string]upkeep.Original, []error) {
	return nil, nil
}

func (*publisher) Rules() resolve.Rules {
	return resolve.Rules{Compare: func(a, b upkeep.Version) int { return strings.Compare(string(a), string(b)) },
		Publisher: func(string) string { return "example.org" }}
}

// rig is a fleet on real records, whose sites nobody has to reach.
type rig struct {
	*fleet.Fleet
	db      *store.DB
	now     time.Time
	offers  publisher
	visited []upkeep.SiteID
	planner *planner.Planner
}

// newRig returns a fleet of sites, each of the client of the same place, in a
// window that is open.
func newRig(t *testing.T, limits schedule.Limits, clients ...string) *rig {
	t.Helper()
	r := &rig{now: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return r.now }
	dir := t.TempDir()
	db, err := store.Open(t.Context(), store.Config{Path: filepath.Join(dir, "upkeep.db"), Clock: clock})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	r.db = db
	r.Fleet = fleet.New(fleet.Config{Sites: db, Applications: db, Inventories: db, Interventions: db, Notes: db, Plans: db, Windows: db, Turns: db, Releases: db, Waves: db, Standings: standing.DB{DB: db.Records()}, Limits: limits,
		Custody: custody.New(custody.Config{Sites: db, Backups: db, Here: &post.Local{Dir: filepath.Join(dir, "agents"), Guard: []string{"/bin/false"}}, Now: clock, Log: slog.New(slog.DiscardHandler)}),
		Ledger:  &ledger.Ledger{Rows: db, Clock: clock}, Publishers: map[upkeep.CMS]fleet.Publisher{upkeep.WordPress: &r.offers},
		Now: clock, Log: slog.New(slog.DiscardHandler)})
	must(t, db.PutPlan(t.Context(), &upkeep.Plan{Name: "now", Title: "Now"}))
	must(t, db.CreateWindow(t.Context(), &upkeep.Window{Scope: upkeep.ForPlan, Subject: "now", Begin: "2026-11-01T10:00",
		Length: upkeep.Duration(8 * time.Hour), Rule: "FREQ=DAILY", Zone: "UTC"}))
	for i, client := range clients {
		site := &upkeep.Site{Name: fmt.Sprintf("s%d", i+1), URL: "https://example.org", Root: fmt.Sprintf("/srv/s%d", i+1), CMS: upkeep.WordPress}
		must(t, db.CreateSite(t.Context(), site))
		must(t, db.PutSubscription(t.Context(), &upkeep.Subscription{Site: site.ID, Plan: "now", Client: client}))
		r.survey(t, site.ID)
	}
	r.planner = planner.New(r.Fleet, func(_ context.Context, id upkeep.SiteID) error {
		r.visited = append(r.visited, id)
		return nil
	})
	return r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (r *rig) survey(t *testing.T, id upkeep.SiteID) {
	t.Helper()
	_, err := r.db.CreateInventory(t.Context(), id, &upkeep.Inventory{Taken: r.now, CMS: upkeep.WordPress, Components: []upkeep.Component{
		{Kind: upkeep.Core, ID: "core", Version: "6"}, {Kind: upkeep.Plugin, ID: "akismet/akismet.php", Slug: "akismet", Version: "1"}}})
	must(t, err)
}

// tick lets some time pass and returns who was sent to.
func (r *rig) tick(t *testing.T, passes time.Duration) []upkeep.SiteID {
	t.Helper()
	r.now, r.visited = r.now.Add(passes), nil
	again, err := r.planner.Tick(t.Context())
	must(t, err)
	if again <= 0 {
		t.Fatal("the job would end")
	}
	slices.Sort(r.visited)
	return r.visited
}

func (r *rig) want(t *testing.T, passes time.Duration, want ...upkeep.SiteID) {
	t.Helper()
	if got := r.tick(t, passes); !slices.Equal(got, want) {
		t.Errorf("visits %v, want %v", got, want)
	}
}

func TestPlannerKeepsTheLimitsAndVisitsNobodyTwice(t *testing.T) {
	r := newRig(t, schedule.Limits{Fleet: 3, Client: 2}, "big", "big", "big", "small", "big")
	r.want(t, 0, 1, 2, 4)
	r.want(t, time.Minute) // they are still being visited
	iv := &upkeep.Intervention{Site: 1, Requester: fleet.BySchedule}
	must(t, r.db.CreateIntervention(t.Context(), iv))
	for _, id := range []upkeep.SiteID{2, 4} { // visits that found nothing to begin: nobody answers there
		must(t, r.planner.Visit(t.Context(), id))
	}
	attempt, err := r.db.Attempt(t.Context(), 2)
	must(t, err)
	if attempt.Failures != 1 || attempt.Why == "" {
		t.Errorf("%+v", attempt)
	}
	r.want(t, time.Minute, 3)  // one of the big client's is under way; 2 and 4 wait for another try
	r.want(t, time.Hour, 4, 5) // the visit of 3 is given up; 5 has waited for longest
}

func TestPlannerRespectsHoldsAndHours(t *testing.T) {
	r := newRig(t, schedule.Limits{}, "a", "b")
	must(t, r.db.PutFleetHold(t.Context(), &upkeep.FleetHold{Actor: "cli:anna"}))
	r.want(t, 0)
	must(t, r.db.PutFleetHold(t.Context(), nil))
	calendar := fleet.Calendar{Fleet: r.Fleet}
	closed, err := calendar.AddWindow(t.Context(), "cli:anna", upkeep.Window{Scope: upkeep.ForClient, Subject: "b", Closed: true, Begin: "2026-11-29T00:00",
		Length: upkeep.Duration(24 * time.Hour), Zone: "UTC"})
	must(t, err)
	r.want(t, 0, 1)
	r.want(t, time.Minute)
	must(t, calendar.RemoveWindow(t.Context(), "cli:anna", closed.ID))
	r.want(t, time.Minute, 2)
	r.want(t, 5*time.Hour+50*time.Minute) // 17:52: in the last quarter of an hour nothing begins
	r.survey(t, 1)
	r.survey(t, 2)
	r.want(t, 16*time.Hour+8*time.Minute, 1, 2) // the next day at 10:00
}

func TestPlannerSurveysWhatIsOldAndLeavesTheUnsubscribed(t *testing.T) {
	r := newRig(t, schedule.Limits{Fleet: 1}, "a", "a")
	must(t, r.db.CreateSite(t.Context(), &upkeep.Site{Name: "free", URL: "https://example.org", Root: "/srv/free", CMS: upkeep.WordPress}))
	r.now = r.now.Add(7 * time.Hour) // 19:00: nothing is due
	r.want(t, 0)
	r.want(t, 17*time.Hour+30*time.Minute, 1, 2) // 12:30 the day after: one is due, the other is only old
	for _, id := range []upkeep.SiteID{1, 2} {
		must(t, r.planner.Visit(t.Context(), id)) // nobody answers
	}
	r.want(t, time.Minute)
	r.want(t, 10*time.Minute, 1, 2)
}

func TestPlannerAsksForConsent(t *testing.T) {
	r := newRig(t, schedule.Limits{}, "a")
	contracts := fleet.Contracts{Fleet: r.Fleet}
	_, err := contracts.Subscribe(t.Context(), "cli:anna", "s1", upkeep.Subscription{Plan: "now", Client: "a", Consent: upkeep.OrdinaryConsent})
	must(t, err)
	r.want(t, 0)
	tasks, err := r.db.Tasks(t.Context(), upkeep.TaskFilter{Site: 1, Open: true})
	must(t, err)
	if len(tasks) != 1 || tasks[0].Code != schedule.TaskConsent {
		t.Fatalf("%+v", tasks)
	}
	approved, err := contracts.Approve(t.Context(), "cli:anna", "s1")
	must(t, err)
	if len(approved) != 1 || approved[0].Version != "2" {
		t.Errorf("%+v", approved)
	}
	if tasks, err = r.db.Tasks(t.Context(), upkeep.TaskFilter{Site: 1, Open: true}); err != nil || len(tasks) != 0 {
		t.Errorf("%+v %v", tasks, err)
	}
	r.want(t, time.Minute, 1)
}

func TestAHeldReleaseGoesNowhere(t *testing.T) {
	r := newRig(t, schedule.Limits{}, "a", "b")
	shelf := fleet.Shelf{Fleet: r.Fleet}
	held := upkeep.ReleaseHold{CMS: upkeep.WordPress, Component: "plugin:akismet/akismet.php", Version: "2", Because: "it breaks shops"}
	_, err := shelf.HoldRelease(t.Context(), "cli:anna", held)
	must(t, err)
	r.want(t, 0)
	found, err := fleet.Calendar{Fleet: r.Fleet}.FleetStatus(t.Context())
	must(t, err)
	if found.Pending != 0 || found.Held != 2 || found.Due != 0 {
		t.Errorf("%+v", found)
	}
	must(t, shelf.AllowRelease(t.Context(), "cli:anna", held))
	if err := shelf.AllowRelease(t.Context(), "cli:anna", held); upkeep.CodeOf(err) != upkeep.CodeNotFound {
		t.Error(err)
	}
	r.want(t, time.Minute, 1, 2)
}
