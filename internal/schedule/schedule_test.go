package schedule_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/schedule"
)

func at(t *testing.T, text string) time.Time {
	t.Helper()
	instant, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return instant
}

// nights is a window of a plan: Tuesday to Thursday, 02:00 to 05:00 in Paris.
func nights(scope upkeep.Scope, subject string) upkeep.Window {
	return upkeep.Window{Scope: scope, Subject: subject, Begin: "2026-01-05T02:00", Length: upkeep.Duration(3 * time.Hour),
		Rule: "FREQ=WEEKLY;BYDAY=TU,WE,TH", Zone: "Europe/Paris"}
}

func christmas(scope upkeep.Scope, subject string) upkeep.Window {
	return upkeep.Window{Scope: scope, Subject: subject, Closed: true, Begin: "2026-12-14T00:00", Length: upkeep.Duration(14 * 24 * time.Hour),
		Zone: "Europe/Paris", Note: "Noël"}
}

// input is a site under the plan base with one update of each kind, known for
// long, on Sunday, 29 November 2026, at noon.
func input(t *testing.T) schedule.Input {
	t.Helper()
	known := at(t, "2026-11-01T00:00:00Z")
	return schedule.Input{
		Now: at(t, "2026-11-29T12:00:00Z"), Site: "shop",
		Plan:         &upkeep.Plan{Name: "base", Title: "Base", CadenceDays: 30, SoakDays: 7, SecurityHours: 72},
		Subscription: &upkeep.Subscription{Site: 1, Plan: "base", Client: "dupont", Since: at(t, "2026-01-01T00:00:00Z")},
		Windows:      []upkeep.Window{nights(upkeep.ForPlan, "base")},
		Updates:      []schedule.Update{{Ref: "plugin:a", Version: "2", Seen: known}},
	}
}

func codes(reasons []upkeep.Reason) string {
	var all []string
	for _, r := range reasons {
		all = append(all, r.Code)
	}
	return strings.Join(all, " ")
}

