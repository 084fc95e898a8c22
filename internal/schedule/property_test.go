package schedule_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"upkeep"
	"upkeep/internal/schedule"
)

var (
	rules = []string{"", "FREQ=DAILY", "FREQ=WEEKLY;BYDAY=TU,TH", "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU", "FREQ=MONTHLY;BYMONTHDAY=29",
		"FREQ=MONTHLY;BYDAY=-1SU", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "FREQ=DAILY;COUNT=3", "FREQ=DAILY;UNTIL=20270401T000000Z"}
	places = []string{"UTC", "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Beirut", "Pacific/Apia"}
	epoch  = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
)

func drawTime(t *rapid.T, label string) time.Time {
	return epoch.Add(time.Duration(rapid.IntRange(0, 500*24*60).Draw(t, label)) * time.Minute)
}

func drawWindow(t *rapid.T) upkeep.Window {
	w := upkeep.Window{Scope: rapid.SampledFrom(upkeep.Scopes()).Draw(t, "scope"), Closed: rapid.Bool().Draw(t, "closed"),
		Begin: drawTime(t, "begin").Format(upkeep.WallTime), Rule: rapid.SampledFrom(rules).Draw(t, "rule"),
		Zone: rapid.SampledFrom(places).Draw(t, "place"), Note: "closed"}
	w.Length = upkeep.Duration(time.Duration(rapid.IntRange(30, 24*60).Draw(t, "length")) * time.Minute)
	if w.Closed {
		w.Length = upkeep.Duration(time.Duration(rapid.IntRange(1, 20*24*60).Draw(t, "length")) * time.Minute)
	}
	switch w.Scope {
	case upkeep.ForSite:
		w.Subject = rapid.SampledFrom([]string{"shop", "blog"}).Draw(t, "subject")
	case upkeep.ForClient:
		w.Subject = rapid.SampledFrom([]string{"dupont", "durand"}).Draw(t, "subject")
	case upkeep.ForPlan:
		w.Subject = "base"
	}
	return w
}

func drawInput(t *rapid.T) schedule.Input {
	in := schedule.Input{
		Now: drawTime(t, "now"), Site: "shop",
		Plan: &upkeep.Plan{Name: "base", Title: "Base", CadenceDays: rapid.IntRange(0, 40).Draw(t, "cadence"), SoakDays: rapid.IntRange(0, 10).Draw(t, "soak"),
			SecurityHours: rapid.IntRange(0, 200).Draw(t, "security"), Insist: rapid.Bool().Draw(t, "insist")},
		Subscription: &upkeep.Subscription{Site: 1, Plan: "base", Client: "dupont", Since: drawTime(t, "since"),
			Consent: rapid.SampledFrom([]upkeep.Consent{"", upkeep.OrdinaryConsent, upkeep.FullConsent}).Draw(t, "consent")},
		Windows: rapid.SliceOfN(rapid.Custom(drawWindow), 0, 5).Draw(t, "windows"),
	}
	if rapid.Bool().Draw(t, "was there before") {
		in.Last = in.Now.Add(-time.Duration(rapid.IntRange(0, 60*24*60).Draw(t, "last")) * time.Minute)
	}
	if rapid.Bool().Draw(t, "went wrong") {
		in.Retry.Until = in.Now.Add(time.Duration(rapid.IntRange(0, 24*60).Draw(t, "retry")) * time.Minute)
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "updates") {
		u := schedule.Update{Ref: fmt.Sprintf("plugin:%d", i), Version: "2", Security: rapid.Bool().Draw(t, "security"),
			Approved: rapid.Bool().Draw(t, "approved"), Seen: in.Now.Add(-time.Duration(rapid.IntRange(0, 20*24*60).Draw(t, "seen")) * time.Minute)}
		if u.Security {
			u.Flagged = u.Seen
		}
		if rapid.Bool().Draw(t, "needs") {
			u.Needs = []string{fmt.Sprintf("plugin:%d", rapid.IntRange(0, 3).Draw(t, "needed"))}
		}
		switch rapid.IntRange(0, 3).Draw(t, "wave") {
		case 0:
			u.Wait = &schedule.Wait{Because: schedule.Reason(schedule.WaveBefore, "wave", "1")}
		case 1:
			u.Wait = &schedule.Wait{Until: in.Now.Add(time.Duration(rapid.IntRange(-24*60, 10*24*60).Draw(t, "opens")) * time.Minute),
				Because: schedule.Reason(schedule.WaveSoaks, "wave", "1")}
		}
		in.Updates = append(in.Updates, u)
	}
	return in
}

