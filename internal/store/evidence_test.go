package store_test

import (
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/store"
)

// advance takes an intervention through states.
func advance(t *testing.T, db *store.DB, iv *upkeep.Intervention, edit func(*upkeep.Intervention) error, states ...upkeep.State) {
	t.Helper()
	lease(t, db, iv.ID, "w")
	for _, to := range states {
		from, err := db.Intervention(t.Context(), iv.ID)
		must(t, err)
		must(t, db.AdvanceIntervention(t.Context(), iv.ID, "w", [2]upkeep.State{from.State, to}, edit))
	}
}

func testInterventionsLeaveEvidence(t *testing.T, on kind) {
	db, clock, _ := newDB(t, on)
	site := newSite(t, db, "shop.example")
	inventory := func(version upkeep.Version) {
		_, err := db.CreateInventory(t.Context(), site.ID, &upkeep.Inventory{Taken: clock.Now(), CMS: upkeep.WordPress, PHP: "8.1.2", Database: "10.11-MariaDB",
			Components: []upkeep.Component{{Kind: upkeep.Core, ID: "core", Version: "6.8"}, {Kind: upkeep.Plugin, ID: "a", Version: version},
				{Kind: upkeep.Plugin, ID: "b", Version: "3"}, {Kind: upkeep.Language, ID: "fr", Version: "6.8"}}})
		must(t, err)
	}
	inventory("1")
	iv := newIntervention(t, db, site.ID)
	clock.Add(time.Hour)
	inventory("2") // somebody looks while it is under way
	touched := func(iv *upkeep.Intervention) error {
		iv.FrozenAt = clock.Now()
		iv.Outcomes = []upkeep.Outcome{{Ref: "plugin:a", From: "1", To: "2", Result: upkeep.Guilty, Detail: "a page is gone"},
			{Ref: "core", From: "6.8", To: "6.8.1", Result: upkeep.NotApplied}, {Ref: "plugin:b", From: "3", To: "4", Result: upkeep.NotApplied, Detail: "its package is a lie"}}
		return nil
	}
	advance(t, db, iv, touched, upkeep.Preparing, upkeep.Freezing, upkeep.Undoing, upkeep.Incident)
	advance(t, db, iv, touched, upkeep.Undoing, upkeep.Thawing, upkeep.Concluding, upkeep.Undone) // it ends again
	found, err := db.Evidence(t.Context(), upkeep.WordPress, "plugin:a", "2")
	must(t, err)
	if len(found) != 1 {
		t.Fatalf("%+v", found)
	}
	e := found[0]
	if e.Intervention != iv.ID || e.Site != site.ID || e.From != "1" || e.Result != upkeep.Guilty || e.Environment.Core != "6.8" || e.Environment.PHP != "8.1.2" ||
		len(e.Environment.Extensions) != 2 || e.Environment.Extensions["plugin:a"] != "1" || e.At.IsZero() {
		t.Errorf("%+v", e)
	}
	all, err := db.Evidence(t.Context(), upkeep.WordPress, "", "")
	must(t, err)
	if len(all) != 2 || all[0].Component != "core" || all[0].Result != upkeep.NotApplied {
		t.Errorf("what was refused proves nothing of its release: %+v", all)
	}
}

func testUntouchedSitesProveNothing(t *testing.T, on kind) {
	db, _, _ := newDB(t, on)
	site := newSite(t, db, "shop.example")
	iv := newIntervention(t, db, site.ID)
	advance(t, db, iv, func(iv *upkeep.Intervention) error {
		iv.Outcomes = []upkeep.Outcome{{Ref: "core", From: "6.8", To: "6.8.1", Result: upkeep.NotApplied}}
		return nil
	}, upkeep.Preparing, upkeep.Failed)
	found, err := db.Evidence(t.Context(), upkeep.WordPress, "core", "6.8.1")
	must(t, err)
	if len(found) != 0 {
		t.Errorf("%+v", found)
	}
}

func testWavesAreLaidDownOnce(t *testing.T, on kind) {
	db, clock, _ := newDB(t, on)
	first := &upkeep.Rollout{CMS: upkeep.WordPress, Component: "core", Version: "6.8.1", Security: true, Waves: map[upkeep.SiteID]int{1: 1, 2: 3}}
	must(t, db.CreateRollout(t.Context(), first))
	clock.Add(time.Hour)
	second := &upkeep.Rollout{CMS: upkeep.WordPress, Component: "core", Version: "6.8.1", Waves: map[upkeep.SiteID]int{2: 1}}
	must(t, db.CreateRollout(t.Context(), second))
	if second.Waves[1] != 1 || !second.Security || !second.Began.Equal(first.Began) {
		t.Errorf("%+v", second)
	}
	second.Held = clock.Now()
	must(t, db.MarkRolloutHeld(t.Context(), second))
	kept, err := db.Rollout(t.Context(), upkeep.WordPress, "core", "6.8.1")
	must(t, err)
	if !kept.Held.Equal(clock.Now()) {
		t.Errorf("%+v", kept)
	}
	if _, err := db.Rollout(t.Context(), upkeep.WordPress, "core", "7"); upkeep.CodeOf(err) != upkeep.CodeNotFound {
		t.Errorf("%v", err)
	}
}