func TestDecide(t *testing.T) {
	security := func(t *testing.T, in *schedule.Input, flagged string) {
		in.Updates = []schedule.Update{{Ref: "plugin:s", Version: "3", Security: true, Seen: at(t, flagged), Flagged: at(t, flagged)}}
	}
	for _, tc := range []struct {
		name   string
		change func(t *testing.T, in *schedule.Input)
		at     string // "" is not by itself
		why    string
	}{
		{"the next window", func(*testing.T, *schedule.Input) {}, "2026-12-01T01:00:00Z", "in_window"},
		{"now, in a window", func(t *testing.T, in *schedule.Input) { in.Now = at(t, "2026-12-01T02:10:00Z") }, "2026-12-01T02:10:00Z", "in_window"},
		{"not at the end of a window", func(t *testing.T, in *schedule.Input) { in.Now = at(t, "2026-12-01T03:50:00Z") }, "2026-12-02T01:00:00Z", "in_window"},
		{"summer", func(t *testing.T, in *schedule.Input) { in.Now = at(t, "2027-06-28T12:00:00Z") }, "2027-06-29T00:00:00Z", "in_window"},
		{"a young release soaks", func(t *testing.T, in *schedule.Input) { in.Updates[0].Seen = at(t, "2026-11-28T12:00:00Z") }, "2026-12-08T01:00:00Z", "soaking in_window"},
		{"the cadence goes by days", func(t *testing.T, in *schedule.Input) { in.Last = at(t, "2026-11-03T02:40:00Z") }, "2026-12-03T01:00:00Z", "cadence in_window"},
		{"closed dates of the agency", func(t *testing.T, in *schedule.Input) {
			in.Now, in.Windows = at(t, "2026-12-13T23:30:00Z"), append(in.Windows, christmas(upkeep.ForAgency, ""))
		}, "2026-12-29T01:00:00Z", "closed_dates in_window"},
		{"closed dates of another client", func(t *testing.T, in *schedule.Input) {
			in.Now, in.Windows = at(t, "2026-12-13T23:30:00Z"), append(in.Windows, christmas(upkeep.ForClient, "durand"))
		}, "2026-12-15T01:00:00Z", "in_window"},
		{"the most specific window", func(_ *testing.T, in *schedule.Input) {
			own, clients := nights(upkeep.ForSite, "shop"), nights(upkeep.ForClient, "dupont")
			own.Rule, clients.Rule = "FREQ=MONTHLY;BYMONTHDAY=29", "FREQ=DAILY"
			in.Windows = append(in.Windows, own, clients)
		}, "2026-12-29T01:00:00Z", "in_window"},
		{"29 February", func(_ *testing.T, in *schedule.Input) { in.Windows[0].Rule = "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29" }, "2028-02-29T01:00:00Z", "in_window"},
		{"30 February", func(_ *testing.T, in *schedule.Input) { in.Windows[0].Rule = "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30" }, "", "never_open"},
		{"always closed", func(_ *testing.T, in *schedule.Input) {
			closed := christmas(upkeep.ForAgency, "")
			closed.Begin, closed.Rule = "2026-01-01T00:00", "FREQ=DAILY"
			in.Windows = append(in.Windows, closed)
		}, "", "closed_dates never_open"},
		{"no window", func(_ *testing.T, in *schedule.Input) { in.Windows = nil }, "", "no_window"},
		{"no plan", func(_ *testing.T, in *schedule.Input) { in.Plan = nil }, "", "no_plan"},
		{"nothing ready", func(_ *testing.T, in *schedule.Input) { in.Updates = nil }, "", "nothing_ready"},
		{"the client is asked", func(_ *testing.T, in *schedule.Input) { in.Subscription.Consent = upkeep.OrdinaryConsent }, "", "needs_consent"},
		{"the client said yes", func(_ *testing.T, in *schedule.Input) {
			in.Subscription.Consent, in.Updates[0].Approved = upkeep.OrdinaryConsent, true
		}, "2026-12-01T01:00:00Z", "in_window"},
		{"the fleet is held", func(_ *testing.T, in *schedule.Input) { in.Stop = &upkeep.Reason{Code: schedule.FleetHeld} }, "", "fleet_held"},
		{"something went wrong", func(t *testing.T, in *schedule.Input) { in.Retry.Until = at(t, "2026-12-01T02:00:00Z") }, "2026-12-01T02:00:00Z", "retrying in_window"},

		{"security waits for no soak", func(t *testing.T, in *schedule.Input) { security(t, in, "2026-11-29T10:00:00Z") }, "2026-12-01T01:00:00Z", "in_window"},
		{"security is not asked about", func(t *testing.T, in *schedule.Input) {
			security(t, in, "2026-11-29T10:00:00Z")
			in.Subscription.Consent = upkeep.OrdinaryConsent
		}, "2026-12-01T01:00:00Z", "in_window"},
		{"security has no cadence", func(t *testing.T, in *schedule.Input) {
			security(t, in, "2026-11-29T10:00:00Z")
			in.Last = at(t, "2026-11-28T01:00:00Z")
		}, "2026-12-01T01:00:00Z", "in_window"},
		{"the delay ends before a window opens", func(t *testing.T, in *schedule.Input) {
			security(t, in, "2026-11-29T10:00:00Z")
			in.Plan.SecurityHours = 12
		}, "2026-11-29T21:00:00Z", "at_deadline"},
		{"the delay is over", func(t *testing.T, in *schedule.Input) { security(t, in, "2026-11-20T10:00:00Z") }, "2026-11-29T12:00:00Z", "at_deadline"},
		{"the delay counts from the subscription", func(t *testing.T, in *schedule.Input) {
			security(t, in, "2026-11-01T10:00:00Z")
			in.Subscription.Since = at(t, "2026-11-29T11:00:00Z")
		}, "2026-12-01T01:00:00Z", "in_window"},
		{"before closed dates", func(t *testing.T, in *schedule.Input) {
			in.Now, in.Windows = at(t, "2026-12-12T10:00:00Z"), append(in.Windows, christmas(upkeep.ForAgency, ""))
			security(t, in, "2026-12-12T10:00:00Z")
		}, "2026-12-13T22:00:00Z", "before_closed"},
		{"on closed dates a person decides", func(t *testing.T, in *schedule.Input) {
			in.Now, in.Windows = at(t, "2026-12-15T10:00:00Z"), append(in.Windows, christmas(upkeep.ForAgency, ""))
			security(t, in, "2026-12-15T10:00:00Z")
		}, "2026-12-29T01:00:00Z", "closed_dates in_window would_miss"},
		{"on closed dates by the plan's leave", func(t *testing.T, in *schedule.Input) {
			in.Now, in.Windows = at(t, "2026-12-15T10:00:00Z"), append(in.Windows, christmas(upkeep.ForAgency, ""))
			security(t, in, "2026-12-15T10:00:00Z")
			in.Plan.Insist = true
		}, "2026-12-18T09:00:00Z", "insists"},
		{"closed dates that end in time", func(t *testing.T, in *schedule.Input) {
			in.Now, in.Windows = at(t, "2026-12-27T10:00:00Z"), append(in.Windows, christmas(upkeep.ForAgency, ""))
			security(t, in, "2026-12-27T10:00:00Z")
		}, "2026-12-29T01:00:00Z", "in_window"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := input(t)
			tc.change(t, &in)
			got := schedule.Decide(in)
			said := ""
			if !got.At.IsZero() {
				said = got.At.UTC().Format(time.RFC3339)
			}
			if said != tc.at || codes(got.Reasons) != tc.why {
				t.Errorf("at %q because %q, want %q because %q", said, codes(got.Reasons), tc.at, tc.why)
			}
		})
	}
}

