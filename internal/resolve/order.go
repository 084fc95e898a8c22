package resolve

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"upkeep"
)

// arrange puts the ready updates into batches and numbers them.
func (p *Plan) arrange() {
	a := &arrangement{after: make(map[int]map[int]bool)}
	for i := range p.Updates {
		p.Updates[i].Batch = 0
		p.Updates[i].Reasons = slices.DeleteFunc(slices.Clone(p.Updates[i].Reasons), isArrangement)
		if p.Updates[i].Disposition == upkeep.Ready {
			a.updates = append(a.updates, &p.Updates[i])
			a.group = append(a.group, len(a.group))
		}
	}
	a.linkCompanions()
	a.linkLanguages()
	a.linkNeeds()
	a.mergeCycles()
	p.Batches = a.batches()
}

// isArrangement reports whether a reason comes from arranging, which is done
// anew for every selection.
func isArrangement(r upkeep.Reason) bool {
	switch r.Code {
	case CoreFirst, ExtensionsFirst, AfterComponent, WithFolder, WithFamily, WithParent, WithComponent:
		return true
	}
	return false
}

// arrangement groups and orders updates. Indexes are into updates; a group is
// named by its lowest index.
type arrangement struct {
	updates []*upkeep.Update
	group   []int                // update → group
	after   map[int]map[int]bool // update → updates that have to be kept for it
}

// merge makes one group of the groups of two updates.
func (a *arrangement) merge(i, j int) {
	from, to := max(a.group[i], a.group[j]), min(a.group[i], a.group[j])
	for k := range a.group {
		if a.group[k] == from {
			a.group[k] = to
		}
	}
}

// explain adds a reason once.
func (a *arrangement) explain(i int, code string, params ...string) {
	r := reason(code, params...)
	same := func(other upkeep.Reason) bool { return other.Code == code && maps.Equal(other.Params, r.Params) }
	if !slices.ContainsFunc(a.updates[i].Reasons, same) {
		a.updates[i].Reasons = append(slices.Clip(a.updates[i].Reasons), r)
	}
}

// linkCompanions puts together what is judged together: one folder, child and
// parent theme, an extension and what its name says are its add-ons.
func (a *arrangement) linkCompanions() {
	for i, u := range a.updates {
		for j, other := range a.updates {
			if i == j {
				continue
			}
			if code := companion(&u.Component, &other.Component); code != "" {
				a.merge(i, j)
				a.explain(i, code, "component", other.Ref())
			}
			if needs(&u.Component, &other.Component) {
				a.need(i, j)
			}
		}
	}
}

// need notes that update i has to come after update j.
func (a *arrangement) need(i, j int) {
	if a.after[i] == nil {
		a.after[i] = make(map[int]bool)
	}
	a.after[i][j] = true
}

// companion says why c goes with other, or "".
func companion(c, other *upkeep.Component) string {
	if c.Kind != other.Kind {
		return ""
	}
	switch {
	case sharesFolder(c, other):
		return WithFolder
	case c.Kind == upkeep.Theme && needs(c, other):
		return WithParent
	case c.Kind == upkeep.Plugin && addOn(c.Slug, other.Slug):
		return WithFamily
	}
	return ""
}

// needs reports whether c makes no sense without other being there as planned.
func needs(c, other *upkeep.Component) bool {
	return c.Kind == upkeep.Theme && other.Kind == upkeep.Theme && c.Parent != "" &&
		(c.Parent == other.ID || c.Parent == other.Slug)
}

// sharesFolder reports whether a swap of one plugin's folder would replace
// the other as well.
func sharesFolder(c, other *upkeep.Component) bool {
	if c.Kind != upkeep.Plugin || other.Kind != upkeep.Plugin {
		return false
	}
	dir, _, inFolder := strings.Cut(c.ID, "/")
	otherDir, _, otherInFolder := strings.Cut(other.ID, "/")
	return inFolder && otherInFolder && dir == otherDir
}

// addOn reports whether slug is named after main, as woocommerce-payments is
// after woocommerce. Short names say nothing.
func addOn(slug, main string) bool {
	const significant = 5
	return len(main) >= significant && strings.HasPrefix(slug, main+"-")
}

// linkLanguages puts translations with what they translate, and the others
// together: they are judged as one.
func (a *arrangement) linkLanguages() {
	alone := -1
	for i, u := range a.updates {
		if u.Component.Kind != upkeep.Language {
			continue
		}
		owner := slices.IndexFunc(a.updates, func(other *upkeep.Update) bool { return translates(&u.Component, &other.Component) })
		switch {
		case owner >= 0:
			a.merge(i, owner)
			a.explain(i, WithComponent, "component", a.updates[owner].Ref())
		case alone >= 0:
			a.merge(i, alone)
		default:
			alone = i
		}
	}
}

// translates reports whether language is of c. Core's translations are of the
// slug "default".
func translates(language, c *upkeep.Component) bool {
	switch c.Kind {
	case upkeep.Core:
		return language.Slug == "default" || language.Slug == string(upkeep.Core) || language.Slug == c.Slug && c.Slug != ""
	case upkeep.Plugin, upkeep.Theme:
		return language.Slug != "" && language.Slug == c.Slug
	}
	return false
}

