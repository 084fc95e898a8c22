// Package retention decides which snapshots of a vault a site's retention no
// longer covers.
package retention

import (
	"bytes"
	"slices"
	"time"

	"upkeep"
	"upkeep/internal/vault"
)

// unit is snapshots that are kept or dropped together: those of one
// intervention, or a single other one.
type unit struct {
	snapshots []vault.ID
	newest    time.Time
	pair      bool
}

// Expired returns the snapshots that keep no longer covers at now. Sites are
// judged apart; a snapshot without a site tag is not ours and never expires.
// The zero Retention keeps all.
func Expired(snapshots []vault.Snapshot, keep upkeep.Retention, now time.Time) []vault.ID {
	if keep == (upkeep.Retention{}) {
		return nil
	}
	sites := map[string][]vault.Snapshot{}
	for _, s := range snapshots {
		if site := s.Site(); site != "" {
			sites[site] = append(sites[site], s)
		}
	}
	var expired []vault.ID
	for _, list := range sites {
		expired = append(expired, expiredOfSite(list, keep, now)...)
	}
	slices.SortFunc(expired, byID)
	return expired
}

func expiredOfSite(snapshots []vault.Snapshot, keep upkeep.Retention, now time.Time) []vault.ID {
	units := gather(snapshots)
	slices.SortFunc(units, func(a, b *unit) int {
		if c := b.newest.Compare(a.newest); c != 0 {
			return c
		}
		return slices.CompareFunc(a.snapshots, b.snapshots, byID)
	})
	youngest := now.AddDate(0, 0, -keep.Days)
	counted := map[bool]int{} // pairs, others
	months := map[string]bool{}
	var expired []vault.ID
	for _, u := range units {
		kept := keep.Days > 0 && u.newest.After(youngest)
		counted[u.pair]++
		kept = kept || counted[u.pair] <= keep.Last
		month := u.newest.UTC().Format("2006-01")
		if !months[month] && len(months) < keep.Monthly {
			months[month] = true
			kept = true
		}
		if !kept {
			expired = append(expired, u.snapshots...)
		}
	}
	return expired
}

// gather puts the snapshots of an intervention together.
func gather(snapshots []vault.Snapshot) []*unit {
	var units []*unit
	pairs := map[string]*unit{}
	for i := range snapshots {
		s := &snapshots[i]
		name := s.Intervention()
		if name == "0" { // of no intervention
			name = ""
		}
		u := pairs[name]
		if u == nil {
			u = &unit{pair: name != ""}
			units = append(units, u)
			if u.pair {
				pairs[name] = u
			}
		}
		u.snapshots = append(u.snapshots, s.ID)
		if s.Time.After(u.newest) {
			u.newest = s.Time
		}
	}
	return units
}

func byID(a, b vault.ID) int { return bytes.Compare(a[:], b[:]) }