func TestNightOfTheChangeOfClocks(t *testing.T) {
	in := input(t)
	in.Windows[0].Rule, in.Updates[0].Seen = "FREQ=DAILY", at(t, "2026-01-01T00:00:00Z")
	for _, tc := range []struct {
		begin  string
		length time.Duration
		now    string
		at     string
	}{
		{"2026-01-05T02:00", time.Hour, "2026-03-28T12:00:00Z", "2026-03-30T00:00:00Z"},                    // that hour never is
		{"2026-01-05T02:30", time.Hour, "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"},                    // half of it is
		{"2026-01-05T02:00", time.Hour, "2026-10-25T00:50:00Z", "2026-10-25T00:50:00Z"},                    // it lasts two
		{"2026-01-05T02:00", 45 * time.Minute, "2026-10-25T01:25:00Z", "2026-10-25T01:25:00Z"},             // the second time
		{"2026-01-05T23:00", 6 * time.Hour, "2026-03-28T12:00:00Z", "2026-03-28T22:00:00Z"},                // over midnight
		{"2026-01-05T23:00", 4 * time.Hour, "2026-03-29T00:50:00Z", "2026-03-29T21:00:00Z"},                // 03:00 comes an hour early
		{"2026-01-05T02:00", 2 * time.Hour, "2026-10-25T02:40:00Z", "2026-10-25T02:40:00Z"},                // 03:40, before its last quarter
		{"2026-01-05T02:00", 2*time.Hour + 30*time.Minute, "2026-10-25T03:20:00Z", "2026-10-26T01:00:00Z"}, // 04:20, in it
	} {
		in.Windows[0].Begin, in.Windows[0].Length, in.Now = tc.begin, upkeep.Duration(tc.length), at(t, tc.now)
		if got := schedule.Decide(in).At.UTC().Format(time.RFC3339); got != tc.at {
			t.Errorf("%s for %s, asked at %s: %s, want %s", tc.begin, tc.length, tc.now, got, tc.at)
		}
	}
}

func TestSecurityTakesAlongWhatItNeedsAndNothingYoung(t *testing.T) {
	in := input(t)
	young := at(t, "2026-11-29T11:00:00Z")
	in.Updates = []schedule.Update{
		{Ref: "plugin:young", Version: "2", Seen: young},
		{Ref: "plugin:old", Version: "2", Seen: at(t, "2026-11-01T00:00:00Z")},
		{Ref: "plugin:needed", Version: "2", Seen: young},
		{Ref: "plugin:flawed", Version: "2", Security: true, Seen: young, Flagged: young, Needs: []string{"plugin:needed"}},
		{Ref: "plugin:behind", Version: "2", Seen: at(t, "2026-11-01T00:00:00Z"), Needs: []string{"plugin:young"}},
	}
	got := schedule.Decide(in)
	if want := []string{"plugin:old", "plugin:needed", "plugin:flawed"}; !slices.Equal(got.Refs, want) || !got.Security {
		t.Errorf("%q, security %t, want %q", got.Refs, got.Security, want)
	}
	if behind := got.Turns[4]; !behind.At.Equal(got.Turns[0].At) || !strings.Contains(codes(behind.Reasons), schedule.WithNeeded) {
		t.Errorf("goes at %s because %s, what it needs at %s", behind.At, codes(behind.Reasons), got.Turns[0].At)
	}
	in.Plan.SecurityHours = 4 // no window opens until then: nothing ordinary goes along
	if got := schedule.Decide(in); !slices.Equal(got.Refs, []string{"plugin:needed", "plugin:flawed"}) {
		t.Errorf("%q", got.Refs)
	}
}

