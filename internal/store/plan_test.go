package store_test

import (
	"testing"
	"time"

	"upkeep"
)

func testPlansAreShippedAndEdited(t *testing.T, on kind) {
	db, _, _ := newDB(t, on)
	plans, err := db.Plans(t.Context())
	must(t, err)
	if len(plans) != 3 || plans[0].Name != "base" || plans[0].Extensions != 10 || plans[1].Extensions != 25 || plans[2].Extensions != 0 || !plans[2].Customised {
		t.Fatalf("%+v", plans)
	}
	base := plans[0]
	base.CadenceDays, base.Insist = 14, true
	must(t, db.PutPlan(t.Context(), &base))
	must(t, db.PutPlan(t.Context(), &upkeep.Plan{Name: "mini", Title: "Mini", Extensions: 3}))
	if plans, err = db.Plans(t.Context()); err != nil || len(plans) != 4 || plans[0].Name != "mini" || plans[1] != base {
		t.Errorf("%+v %v", plans, err)
	}
	wantCode(t, db.PutPlan(t.Context(), &upkeep.Plan{Name: "Mini", Title: "Mini"}), upkeep.CodeInvalid)
	wantCode(t, db.PutPlan(t.Context(), &upkeep.Plan{Name: "mini", Title: "Mini", SoakDays: -1}), upkeep.CodeInvalid)
}

func testSubscriptionsCountFromTheirPlan(t *testing.T, on kind) {
	db, clock, _ := newDB(t, on)
	site := newSite(t, db, "shop")
	s := upkeep.Subscription{Site: site.ID, Plan: "base"}
	must(t, db.PutSubscription(t.Context(), &s))
	since := s.Since
	clock.Add(time.Hour)
	s = upkeep.Subscription{Site: site.ID, Plan: "base", Client: "dupont", Consent: upkeep.FullConsent}
	must(t, db.PutSubscription(t.Context(), &s))
	if !s.Since.Equal(since) {
		t.Errorf("since %s, want %s: the plan is the same", s.Since, since)
	}
	s.Plan = "avance"
	must(t, db.PutSubscription(t.Context(), &s))
	found, err := db.Subscriptions(t.Context())
	must(t, err)
	if len(found) != 1 || found[0] != s || !s.Since.Equal(since.Add(time.Hour)) {
		t.Errorf("%+v", found)
	}
	s.Plan = "gold"
	wantCode(t, db.PutSubscription(t.Context(), &s), upkeep.CodeNotFound, "gold")
	s.Plan, s.Consent = "base", "maybe"
	wantCode(t, db.PutSubscription(t.Context(), &s), upkeep.CodeInvalid)
}

func testWindowsAreSomebodys(t *testing.T, on kind) {
	db, _, _ := newDB(t, on)
	shipped, err := db.Windows(t.Context())
	must(t, err)
	if len(shipped) != 3 || time.Duration(shipped[0].Length) != 5*time.Hour {
		t.Fatalf("%+v", shipped)
	}
	site := newSite(t, db, "shop")
	w := upkeep.Window{Scope: upkeep.ForSite, Subject: "shop", Begin: "2026-12-01T02:00", Length: upkeep.Duration(time.Hour), Rule: "FREQ=DAILY", Zone: "Europe/Paris"}
	must(t, db.CreateWindow(t.Context(), &w))
	for scope, subject := range map[upkeep.Scope]string{upkeep.ForSite: "nowhere", upkeep.ForClient: "nobody", upkeep.ForPlan: "gold"} {
		other := w
		other.Scope, other.Subject = scope, subject
		wantCode(t, db.CreateWindow(t.Context(), &other), upkeep.CodeNotFound, subject)
	}
	must(t, db.PutSubscription(t.Context(), &upkeep.Subscription{Site: site.ID, Plan: "base", Client: "dupont"}))
	clients := w
	clients.Scope, clients.Subject, clients.Closed = upkeep.ForClient, "dupont", true
	must(t, db.CreateWindow(t.Context(), &clients))
	if found, err := db.Windows(t.Context()); err != nil || len(found) != 5 || found[3] != w || found[4] != clients {
		t.Errorf("%+v %v", found, err)
	}
	removed, err := db.DeleteWindow(t.Context(), clients.ID)
	must(t, err)
	if removed != clients {
		t.Errorf("%+v", removed)
	}
	_, err = db.DeleteWindow(t.Context(), clients.ID)
	wantCode(t, err, upkeep.CodeNotFound)
	must(t, db.DeleteSite(t.Context(), site.ID))
	if found, err := db.Windows(t.Context()); err != nil || len(found) != len(shipped) {
		t.Errorf("a site's windows outlive it: %+v %v", found, err)
	}
}

