package planner_test

import (
	"slices"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/fleet"
	"upkeep/internal/schedule"
	"upkeep/internal/store"
	"upkeep/internal/web"
)

const akismet = "plugin:akismet/akismet.php"

// inWaves returns a fleet of twelve sites whose releases go in waves.
func inWaves(t *testing.T, plan upkeep.Plan) *rig {
	t.Helper()
	r := newRig(t, schedule.Limits{}, "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l")
	plan.Name, plan.Title = "now", "Now"
	must(t, r.db.PutPlan(t.Context(), &plan))
	return r
}

// ended takes an intervention on a site to its end, with what came of the one
// update.
func (r *rig) ended(t *testing.T, site upkeep.SiteID, result upkeep.Result) {
	t.Helper()
	iv := &upkeep.Intervention{Site: site, Requester: fleet.BySchedule}
	must(t, r.db.CreateIntervention(t.Context(), iv))
	must(t, r.db.AcquireLease(t.Context(), store.InterventionLease(iv.ID), "w", time.Minute))
	version, end := upkeep.Version("2"), upkeep.Done
	if result == upkeep.Guilty {
		version, end = "1", upkeep.Undone
		must(t, r.db.CreateHold(t.Context(), &upkeep.Hold{Site: site, Component: akismet, Version: "2", Reason: upkeep.Reason{Code: "failed_update"}}))
	}
	edit := func(iv *upkeep.Intervention) error {
		iv.FrozenAt = r.now
		iv.Outcomes = []upkeep.Outcome{{Ref: akismet, From: "1", To: "2", Result: result}}
		return nil
	}
	from := upkeep.Planned
	for _, to := range []upkeep.State{upkeep.Preparing, upkeep.Freezing, upkeep.Undoing, upkeep.Thawing, upkeep.Concluding, end} {
		must(t, r.db.AdvanceIntervention(t.Context(), iv.ID, "w", [2]upkeep.State{from, to}, edit))
		from = to
	}
	r.has(t, site, version)
}

// has takes the inventory of a site that has a version of the plugin.
func (r *rig) has(t *testing.T, site upkeep.SiteID, version upkeep.Version) {
	t.Helper()
	_, err := r.db.CreateInventory(t.Context(), site, &upkeep.Inventory{Taken: r.now, CMS: upkeep.WordPress, PHP: "8.2", Components: []upkeep.Component{
		{Kind: upkeep.Core, ID: "core", Version: "6"}, {Kind: upkeep.Plugin, ID: "akismet/akismet.php", Slug: "akismet", Version: version}}})
	must(t, err)
}

// later lets time pass, with the inventories of sites from then.
func (r *rig) later(t *testing.T, passes time.Duration, old ...upkeep.SiteID) {
	t.Helper()
	r.now = r.now.Add(passes)
	for id := range upkeep.SiteID(12) {
		version := upkeep.Version("2")
		if slices.Contains(old, id+1) {
			version = "1"
		}
		r.has(t, id+1, version)
	}
}

func (r *rig) because(t *testing.T, site string) string {
	t.Helper()
	found, err := fleet.Calendar{Fleet: r.Fleet}.Schedule(t.Context(), web.ScheduleFilter{Site: site})
	must(t, err)
	return found.Sites[0].Reasons[0].Code
}

func (r *rig) rollout(t *testing.T) *upkeep.RolloutView {
	t.Helper()
	shown, err := fleet.Shelf{Fleet: r.Fleet}.Rollout(t.Context(), upkeep.WordPress, akismet, "2")
	must(t, err)
	return shown
}

// entries counts the lines of a kind on the ledger.
func (r *rig) entries(t *testing.T, kind string) (count int) {
	t.Helper()
	entries, err := r.db.LedgerEntries(t.Context(), 0, 0)
	must(t, err)
	for _, entry := range entries {
		if entry.Kind == kind {
			count++
		}
	}
	return count
}