func TestCheckRefuses(t *testing.T) {
	for name, change := range map[string]func(*upkeep.Window){
		"zone":     func(w *upkeep.Window) { w.Zone = "Mars/Olympus" },
		"no zone":  func(w *upkeep.Window) { w.Zone = "" },
		"local":    func(w *upkeep.Window) { w.Zone = "Local" },
		"rule":     func(w *upkeep.Window) { w.Rule = "every Tuesday" },
		"hourly":   func(w *upkeep.Window) { w.Rule = "FREQ=HOURLY" },
		"hours":    func(w *upkeep.Window) { w.Rule = "FREQ=DAILY;BYHOUR=3" },
		"values":   func(w *upkeep.Window) { w.Rule = "FREQ=YEARLY;BYMONTH=13" },
		"short":    func(w *upkeep.Window) { w.Length = upkeep.Duration(time.Minute) },
		"long":     func(w *upkeep.Window) { w.Length = upkeep.Duration(8 * 24 * time.Hour) },
		"begin":    func(w *upkeep.Window) { w.Begin = "02:00" },
		"scope":    func(w *upkeep.Window) { w.Scope = "galaxy" },
		"nobody's": func(w *upkeep.Window) { w.Subject = "" },
	} {
		w := nights(upkeep.ForPlan, "base")
		change(&w)
		if err := schedule.Check(&w); upkeep.CodeOf(err) != upkeep.CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	w := nights(upkeep.ForPlan, "base")
	if err := schedule.Check(&w); err != nil {
		t.Error(err)
	}
}

func TestRecommend(t *testing.T) {
	plans := []upkeep.Plan{{Name: "sur-mesure", Customised: true}, {Name: "avance", Extensions: 25}, {Name: "base", Extensions: 10}}
	for _, tc := range []struct {
		extensions int
		modified   bool
		want       string
	}{{0, false, "base"}, {10, false, "base"}, {11, false, "avance"}, {25, false, "avance"}, {26, false, "sur-mesure"}, {3, true, "sur-mesure"}} {
		inventory := &upkeep.Inventory{Components: []upkeep.Component{{Kind: upkeep.Core}, {Kind: upkeep.Language}}}
		for range tc.extensions {
			inventory.Components = append(inventory.Components, upkeep.Component{Kind: upkeep.Plugin})
		}
		if tc.modified {
			inventory.Findings = []upkeep.Finding{{Code: "modified"}}
		}
		plan, reasons := schedule.Recommend(plans, inventory)
		if plan == nil || plan.Name != tc.want || len(reasons) == 0 {
			t.Errorf("%d extensions, modified %t: %+v because %v, want %s", tc.extensions, tc.modified, plan, reasons, tc.want)
		}
	}
	if plan, reasons := schedule.Recommend(plans[1:], &upkeep.Inventory{Findings: []upkeep.Finding{{Code: "modified"}}}); plan != nil || len(reasons) != 2 {
		t.Errorf("%+v because %v", plan, reasons)
	}
}

func TestChoose(t *testing.T) {
	now := at(t, "2026-11-29T12:00:00Z")
	due := []schedule.Due{
		{Site: 1, Client: "big", At: now}, {Site: 2, Client: "big", At: now}, {Site: 3, Client: "big", At: now},
		{Site: 4, Client: "small", At: now.Add(time.Hour)},
		{Site: 5, Client: "big", At: now.Add(time.Hour), Security: true, Deadline: now.Add(time.Hour)},
		{Site: 6, At: now}, {Site: 7, At: now},
	}
	for _, tc := range []struct {
		running []schedule.Due
		limits  schedule.Limits
		want    []upkeep.SiteID
	}{
		{nil, schedule.Limits{}, []upkeep.SiteID{5, 6, 7, 4, 1, 2, 3}},
		{nil, schedule.Limits{Fleet: 2}, []upkeep.SiteID{5, 6}},
		{nil, schedule.Limits{Client: 1}, []upkeep.SiteID{5, 6, 7, 4}},
		{[]schedule.Due{{Site: 9, Client: "big"}}, schedule.Limits{Fleet: 4, Client: 1}, []upkeep.SiteID{6, 7, 4}},
		{[]schedule.Due{{Site: 8}, {Site: 9}}, schedule.Limits{Fleet: 2}, nil},
	} {
		if got := schedule.Choose(due, tc.running, tc.limits); !slices.Equal(got, tc.want) {
			t.Errorf("with %d running and %+v: %v, want %v", len(tc.running), tc.limits, got, tc.want)
		}
	}
}