func testSightingsKeepTheFirst(t *testing.T, on kind) {
	db, clock, _ := newDB(t, on)
	begin := clock.Now().UTC()
	sight := func(security bool) upkeep.Sighting {
		s := []upkeep.Sighting{{Component: "plugin:a", Version: "2", Security: security}}
		must(t, db.Sight(t.Context(), upkeep.WordPress, s))
		return s[0]
	}
	sight(false)
	clock.Add(time.Hour)
	if s := sight(false); !s.Seen.Equal(begin) || !s.Flagged.IsZero() {
		t.Errorf("%+v", s)
	}
	if s := sight(true); !s.Seen.Equal(begin) || !s.Flagged.Equal(begin.Add(time.Hour)) {
		t.Errorf("%+v", s)
	}
	clock.Add(time.Hour)
	if s := sight(true); !s.Flagged.Equal(begin.Add(time.Hour)) {
		t.Errorf("%+v", s)
	}
}

func testApprovalsCloseTheTask(t *testing.T, on kind) {
	db, _, _ := newDB(t, on)
	site := newSite(t, db, "shop")
	must(t, db.CreateTask(t.Context(), &upkeep.Task{Site: site.ID, Code: "ask"}))
	must(t, db.CreateTask(t.Context(), &upkeep.Task{Site: site.ID, Code: "other"}))
	for _, actor := range []string{"cli:anna", "cli:berta"} {
		must(t, db.Approve(t.Context(), []upkeep.Approval{{Site: site.ID, Component: "plugin:a", Version: "2", Actor: actor}}, "ask"))
	}
	found, err := db.Approvals(t.Context(), site.ID)
	must(t, err)
	if len(found) != 1 || found[0].Actor != "cli:anna" {
		t.Errorf("%+v", found)
	}
	open, err := db.Tasks(t.Context(), upkeep.TaskFilter{Site: site.ID, Open: true})
	must(t, err)
	if len(open) != 1 || open[0].Code != "other" {
		t.Errorf("%+v", open)
	}
}

func testAttemptsCountFailures(t *testing.T, on kind) {
	db, clock, _ := newDB(t, on)
	site := newSite(t, db, "shop")
	for _, tc := range []struct {
		why      string
		failures int
	}{{"no answer", 1}, {"no answer", 2}, {"", 0}, {"no space", 1}} {
		must(t, db.PutAttempt(t.Context(), site.ID, tc.why))
		a, err := db.Attempt(t.Context(), site.ID)
		must(t, err)
		if a.Failures != tc.failures || a.Why != tc.why || !a.Tried.Equal(clock.Now()) {
			t.Errorf("%+v, want %+v", a, tc)
		}
		clock.Add(time.Minute)
	}
}

func testTheFleetIsHeldOnce(t *testing.T, on kind) {
	db, clock, _ := newDB(t, on)
	begin := clock.Now().UTC()
	must(t, db.PutFleetHold(t.Context(), &upkeep.FleetHold{Actor: "cli:anna", Because: "the network moves"}))
	clock.Add(time.Hour)
	second := &upkeep.FleetHold{Actor: "cli:berta"}
	must(t, db.PutFleetHold(t.Context(), second))
	hold, err := db.FleetHold(t.Context())
	must(t, err)
	if hold == nil || *hold != *second || hold.Actor != "cli:anna" || !hold.Since.Equal(begin) {
		t.Errorf("%+v, told %+v", hold, second)
	}
	must(t, db.PutFleetHold(t.Context(), nil))
	must(t, db.PutFleetHold(t.Context(), nil))
	if hold, err = db.FleetHold(t.Context()); hold != nil || err != nil {
		t.Errorf("%+v %v", hold, err)
	}
}
