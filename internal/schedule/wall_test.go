package schedule

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// zones are those whose clocks do something: hours and half hours, at midnight,
// in the other half of the year, or a whole day as Samoa left out.
var zones = []string{
	"UTC", "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca",
	"America/Sao_Paulo", "Pacific/Apia", "Asia/Beirut", "Europe/Dublin", "America/St_Johns",
}

func drawZone(t *rapid.T) *time.Location {
	loc, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// drawInstant prefers the hours around a change of clocks.
func drawInstant(t *rapid.T, loc *time.Location) time.Time {
	at := time.Unix(rapid.Int64Range(946_684_800, 2_114_380_800).Draw(t, "at"), 0).UTC()
	if _, change := at.In(loc).ZoneBounds(); !change.IsZero() && rapid.Bool().Draw(t, "near a change") {
		at = change.UTC().Add(time.Duration(rapid.IntRange(-300, 300).Draw(t, "minutes")) * time.Minute)
	}
	return at
}

func TestEveryInstantIsAmongThoseOfItsWallTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		loc := drawZone(t)
		at := drawInstant(t, loc)
		first, last := instantsOf(wallOf(at, loc), loc)
		if at.Before(first) || at.After(last) || !first.Equal(at) && !last.Equal(at) {
			t.Fatalf("%s shows %s, which is %s or %s", at, wallOf(at, loc), first, last)
		}
	})
}

// TestWallTimesInOrder holds that later on the wall is never earlier, and that
// what never is, is where clocks jump over it.
func TestWallTimesInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		loc := drawZone(t)
		wall := wallOf(drawInstant(t, loc), loc).Truncate(time.Minute).Add(time.Duration(rapid.IntRange(-180, 180).Draw(t, "off")) * time.Minute)
		first, last := instantsOf(wall, loc)
		laterFirst, laterLast := instantsOf(wall.Add(time.Minute), loc)
		if last.Before(first) || laterFirst.Before(first) || laterLast.Before(last) {
			t.Fatalf("%s is %s to %s, a minute later is %s to %s", wall, first, last, laterFirst, laterLast)
		}
		if wallOf(first, loc).Equal(wall) {
			return
		}
		if !wallOf(first, loc).After(wall) || !wallOf(first.Add(-time.Second), loc).Before(wall) {
			t.Fatalf("%s never is, and %s is not the jump over it", wall, first)
		}
	})
}

func TestNightsWhenClocksChange(t *testing.T) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ wall, first, last string }{
		{"2026-03-29T01:59", "2026-03-29T00:59:00Z", "2026-03-29T00:59:00Z"},
		{"2026-03-29T02:00", "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z"}, // never is
		{"2026-03-29T02:30", "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z"},
		{"2026-03-29T03:00", "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z"},
		{"2026-10-25T01:30", "2026-10-24T23:30:00Z", "2026-10-24T23:30:00Z"},
		{"2026-10-25T02:30", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"}, // is twice
		{"2026-10-25T03:00", "2026-10-25T02:00:00Z", "2026-10-25T02:00:00Z"},
	} {
		wall, err := time.Parse("2006-01-02T15:04", tc.wall)
		if err != nil {
			t.Fatal(err)
		}
		first, last := instantsOf(wall, paris)
		if first.Format(time.RFC3339) != tc.first || last.Format(time.RFC3339) != tc.last {
			t.Errorf("%s: %s to %s, want %s to %s", tc.wall, first, last, tc.first, tc.last)
		}
	}
}