// on reports whether an instant is in a slot of one of the windows.
func on(windows []upkeep.Window, at time.Time) bool {
	return slices.ContainsFunc(schedule.Slots(windows, at, at.Add(time.Nanosecond)), func(s upkeep.Slot) bool {
		return !at.Before(s.Start) && at.Before(s.End)
	})
}

// governing is written anew: of the site's windows those of the first scope
// that has any, and all that close it.
func governing(in *schedule.Input) (open, closed []upkeep.Window) {
	subjects := map[upkeep.Scope]string{upkeep.ForSite: in.Site, upkeep.ForClient: in.Subscription.Client, upkeep.ForPlan: in.Plan.Name}
	for _, scope := range upkeep.Scopes() {
		var here []upkeep.Window
		for _, w := range in.Windows {
			switch {
			case w.Scope != scope || w.Subject != subjects[scope]:
			case w.Closed:
				closed = append(closed, w)
			default:
				here = append(here, w)
			}
		}
		if len(open) == 0 {
			open = here
		}
	}
	return open, closed
}

func has(reasons []upkeep.Reason, code string) bool {
	return slices.ContainsFunc(reasons, func(r upkeep.Reason) bool { return r.Code == code })
}

// TestTurnsKeepEveryPromise draws sites, plans, windows and closed dates, and
// asks of each answer what was promised.
func TestTurnsKeepEveryPromise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		open, closed := governing(&in)
		for i, turn := range schedule.Decide(in).Turns {
			u := &in.Updates[i]
			if len(turn.Reasons) == 0 {
				t.Fatalf("%s: no reason", turn.Ref)
			}
			asked := in.Subscription.Consent == upkeep.FullConsent || in.Subscription.Consent == upkeep.OrdinaryConsent && !u.Security
			if asked && !u.Approved {
				if !turn.At.IsZero() {
					t.Fatalf("%s goes unasked at %s", turn.Ref, turn.At)
				}
				continue
			}
			if turn.At.IsZero() {
				continue
			}
			if turn.At.Before(in.Now) || turn.At.Before(in.Retry.Until) || !turn.Until.IsZero() && !turn.At.Before(turn.Until) {
				t.Fatalf("%s: %s until %s, now is %s", turn.Ref, turn.At, turn.Until, in.Now)
			}
			if on(closed, turn.At) && !has(turn.Reasons, schedule.Insists) {
				t.Fatalf("%s goes on closed dates at %s because %v", turn.Ref, turn.At, turn.Reasons)
			}
			if !u.Security && (!on(open, turn.At) || turn.At.Before(u.Seen.AddDate(0, 0, in.Plan.SoakDays))) {
				t.Fatalf("%s goes outside of windows, or young, at %s because %v", turn.Ref, turn.At, turn.Reasons)
			}
			if !u.Security && u.Wait != nil && (u.Wait.Until.IsZero() || turn.At.Before(u.Wait.Until)) {
				t.Fatalf("%s goes before its wave, at %s because %v", turn.Ref, turn.At, turn.Reasons)
			}
			if late := later(in.Now, in.Retry.Until, turn.Deadline); u.Security && !turn.Deadline.IsZero() &&
				turn.At.After(late) && !has(turn.Reasons, schedule.WouldMiss) {
				t.Fatalf("%s goes at %s, after %s, because %v", turn.Ref, turn.At, late, turn.Reasons)
			}
		}
	})
}

func later(all ...time.Time) time.Time { return slices.MaxFunc(all, time.Time.Compare) }

// TestDecisionsStand holds that time alone changes no decision until it is due:
// whoever asks at any moment before, and at the moment itself, hears the same.
func TestDecisionsStand(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		first := schedule.Decide(in)
		if first.At.IsZero() {
			return
		}
		span := int64(first.At.Sub(in.Now))
		in.Now = in.Now.Add(time.Duration(rapid.Int64Range(0, span).Draw(t, "passes")))
		second := schedule.Decide(in)
		if !second.At.Equal(first.At) || !slices.Equal(second.Refs, first.Refs) {
			t.Fatalf("said %s of %v because %v, then %s of %v because %v", first.At, first.Refs, first.Reasons, second.At, second.Refs, second.Reasons)
		}
		in.Now = first.At
		if due := schedule.Decide(in); !due.At.Equal(first.At) {
			t.Fatalf("due at %s, put off to %s because %v", first.At, due.At, due.Reasons)
		}
	})
}

