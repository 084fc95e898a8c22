package rows

import (
	"testing"

	"upkeep"
)

func TestCompareNoticesLostData(t *testing.T) {
	table := func(name string, rows int64) upkeep.Object {
		return upkeep.Object{Kind: "table", Name: name, Rows: rows}
	}
	before := []upkeep.Object{table("wp_posts", 100), table("wp_guestbook", 3), table("wp_empty", 0), table("wp_sessions", 50), {Kind: "view", Name: "v"}}
	tests := []struct {
		name string
		now  map[string]int64
		lost []string
	}{
		{"nothing", map[string]int64{"wp_posts": 101, "wp_guestbook": 3}, nil},
		{"a few rows", map[string]int64{"wp_posts": 60, "wp_guestbook": 3}, nil},
		{"a table", map[string]int64{"wp_posts": 100}, []string{"wp_guestbook"}},
		{"most rows", map[string]int64{"wp_posts": 2, "wp_guestbook": 3}, []string{"wp_posts"}},
		{"emptied", map[string]int64{"wp_posts": 100, "wp_guestbook": 0}, []string{"wp_guestbook"}},
		{"replaced by another", map[string]int64{"wp_posts": 100, "wp_guestbook_2": 3}, nil},
		{"replaced by a smaller one", map[string]int64{"wp_guestbook": 3, "wp_posts_2": 3}, []string{"wp_posts"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var lost []string
			for _, check := range Compare(before, test.now) {
				if !check.OK {
					lost = append(lost, check.Subject)
				}
			}
			if len(lost) != len(test.lost) || len(lost) > 0 && lost[0] != test.lost[0] {
				t.Errorf("lost %v, want %v", lost, test.lost)
			}
		})
	}
}

// A count that stops at what is enough judges like one that goes on.
func TestEnoughIsWhatCompareAsksFor(t *testing.T) {
	for _, had := range []int64{1, 2, 3, 100, 101} {
		before := []upkeep.Object{{Kind: "table", Name: "wp_posts", Rows: had}}
		enough := Enough(before)["wp_posts"]
		if checks := Compare(before, map[string]int64{"wp_posts": enough}); !checks[0].OK {
			t.Errorf("%d of %d rows: %+v", enough, had, checks)
		}
		if checks := Compare(before, map[string]int64{"wp_posts": enough - 1}); checks[0].OK {
			t.Errorf("%d of %d rows pass", enough-1, had)
		}
	}
}
