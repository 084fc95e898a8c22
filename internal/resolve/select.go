package resolve

import (
	"slices"
	"strings"

	"upkeep"
)

// Select narrows a plan to what an operator asked for. only and except hold
// words as upkeep.Component.Matches takes them; no only means everything.
// securityOnly leaves out what is not security, but for what a security
// update needs.
//
// CodeNotFound for a word that names nothing, CodeInvalid when something
// asked for needs something left out.
func Select(plan Plan, only, except []string, securityOnly bool) (_ Plan, err error) {
	defer upkeep.Wrap(&err, "select updates")
	for _, word := range slices.Concat(only, except) {
		if err := plan.known(word); err != nil {
			return Plan{}, err
		}
	}
	var chosen, left []*upkeep.Update
	for i := range plan.Updates {
		u := &plan.Updates[i]
		matches := func(word string) bool { return u.Component.Matches(word) }
		asked := len(only) == 0 || slices.ContainsFunc(only, matches)
		if asked && !slices.ContainsFunc(except, matches) && (!securityOnly || u.Security) {
			chosen = append(chosen, u)
		} else {
			left = append(left, u)
		}
	}
	selected := Plan{Notes: plan.Notes, components: plan.components}
	chosen, err = withNeeded(chosen, left, securityOnly && len(only) == 0, except)
	if err != nil {
		return Plan{}, err
	}
	for i := range plan.Updates {
		at := slices.IndexFunc(chosen, func(u *upkeep.Update) bool { return u.Ref() == plan.Updates[i].Ref() })
		if at >= 0 {
			selected.Updates = append(selected.Updates, *chosen[at])
		}
	}
	selected.arrange()
	return selected, nil
}

// withNeeded adds what chosen updates cannot go without, when add is set and
// nobody excluded it, and refuses the selection otherwise.
func withNeeded(chosen, left []*upkeep.Update, add bool, except []string) ([]*upkeep.Update, error) {
	for i := 0; i < len(chosen); i++ {
		u := chosen[i]
		for _, other := range left {
			if u.Disposition != upkeep.Ready || other.Disposition != upkeep.Ready || !inseparable(u, other) {
				continue
			}
			if slices.ContainsFunc(chosen, func(c *upkeep.Update) bool { return c.Ref() == other.Ref() }) {
				continue
			}
			excluded := slices.ContainsFunc(except, func(word string) bool { return other.Component.Matches(word) })
			if !add || excluded {
				return nil, upkeep.Errorf(upkeep.CodeInvalid, "%s %s needs the update of %s, which is left out",
					u.Ref(), u.Release.Version, other.Ref()).
					WithHint("Add --only %s, or leave out %s as well.", other.Ref(), u.Ref())
			}
			needed := *other
			needed.Reasons = append(slices.Clone(other.Reasons), reason(Needed, "component", u.Ref()))
			chosen = append(chosen, &needed)
		}
	}
	return chosen, nil
}

// Needed returns the refs of the ready updates without which an update of the
// plan is not applied.
func (p *Plan) Needed(u *upkeep.Update) []string {
	var refs []string
	for i := range p.Updates {
		other := &p.Updates[i]
		if other.Ref() != u.Ref() && other.Disposition == upkeep.Ready && inseparable(u, other) {
			refs = append(refs, other.Ref())
		}
	}
	return refs
}

// inseparable reports whether u cannot be applied without other. Families are
// a guess and may be parted; so may a child theme and its parent.
func inseparable(u, other *upkeep.Update) bool {
	return dependsOn(u, other) || sharesFolder(&u.Component, &other.Component)
}

// known returns an error for a word that names no component of the site.
func (p *Plan) known(word string) error {
	var near []string
	for i := range p.components {
		c := &p.components[i]
		if c.Matches(word) {
			return nil
		}
		for _, name := range []string{c.Slug, c.ID, c.Ref()} {
			if name != "" && distance(word, name) <= max(2, len(word)/4) {
				near = append(near, name)
				break
			}
		}
	}
	for _, kind := range []upkeep.Kind{upkeep.Core, upkeep.Plugin, upkeep.Theme, upkeep.Language} {
		if word == string(kind) {
			return nil // a kind that the site happens to have none of
		}
	}
	unknown := upkeep.Errorf(upkeep.CodeNotFound, "%q names no component of this site", word)
	if len(near) == 0 {
		return unknown.WithHint("See the names with: upkeep site inventory.")
	}
	return unknown.WithHint("Did you mean %s?", strings.Join(near[:min(3, len(near))], ", "))
}

// distance is how many single letters have to be put in, left out or replaced
// to make b of a. Words much longer than any name are far from all.
func distance(a, b string) int {
	const longest = 200
	if len(a) > longest || len(b) > longest {
		return longest
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
