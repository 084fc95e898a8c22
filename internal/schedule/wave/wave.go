// Package wave decides which sites get a release first and when the others
// may, by what came of it on those before, and says what the sites have in
// common on which it fails. It computes from what it is given and nothing else.
package wave

import (
	"cmp"
	"slices"
	"time"

	"upkeep"
)

// Smallest is how many sites a release must concern to go in waves: of fewer
// none can stand for the others.
const Smallest = 3

// mostCanaries is how many sites get a release first at most, however large
// the fleet.
const mostCanaries = 10

// Site is one that a release concerns.
type Site struct {
	ID          upkeep.SiteID
	Mark        upkeep.Canary
	Environment upkeep.Environment
}

// Assign lays down in which wave each site gets a release of a component, nil
// when there are too few sites. The canaries are chosen to stand for as many
// sites as a few can: each combination of CMS and PHP branch, and each
// extension, counts as often as sites have it. It depends on nothing but the
// sites, whatever their order.
func Assign(component string, sites []Site) map[upkeep.SiteID]int {
	if len(sites) < Smallest {
		return nil
	}
	sites = slices.Clone(sites)
	slices.SortFunc(sites, func(a, b Site) int { return cmp.Compare(a.ID, b.ID) })
	waves := make(map[upkeep.SiteID]int, len(sites))
	var able []Site
	for i := range sites {
		waves[sites[i].ID] = upkeep.Everyone
		if sites[i].Mark != upkeep.NeverCanary {
			able = append(able, sites[i])
		}
	}
	tenth := (len(sites) + 9) / 10
	for _, id := range cover(component, able, min(tenth, mostCanaries)) {
		waves[id] = upkeep.Canaries
	}
	for i := range able {
		if tenth > 0 && waves[able[i].ID] == upkeep.Everyone {
			waves[able[i].ID] = upkeep.Tenth
			tenth--
		}
	}
	return waves
}

// cover chooses at most so many sites that together have most of what sites
// have, each time the one that adds most; of equals a willing one, then the
// one of the smallest number. It ends when none adds anything.
func cover(component string, sites []Site, most int) []upkeep.SiteID {
	weights := map[feature]int{}
	for i := range sites {
		for _, f := range features(component, &sites[i].Environment) {
			weights[f]++
		}
	}
	adds := func(s *Site) (sum int) {
		for _, f := range features(component, &s.Environment) {
			sum += weights[f]
		}
		return sum
	}
	var chosen []upkeep.SiteID
	for len(chosen) < min(most, len(sites)) {
		best := slices.MaxFunc(sites, func(a, b Site) int {
			return cmp.Or(cmp.Compare(adds(&a), adds(&b)), cmp.Compare(rank(a.Mark), rank(b.Mark)), cmp.Compare(b.ID, a.ID))
		})
		if adds(&best) == 0 {
			break
		}
		chosen = append(chosen, best.ID)
		for _, f := range features(component, &best.Environment) {
			weights[f] = 0
		}
	}
	return chosen
}

func rank(mark upkeep.Canary) int {
	if mark == upkeep.Willing {
		return 1
	}
	return 0
}

// Member is a site of a release with what came of it there.
type Member struct {
	Site   upkeep.SiteID
	Wave   int
	Result upkeep.Result // Applied, Guilty, or "" while neither is known
	At     time.Time     // when
	Away   bool          // nobody waits for it
}

// Pace is how fast a release goes.
type Pace struct {
	Began time.Time
	Held  time.Time     // failures until then are known to people, and went on by their leave
	Soak  time.Duration // from the end of a wave to the next
}

// patience is for how many soaks, and at least how long, a wave waits for sites
// whose turn does not come.
const (
	patience      = 7
	leastPatience = 24 * time.Hour
)

// Progress says where the waves of a release stand at an instant, the first of
// them first. The next opens a soak after the last of the one before ended
// well. A wave that failed opens none until people allowed it. What comes of a
// site later than anybody waited for closes none that was open.
func Progress(members []Member, pace Pace, now time.Time) []upkeep.Wave {
	waves := make([]upkeep.Wave, 0, upkeep.Everyone)
	opens := pace.Began
	for number := upkeep.Canaries; number <= upkeep.Everyone; number++ {
		t := count(members, number, pace.Held)
		w := upkeep.Wave{Number: number, Opens: opens, Applied: t.applied, Failed: t.failed, Broken: failing(number, t.fresh, t.size)}
		w.Ended = t.ended(&w, pace.Soak, now)
		if opens = w.Ended; !opens.IsZero() && !t.first.IsZero() && !t.first.After(w.Ended) {
			opens = opens.Add(pace.Soak)
		}
		waves = append(waves, w)
	}
	return waves
}

// tally is what came of the sites of a wave.
type tally struct {
	size, applied, failed int
	fresh                 int       // failures that nobody knows of
	left                  int       // sites that are waited for
	first, last           time.Time // conclusions
}

func count(members []Member, number int, held time.Time) (t tally) {
	for i := range members {
		m := &members[i]
		if m.Wave != number {
			continue
		}
		t.size++
		switch {
		case m.Result == upkeep.Applied:
			t.applied++
		case m.Result == upkeep.Guilty:
			t.failed++
			if m.At.After(held) {
				t.fresh++
			}
		case !m.Away:
			t.left++
		}
		if m.Result == "" {
			continue
		}
		if t.first.IsZero() || m.At.Before(t.first) {
			t.first = m.At
		}
		if m.At.After(t.last) {
			t.last = m.At
		}
	}
	return t
}

// failing reports whether so many sites of a wave failed that the release is
// held: one canary, or more than a tenth of a later wave.
func failing(number, failed, size int) bool {
	if number == upkeep.Canaries {
		return failed > 0
	}
	return failed > 0 && failed*10 > size
}

// ended is when a wave ended well, zero when it did not: when nobody is left to
// wait for, or when it has waited long enough for those who are.
func (t *tally) ended(w *upkeep.Wave, soak time.Duration, now time.Time) time.Time {
	if w.Opens.IsZero() || w.Broken {
		return time.Time{}
	}
	end, given := w.Opens, w.Opens.Add(max(patience*soak, leastPatience))
	if t.last.After(end) {
		end = t.last
	}
	switch {
	case t.left == 0 && !end.After(given):
		return end
	case now.Before(given):
		return time.Time{}
	}
	return given
}
