package intervention

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"upkeep"
)

// hunt plays a whole search against a site that breaks when a bad batch
// stands, and returns how it ends.
func hunt(t *rapid.T, batches []upkeep.Batch, bad []int) upkeep.Search {
	s := begin(batches, nil)
	for range 200 {
		standing := append(slices.Clone(s.Kept), s.Trying...)
		for _, number := range standing {
			for _, need := range after(batches, number) {
				if !slices.Contains(standing, need) {
					t.Fatalf("batch %d stands without %d", number, need)
				}
			}
		}
		broken := slices.ContainsFunc(standing, func(n int) bool { return slices.Contains(bad, n) })
		if broken {
			s = fail(s, batches, nil)
			if len(s.Kept)+len(s.Trying) == 0 {
				return s
			}
			continue
		}
		if s = pass(s, batches); len(s.Trying) == 0 {
			return s
		}
	}
	t.Fatal("the search does not end")
	return s
}

func TestSearchKeepsTheGoodAndNamesTheGuilty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "batches")
		var batches []upkeep.Batch
		var bad []int
		for number := 1; number <= n; number++ {
			batch := upkeep.Batch{Number: number}
			if number > 1 && rapid.IntRange(0, 3).Draw(t, "depends") == 0 {
				batch.After = []int{rapid.IntRange(1, number-1).Draw(t, "on")}
			}
			batches = append(batches, batch)
			if rapid.IntRange(0, 3).Draw(t, "bad") == 0 {
				bad = append(bad, number)
			}
		}
		s := hunt(t, batches, bad)
		for number := 1; number <= n; number++ {
			doomed := slices.Contains(bad, number) || dependsOn(batches, number, bad)
			if kept := slices.Contains(s.Kept, number); kept == doomed {
				t.Fatalf("batches %v, bad %v: %d kept is %v; %+v", batches, bad, number, kept, s)
			}
			if slices.Contains(s.Guilty, number) && !slices.Contains(bad, number) {
				t.Fatalf("%d is innocent: %+v", number, s)
			}
		}
	})
}

func dependsOn(batches []upkeep.Batch, number int, bad []int) bool {
	for _, need := range after(batches, number) {
		if slices.Contains(bad, need) || dependsOn(batches, need, bad) {
			return true
		}
	}
	return false
}

func TestSearchTriesSuspectsApart(t *testing.T) {
	update := func(id string) []upkeep.Update {
		return []upkeep.Update{{Component: upkeep.Component{Kind: upkeep.Plugin, ID: id}}}
	}
	batches := []upkeep.Batch{{Number: 1, Updates: update("a")}, {Number: 2, Updates: update("b")}, {Number: 3, Updates: update("c")}}
	s := fail(begin(batches, nil), batches, []string{"plugin:b"})
	if !slices.Equal(s.Trying, []int{1, 3}) || !slices.Equal(s.Pending[0], []int{2}) {
		t.Errorf("the innocent are tried first, the suspect alone: %+v", s)
	}
}

func TestWhatFailsTogetherAfterPassingAloneIsDropped(t *testing.T) {
	s := fail(upkeep.Search{Kept: []int{1, 2}}, []upkeep.Batch{{Number: 1}, {Number: 2}}, nil)
	if len(s.Kept)+len(s.Trying) != 0 {
		t.Errorf("nothing is left to apply: %+v", s)
	}
}

func TestNames(t *testing.T) {
	for text, want := range map[string]bool{
		"fatal error in wp-content/plugins/shop/shop.php line 3":              true,
		"Uncaught Error in /srv/www/wp-content/plugins/shop/inc/a.php:3":      true,
		"fatal error in wp-content/plugins/shop-payments/pay.php line 3":      false,
		"from plugins/shop-payments/pay.php, called in plugins/shop/shop.php": true,
		"the shop is closed": false,
	} {
		if got := names(text, "/srv/www/wp-content/plugins/shop"); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