func TestAReleaseGoesInWavesUntilOneFails(t *testing.T) {
	r := inWaves(t, upkeep.Plan{WaveHours: 24})
	r.want(t, 0, 1)
	if code := r.because(t, "s9"); code != schedule.WaveBefore {
		t.Errorf("the last wait because %s", code)
	}
	r.ended(t, 1, upkeep.Applied)
	r.want(t, time.Hour)
	if code := r.because(t, "s2"); code != schedule.WaveSoaks {
		t.Errorf("the tenth waits because %s", code)
	}
	r.later(t, 24*time.Hour, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
	r.want(t, 0, 2, 3)
	r.ended(t, 2, upkeep.Applied)
	r.ended(t, 3, upkeep.Guilty)
	r.want(t, time.Minute)
	r.want(t, time.Minute)
	holds, err := r.db.ReleaseHolds(t.Context(), upkeep.WordPress)
	must(t, err)
	tasks, err := r.db.Tasks(t.Context(), upkeep.TaskFilter{Open: true})
	must(t, err)
	if len(holds) != 1 || holds[0].Component != akismet || holds[0].Version != "2" || holds[0].Actor != fleet.BySchedule {
		t.Errorf("%+v", holds)
	}
	if len(tasks) != 1 || tasks[0].Code != schedule.TaskRelease || tasks[0].Site != 3 || tasks[0].Params["failed"] != "1" || tasks[0].Params["sites"] != "2" {
		t.Errorf("%+v", tasks)
	}
	if n := r.entries(t, "wave_failed"); n != 1 {
		t.Errorf("the ledger has it %d times", n)
	}
	shown := r.rollout(t)
	if shown.Hold == nil || shown.Confidence.Applied != 2 || shown.Confidence.Failed != 1 || len(shown.Stages[1].Sites) != 2 || shown.Stages[1].Sites[1].Result != upkeep.Guilty {
		t.Errorf("%+v", shown)
	}
	must(t, fleet.Shelf{Fleet: r.Fleet}.AllowRelease(t.Context(), "cli:anna", holds[0]))
	r.want(t, time.Minute)
	r.later(t, 24*time.Hour, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
	r.want(t, 0, 4, 5, 6, 7, 8, 9, 10, 11, 12) // by people's leave; 3 is held by itself
}

func TestSecurityGoesInShortWavesAndNeverBeyondItsDelay(t *testing.T) {
	r := inWaves(t, upkeep.Plan{WaveHours: 24, UrgentHours: 1, SecurityHours: 4})
	r.offers.security = true
	r.want(t, 0, 1)
	r.ended(t, 1, upkeep.Applied)
	r.want(t, 59*time.Minute)
	r.want(t, 2*time.Minute, 2, 3)
	r.want(t, time.Hour, 2, 3)                               // their visits came to nothing
	r.want(t, time.Hour, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12) // an hour before the end of the delay
}

func TestTwoSitesGoInNoWaves(t *testing.T) {
	r := newRig(t, schedule.Limits{}, "a", "b")
	must(t, r.db.PutPlan(t.Context(), &upkeep.Plan{Name: "now", Title: "Now", WaveHours: 24}))
	r.want(t, 0, 1, 2)
	r.ended(t, 1, upkeep.Guilty)
	r.want(t, time.Minute)
	if holds, err := r.db.ReleaseHolds(t.Context(), upkeep.WordPress); err != nil || len(holds) != 0 {
		t.Errorf("%+v %v", holds, err)
	}
}

func TestWhoIsMarkedNeverGoesLast(t *testing.T) {
	r := inWaves(t, upkeep.Plan{WaveHours: 24})
	for id := range upkeep.SiteID(3) {
		must(t, r.db.PutSubscription(t.Context(), &upkeep.Subscription{Site: id + 1, Plan: "now", Canary: upkeep.NeverCanary}))
	}
	must(t, r.db.PutSubscription(t.Context(), &upkeep.Subscription{Site: 4, Plan: "now", Consent: upkeep.OrdinaryConsent}))
	must(t, r.db.PutSubscription(t.Context(), &upkeep.Subscription{Site: 7, Plan: "now", Canary: upkeep.Willing}))
	r.want(t, 0, 7)
}