// linkNeeds notes what has to be updated before what.
func (a *arrangement) linkNeeds() {
	for i, u := range a.updates {
		for j, other := range a.updates {
			if i == j || !dependsOn(u, other) {
				continue
			}
			a.need(i, j)
			if other.Component.Kind != upkeep.Core {
				a.explain(i, AfterComponent, "component", other.Ref())
			}
		}
	}
}

// dependsOn reports whether u must not be applied unless other was: it needs
// the core that other brings, or names other among what it requires.
func dependsOn(u, other *upkeep.Update) bool {
	if other.Component.Kind == upkeep.Core {
		return u.Component.Kind != upkeep.Core && slices.ContainsFunc(u.Reasons, func(r upkeep.Reason) bool { return r.Code == AfterCore })
	}
	slug := other.Component.Slug
	return slug != "" && other.Component.Kind == upkeep.Plugin &&
		(slices.Contains(u.Release.RequiresComponents, slug) || slices.Contains(u.Component.RequiresComponents, slug))
}

// mergeCycles makes one group of groups that need each other.
func (a *arrangement) mergeCycles() {
	if len(a.after) == 0 {
		return
	}
	for i := range a.updates {
		for j := range a.updates {
			if a.group[i] != a.group[j] && a.reaches(a.group[i], a.group[j]) && a.reaches(a.group[j], a.group[i]) {
				a.merge(i, j)
			}
		}
	}
}

// reaches reports whether group from needs group to, directly or not.
func (a *arrangement) reaches(from, to int) bool {
	seen := map[int]bool{from: true}
	for queue := []int{from}; len(queue) > 0; queue = queue[1:] {
		for next := range a.needed(queue[0]) {
			if next == to {
				return true
			}
			if !seen[next] {
				seen[next] = true
				queue = append(queue, next)
			}
		}
	}
	return false
}

// needed returns the groups that a group needs directly.
func (a *arrangement) needed(group int) map[int]bool {
	out := make(map[int]bool)
	for i := range a.updates {
		if a.group[i] != group {
			continue
		}
		for j := range a.after[i] {
			if a.group[j] != group {
				out[a.group[j]] = true
			}
		}
	}
	return out
}

// batches orders the groups, each after those it needs, and numbers them.
func (a *arrangement) batches() []upkeep.Batch {
	core := slices.IndexFunc(a.updates, func(u *upkeep.Update) bool { return u.Component.Kind == upkeep.Core })
	left := slices.Compact(slices.Sorted(slices.Values(a.group)))
	slices.SortStableFunc(left, func(x, y int) int { return slices.Compare(a.rank(x, core), a.rank(y, core)) })
	if core >= 0 && len(left) > 1 {
		a.explain(core, map[bool]string{true: ExtensionsFirst, false: CoreFirst}[a.updates[core].Major])
	}
	number := make(map[int]int)
	var batches []upkeep.Batch
	for len(left) > 0 {
		at := max(0, slices.IndexFunc(left, func(group int) bool {
			for needed := range a.needed(group) {
				if number[needed] == 0 {
					return false
				}
			}
			return true
		}))
		group := left[at]
		left = slices.Delete(left, at, at+1)
		number[group] = len(number) + 1
		batch := upkeep.Batch{Number: number[group], Updates: a.members(group, number[group])}
		for needed := range a.needed(group) {
			batch.After = append(batch.After, number[needed])
		}
		slices.Sort(batch.After)
		batches = append(batches, batch)
	}
	return batches
}

// rank orders groups that do not need each other: core within its branch
// first and a new branch of it late, security before the rest, translations
// last, and then by name.
func (a *arrangement) rank(group, core int) []string {
	place, security, name := "9", "1", ""
	for i, u := range a.updates {
		if a.group[i] != group {
			continue
		}
		if name == "" || u.Ref() < name {
			name = u.Ref()
		}
		if u.Security {
			security = "0"
		}
		if u.Component.Kind != upkeep.Language {
			place = min(place, "2")
		}
	}
	if core >= 0 && a.group[core] == group {
		place = "1"
		if a.updates[core].Major {
			place = "3"
		}
	} else if core >= 0 && a.updates[core].Major && a.reaches(group, a.group[core]) {
		place = "4"
	}
	return []string{place, security, name}
}

// members returns a group's updates, each after those of the group it needs.
func (a *arrangement) members(group, number int) []upkeep.Update {
	var left []int
	for i := range a.updates {
		if a.group[i] == group {
			left = append(left, i)
			a.updates[i].Batch = number
		}
	}
	slices.SortStableFunc(left, func(i, j int) int {
		x, y := a.updates[i], a.updates[j]
		return cmp.Or(cmp.Compare(kindRank(x.Component.Kind), kindRank(y.Component.Kind)), strings.Compare(x.Ref(), y.Ref()))
	})
	var out []upkeep.Update
	for len(left) > 0 {
		// In a circle of needs the first goes first.
		at := max(0, slices.IndexFunc(left, func(i int) bool {
			return !slices.ContainsFunc(left, func(j int) bool { return i != j && a.after[i][j] })
		}))
		out = append(out, *a.updates[left[at]])
		left = slices.Delete(left, at, at+1)
	}
	return out
}

// kindRank is the order of kinds within a batch.
func kindRank(kind upkeep.Kind) int {
	return slices.Index([]upkeep.Kind{upkeep.Core, upkeep.MustUse, upkeep.DropIn, upkeep.Plugin, upkeep.Theme, upkeep.Language}, kind)
}
