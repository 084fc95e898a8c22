package schedule_test

import (
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/schedule"
)

func TestLearn(t *testing.T) {
	now := at(t, "2026-11-29T12:00:00Z")
	ended := func(state upkeep.State, ago time.Duration, security bool) *upkeep.Intervention {
		iv := &upkeep.Intervention{ID: 7, State: state, Created: now.Add(-ago), FrozenAt: now.Add(-ago), Ended: now.Add(-ago),
			Batches: []upkeep.Batch{{Updates: []upkeep.Update{{Security: security}}}}}
		if state == upkeep.Failed {
			iv.FrozenAt = time.Time{}
		}
		return iv
	}
	half := ended(upkeep.Partial, time.Hour, false)
	half.Outcomes = []upkeep.Outcome{{Result: upkeep.Applied}, {Result: upkeep.NotApplied}}
	for _, tc := range []struct {
		name    string
		history []*upkeep.Intervention
		attempt upkeep.Attempt
		last    time.Duration // ago; 0 is never
		wait    time.Duration // from the end of the newest, or the attempt
		stop    string
	}{
		{name: "nothing"},
		{name: "good", history: []*upkeep.Intervention{ended(upkeep.Done, time.Hour, false)}, last: time.Hour},
		{name: "security is no cadence", history: []*upkeep.Intervention{ended(upkeep.Done, time.Hour, true), ended(upkeep.Done, 3*time.Hour, false)}, last: 3 * time.Hour},
		{name: "undone", history: []*upkeep.Intervention{ended(upkeep.Undone, 0, true), ended(upkeep.Done, 3*time.Hour, true)}, wait: time.Hour},
		{name: "three times", history: []*upkeep.Intervention{ended(upkeep.Undone, 0, true), ended(upkeep.Failed, time.Hour, true), ended(upkeep.Undone, 2*time.Hour, true)}, wait: 4 * time.Hour},
		{name: "untouched", history: []*upkeep.Intervention{ended(upkeep.Failed, 0, false)}, wait: time.Hour},
		{name: "cancelled", history: []*upkeep.Intervention{ended(upkeep.Cancelled, 0, true)}, wait: 24 * time.Hour},
		{name: "half", history: []*upkeep.Intervention{half}, last: time.Hour, wait: time.Hour},
		{name: "incident", history: []*upkeep.Intervention{ended(upkeep.Incident, 0, true)}, stop: schedule.AfterIncident},
		{name: "under way", history: []*upkeep.Intervention{ended(upkeep.Applying, 0, true)}, stop: schedule.UnderWay},
		{name: "inventory from before", history: []*upkeep.Intervention{ended(upkeep.Done, -time.Minute, true)}, stop: schedule.SurveyDue},
		{name: "attempts", attempt: upkeep.Attempt{Failures: 3, Tried: now}, wait: 20 * time.Minute},
		{name: "many attempts", attempt: upkeep.Attempt{Failures: 1000, Tried: now}, wait: 24 * time.Hour},
	} {
		in := schedule.Input{Now: now, Surveyed: now}
		in.Learn(tc.history, tc.attempt)
		from := now
		if len(tc.history) > 0 {
			from = tc.history[0].Ended
		}
		if tc.wait > 0 && !in.Retry.Until.Equal(from.Add(tc.wait)) || tc.wait == 0 && !in.Retry.Until.IsZero() {
			t.Errorf("%s: waits until %s, want %s after %s", tc.name, in.Retry.Until, tc.wait, from)
		}
		if tc.last > 0 && !in.Last.Equal(now.Add(-tc.last)) || tc.last == 0 && !in.Last.IsZero() {
			t.Errorf("%s: last %s, want %s ago", tc.name, in.Last, tc.last)
		}
		if (in.Stop == nil) != (tc.stop == "") || in.Stop != nil && in.Stop.Code != tc.stop {
			t.Errorf("%s: stop %v, want %q", tc.name, in.Stop, tc.stop)
		}
	}
}
