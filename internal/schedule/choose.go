package schedule

import (
	"cmp"
	"slices"
	"time"

	"upkeep"
)

// Due is a site whose intervention may begin now.
type Due struct {
	Site     upkeep.SiteID
	Client   string // "" when nobody said: the site then counts as its own client
	Security bool
	Deadline time.Time // contractual; zero is none
	At       time.Time // since when it may begin
}

// Limits are how many interventions may be under way at once. 0 is no limit.
type Limits struct {
	Fleet  int
	Client int
}

// Choose returns which of the due sites begin, in order, when those of running
// are under way: security first, then whoever's client has the fewest under
// way, then the nearest deadline, then who waits longest.
func Choose(due, running []Due, limits Limits) []upkeep.SiteID {
	load := make(map[owner]int)
	for i := range running {
		load[ownerOf(&running[i])]++
	}
	left := slices.Clone(due)
	var chosen []upkeep.SiteID
	for len(left) > 0 && (limits.Fleet == 0 || len(running)+len(chosen) < limits.Fleet) {
		left = slices.DeleteFunc(left, func(d Due) bool { return limits.Client > 0 && load[ownerOf(&d)] >= limits.Client })
		if len(left) == 0 {
			break
		}
		next := slices.MinFunc(left, func(a, b Due) int { return before(&a, &b, load) })
		load[ownerOf(&next)]++
		chosen = append(chosen, next.Site)
		left = slices.DeleteFunc(left, func(d Due) bool { return d.Site == next.Site })
	}
	return chosen
}

// owner is a client, or a site of nobody.
type owner struct {
	client string
	site   upkeep.SiteID
}

func ownerOf(d *Due) owner {
	if d.Client == "" {
		return owner{site: d.Site}
	}
	return owner{client: d.Client}
}

func before(a, b *Due, load map[owner]int) int {
	return cmp.Or(
		compareBool(b.Security, a.Security),
		cmp.Compare(load[ownerOf(a)], load[ownerOf(b)]),
		compareBool(a.Deadline.IsZero(), b.Deadline.IsZero()),
		a.Deadline.Compare(b.Deadline),
		a.At.Compare(b.At),
		cmp.Compare(a.Site, b.Site),
	)
}