// TestChoosingIsFair holds that limits hold, that nothing is chosen twice, that
// no ordinary work goes before security, and that no client gets a second turn
// of a kind while another has had none.
func TestChoosingIsFair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var due []schedule.Due
		for i := range rapid.IntRange(0, 12).Draw(t, "due") {
			due = append(due, schedule.Due{Site: upkeep.SiteID(i + 1), Client: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "client"),
				Security: rapid.Bool().Draw(t, "security"), At: drawTime(t, "at")})
		}
		limits := schedule.Limits{Fleet: rapid.IntRange(0, 6).Draw(t, "fleet"), Client: rapid.IntRange(0, 3).Draw(t, "client")}
		chosen := schedule.Choose(due, nil, limits)
		load := map[string]int{}
		ordinary := false
		for i, site := range chosen {
			d := due[site-1]
			if slices.Contains(chosen[:i], site) || ordinary && d.Security {
				t.Fatalf("%v of %+v", chosen, due)
			}
			ordinary = ordinary || !d.Security
			for _, other := range due {
				if other.Security == d.Security && !slices.Contains(chosen[:i], other.Site) && load[other.Client] < load[d.Client] {
					t.Fatalf("%v: %s before %s", chosen, d.Client, other.Client)
				}
			}
			load[d.Client]++
			if limits.Client > 0 && load[d.Client] > limits.Client || limits.Fleet > 0 && i >= limits.Fleet {
				t.Fatalf("%v passes %+v", chosen, limits)
			}
		}
	})
}

// FuzzRule: whatever is accepted as a rule is asked about for ten years in no
// time, and its occurrences come in order.
func FuzzRule(f *testing.F) {
	for _, rule := range append(slices.Clone(rules), "FREQ=DAILY;INTERVAL=-1", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=WEEKLY;BYSETPOS=-1;BYDAY=MO,TU",
		"FREQ=YEARLY;BYWEEKNO=53", "FREQ=YEARLY;BYYEARDAY=366", "FREQ=MONTHLY;BYDAY=+5FR", "FREQ=DAILY;COUNT=0", "FREQ=DAILY;INTERVAL=1000000000", "FREQ=YEARLY;BYEASTER=1",
		"FREQ=MONTHLY;BYDAY=8SA", "FREQ=YEARLY;BYMONTH=12;BYDAY=6SA", "FREQ=YEARLY;BYDAY=53SA") {
		f.Add(rule)
	}
	f.Fuzz(func(t *testing.T, rule string) {
		w := upkeep.Window{Scope: upkeep.ForAgency, Begin: "2024-02-29T02:30", Length: upkeep.Duration(2 * time.Hour), Rule: rule, Zone: "Europe/Paris"}
		if schedule.Check(&w) != nil {
			return
		}
		asked := time.Now()
		slots := schedule.Slots([]upkeep.Window{w}, epoch, epoch.AddDate(10, 0, 0))
		if took := time.Since(asked); took > 5*time.Second {
			t.Errorf("%q took %s", rule, took)
		}
		for i, slot := range slots {
			if !slot.End.After(slot.Start) || i > 0 && slot.Start.Before(slots[i-1].Start) {
				t.Fatalf("%q: %+v", rule, slot)
			}
		}
	})
}

// A window whose beginnings are all closed never opens, however far is looked.
func TestNothingOpensBehindTheHorizon(t *testing.T) {
	in := schedule.Input{Now: epoch, Site: "shop", Plan: &upkeep.Plan{Name: "base"}, Subscription: &upkeep.Subscription{Site: 1, Plan: "base"},
		Windows: []upkeep.Window{
			{Scope: upkeep.ForSite, Subject: "shop", Begin: "2026-03-12T00:00", Length: upkeep.Duration(30 * time.Minute), Rule: "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU", Zone: "UTC"},
			{Scope: upkeep.ForPlan, Subject: "base", Closed: true, Begin: "2026-03-01T00:00", Length: upkeep.Duration(15 * time.Minute), Rule: "FREQ=DAILY", Zone: "UTC"},
		},
		Updates: []schedule.Update{{Ref: "plugin:0", Version: "2", Seen: epoch}},
	}
	if turn := schedule.Decide(in).Turns[0]; !turn.At.IsZero() {
		t.Errorf("it goes at %s because %v", turn.At, turn.Reasons)
	}
}
