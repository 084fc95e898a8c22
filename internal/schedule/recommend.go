package schedule

import (
	"cmp"
	"slices"
	"strconv"

	"upkeep"
)

// Codes of the reasons of a recommendation.
const (
	Unlimited  = "unlimited"  // so many extensions, of which the plan limits no number {count}
	Counted    = "counted"    // so many extensions, and at most so many go under the plan {count, most}
	Modified   = "customised" // code was modified {components}
	NoPlanFits = "no_plan_fits"
)

// Extensions returns how many extensions plans count: what is not core, but
// for translations, which come with what they translate.
func Extensions(inventory *upkeep.Inventory) int {
	count := 0
	for i := range inventory.Components {
		if kind := inventory.Components[i].Kind; kind != upkeep.Core && kind != upkeep.Language {
			count++
		}
	}
	return count
}

// Recommend returns the smallest plan that a site's inventory fits, and why.
// The plan is nil when none does.
func Recommend(plans []upkeep.Plan, inventory *upkeep.Inventory) (*upkeep.Plan, []upkeep.Reason) {
	extensions := Extensions(inventory)
	modified := 0
	for i := range inventory.Findings {
		if inventory.Findings[i].Code == "modified" {
			modified++
		}
	}
	plans = slices.Clone(plans)
	slices.SortStableFunc(plans, func(a, b upkeep.Plan) int {
		return cmp.Or(cmp.Compare(size(&a), size(&b)), compareBool(a.Customised, b.Customised), cmp.Compare(a.Name, b.Name))
	})
	at := slices.IndexFunc(plans, func(p upkeep.Plan) bool { return p.Fits(extensions, modified > 0) })
	var reasons []upkeep.Reason
	if modified > 0 {
		reasons = append(reasons, Reason(Modified, "count", strconv.Itoa(modified)))
	}
	if at < 0 {
		return nil, append(reasons, Reason(NoPlanFits, "count", strconv.Itoa(extensions)))
	}
	counted := Reason(Unlimited, "count", strconv.Itoa(extensions))
	if most := plans[at].Extensions; most > 0 {
		counted = Reason(Counted, "count", strconv.Itoa(extensions), "most", strconv.Itoa(most))
	}
	return &plans[at], append(reasons, counted)
}

// size orders plans by how many extensions they take.
func size(p *upkeep.Plan) uint {
	if p.Extensions == 0 {
		return 1 << 63
	}
	return uint(p.Extensions)
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
