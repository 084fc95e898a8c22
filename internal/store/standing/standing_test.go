package standing_test

import (
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/overview"
	"upkeep/internal/store/standing"
	"upkeep/internal/upkeeptest/agency"
)

func open(t *testing.T) (*agency.Agency, standing.DB) {
	t.Helper()
	db, err := agency.Open(t.Context(), t.TempDir(), time.Date(2026, 11, 29, 15, 12, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := db.Fill(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db, standing.DB{DB: db.Records()}
}

func names(lines []overview.SiteLine) (names []string) {
	for i := range lines {
		names = append(names, lines[i].Name)
	}
	return names
}

func TestSitesAreChosenAndSorted(t *testing.T) {
	_, db := open(t)
	for _, tc := range []struct {
		q     overview.SiteQuery
		total int
		first string
	}{
		{overview.SiteQuery{}, 24, "association-vivre.example"},
		{overview.SiteQuery{Descending: true}, 24, "wiki.laboratoire-halde.example"},
		{overview.SiteQuery{Search: "VELO"}, 2, "boutique.velo-libre.example"},
		{overview.SiteQuery{Search: "%"}, 0, ""},
		{overview.SiteQuery{Search: "saint-aubin", Sort: "security", Descending: true}, 2, "mairie-saint-aubin.example"},
		{overview.SiteQuery{Shown: overview.SecuritySites, Sort: "deadline"}, 3, "cabinet-delorme.example"},
		{overview.SiteQuery{Shown: overview.HeldSites}, 2, "hotel-beaurivage.example"},
		{overview.SiteQuery{Shown: overview.WorkingSites}, 2, "boutique.velo-libre.example"},
		{overview.SiteQuery{Shown: overview.TroubledSites}, 4, "festival-des-brumes.example"},
		{overview.SiteQuery{Shown: overview.UnplanedSites}, 1, "garage-perrin.example"},
		{overview.SiteQuery{Offset: 20, Limit: 10}, 24, "sport-club-nantes.example"},
		{overview.SiteQuery{Sort: "turn"}, 24, ""},
	} {
		page, err := db.Sites(t.Context(), tc.q)
		if err != nil {
			t.Fatal(err)
		}
		found := names(page.Lines)
		if page.Total != tc.total || tc.first != "" && (len(found) == 0 || found[0] != tc.first) {
			t.Errorf("%+v: %d sites, %v", tc.q, page.Total, found)
		}
		if choice := page.Counts[tc.q.Shown]; tc.q.Search == "" && choice != page.Total {
			t.Errorf("%q: %d sites, counted as %d", tc.q.Shown, page.Total, choice)
		}
	}
	for _, q := range []overview.SiteQuery{{Sort: "name; DROP TABLE site"}, {Shown: "everything"}} {
		if _, err := db.Sites(t.Context(), q); upkeep.CodeOf(err) != upkeep.CodeInvalid {
			t.Errorf("%+v: %v", q, err)
		}
	}
}

func TestWhatIsNotKnownComesLast(t *testing.T) {
	_, db := open(t)
	for _, descending := range []bool{false, true} {
		page, err := db.Sites(t.Context(), overview.SiteQuery{Sort: "turn", Descending: descending})
		if err != nil {
			t.Fatal(err)
		}
		if page.Lines[0].Turn.IsZero() || !page.Lines[len(page.Lines)-1].Turn.IsZero() {
			t.Errorf("descending %v: %v", descending, names(page.Lines))
		}
	}
}

func TestAgendaSaysWhatNeedsAPerson(t *testing.T) {
	records, db := open(t)
	a, err := db.Agenda(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if a.Hold != nil || a.Sites != 24 || a.Uncovered != 3 || a.TaskCount != 5 || len(a.Tasks) != 5 || len(a.Running) != 2 {
		t.Errorf("%+v", a)
	}
	if len(a.Troubled) != 4 || a.Troubled[0].State != upkeep.Incident {
		t.Errorf("troubled: %+v", a.Troubled)
	}
	if len(a.Stale) != 1 || a.Stale[0].Publisher != "drupal.org" || a.Stale[0].Sites != 1 {
		t.Errorf("stale: %+v", a.Stale)
	}
	if len(a.Failing) != 1 || a.Failing[0].Failures != 3 || a.Failing[0].SiteName != "pharmacie-du-port.example" {
		t.Errorf("failing: %+v", a.Failing)
	}
	for i := range a.Clocks[1:] {
		if a.Clocks[i].Deadline.After(a.Clocks[i+1].Deadline) {
			t.Errorf("clocks are not in order: %v", names(a.Clocks))
		}
	}
	if err := records.PutFleetHold(t.Context(), &upkeep.FleetHold{Actor: "claire", Because: "move"}); err != nil {
		t.Fatal(err)
	}
	if a, err = db.Agenda(t.Context()); err != nil || a.Hold == nil || a.Hold.Actor != "claire" {
		t.Errorf("held: %+v, %v", a.Hold, err)
	}
}

func TestStandingIsReplacedAndGoesWithItsSite(t *testing.T) {
	records, db := open(t)
	site, err := records.SiteByName(t.Context(), "cabinet-delorme.example")
	if err != nil {
		t.Fatal(err)
	}
	before, err := db.Standing(t.Context(), site.ID)
	if err != nil || before.Security != 1 || len(before.Updates) != 2 {
		t.Fatalf("%+v, %v", before, err)
	}
	before.Updates = before.Updates[1:]
	before.Count()
	if err := db.PutStanding(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	if after, err := db.Standing(t.Context(), site.ID); err != nil || after.Security != 0 || after.Pending != 1 {
		t.Errorf("%+v, %v", after, err)
	}
	if err := records.DeleteSite(t.Context(), site.ID); err != nil {
		t.Fatal(err)
	}
	if err := db.PutStanding(t.Context(), before); err != nil {
		t.Errorf("of a site that is gone: %v", err)
	}
	if _, err := db.Standing(t.Context(), site.ID); upkeep.CodeOf(err) != upkeep.CodeNotFound {
		t.Errorf("it stayed: %v", err)
	}
}
