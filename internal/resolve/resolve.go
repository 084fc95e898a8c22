// Package resolve decides what to update on a site: which release, whether
// now, held or quoted, in which order and company. It computes from what it
// is given and nothing else, says why for each decision, and gives the same
// answer to the same question.
package resolve

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"upkeep"
)

// Input is all that is known about a site.
type Input struct {
	Site      upkeep.Site
	Inventory *upkeep.Inventory
	Releases  []upkeep.Release // of any publisher, any version, in any order
	Closed    []upkeep.Closed
	Holds     []upkeep.Hold
	Findings  []upkeep.Finding // of examinations, besides those in the inventory
	Now       time.Time

	Rules // of the site's CMS
}

// Rules are what a CMS says about versions. Only Compare must be set.
type Rules struct {
	// Compare is the order of versions.
	Compare func(a, b upkeep.Version) int
	// Meets reports whether version have of the CMS satisfies a component's
	// requirement; nil asks Compare.
	Meets func(have, want upkeep.Version) bool
	// Branch is the branch of a version of core: a release of another one is a
	// major. Nil takes the first two numbers.
	Branch func(upkeep.Version) string
	// Marks says that the publisher marks which releases of core mend flaws.
	// Without, any of the same branch may.
	Marks bool
	// Publisher is the source of releases that an update URI names. Nil takes
	// its host.
	Publisher func(uri string) string
}

// Plan is what was decided. Every component with a newer release is in
// Updates exactly once; the ready ones are in Batches as well.
type Plan struct {
	Updates []upkeep.Update `json:"updates"`         // in the order of the inventory
	Batches []upkeep.Batch  `json:"batches"`         // in the order of application, numbered from 1
	Notes   []Note          `json:"notes,omitempty"` // about what has no update

	components []upkeep.Component
}

// Note is something worth knowing about a component without an update, or
// about the site when it names none.
type Note struct {
	Component string        `json:"component,omitempty"` // ref
	Reason    upkeep.Reason `json:"reason"`
}

// Resolve decides. It is total: whatever the input, each component gets its
// answer; what cannot be judged is not updated.
func Resolve(in Input) Plan {
	r := &resolver{Input: in, closed: make(map[string]*upkeep.Closed)}
	if r.Inventory == nil || r.Compare == nil {
		return Plan{}
	}
	if r.Meets == nil {
		r.Meets = func(have, want upkeep.Version) bool { return r.Compare(have, want) >= 0 }
	}
	if r.Branch == nil {
		r.Branch = branch
	}
	if r.Publisher == nil {
		r.Publisher = PublisherOf
	}
	for i := range in.Closed {
		r.closed[closedKey(in.Closed[i].Kind, in.Closed[i].Slug)] = &in.Closed[i]
	}
	r.siteReasons = r.judgeSite()
	plan := Plan{components: r.Inventory.Components}
	if core := r.Inventory.Core(); core != nil {
		r.coreNow, r.coreAfter = core.Version, core.Version
	}
	// Core is judged first: others may depend on what it becomes.
	updates := make([]*upkeep.Update, len(r.Inventory.Components))
	for _, coreTurn := range []bool{true, false} {
		for i := range r.Inventory.Components {
			if c := &r.Inventory.Components[i]; (c.Kind == upkeep.Core) == coreTurn {
				updates[i] = r.judge(c)
			}
		}
	}
	for i, u := range updates {
		if u != nil {
			plan.Updates = append(plan.Updates, *u)
		} else {
			plan.Notes = append(plan.Notes, r.note(&r.Inventory.Components[i])...)
		}
	}
	if s := r.Inventory.Schema; s.Pending {
		plan.Notes = append(plan.Notes, Note{Reason: reason(SchemaPending, "files", s.Files, "database", s.Database)})
	}
	plan.arrange()
	return plan
}

// Unmaintained is the plan for a site of a CMS whose releases are not known:
// its core waits for a person.
func Unmaintained(inventory *upkeep.Inventory) Plan {
	plan := Plan{components: inventory.Components}
	if core := inventory.Core(); core != nil {
		plan.Updates = []upkeep.Update{{Component: *core, Release: upkeep.Release{Kind: core.Kind, Slug: core.Slug},
			Disposition: upkeep.Held, Reasons: []upkeep.Reason{reason(NotMaintained)}}}
	}
	return plan
}

// resolver is one run of Resolve.
type resolver struct {
	Input
	closed      map[string]*upkeep.Closed
	siteReasons []upkeep.Reason

	coreNow, coreAfter upkeep.Version // coreAfter is what core becomes when its update is ready
}

// reason makes a Reason with its task and the params that are not empty.
func reason(code string, params ...string) upkeep.Reason {
	r := upkeep.Reason{Code: code}
	set := func(name, value string) {
		if value == "" {
			return
		}
		if r.Params == nil {
			r.Params = make(map[string]string)
		}
		r.Params[name] = value
	}
	for i := 0; i+1 < len(params); i += 2 {
		set(params[i], params[i+1])
	}
	set("task", Task(code))
	return r
}

// closedKey tells a plugin from a theme of the same slug.
func closedKey(kind upkeep.Kind, slug string) string { return string(kind) + ":" + slug }

// note says what is worth knowing about a component that has no update.
func (r *resolver) note(c *upkeep.Component) []Note {
	var notes []Note
	if closed := r.closedOf(c); closed != nil {
		notes = append(notes, Note{c.Ref(), closedReason(closed)})
	}
	if c.UpdateURI != "" && r.vendor(c) == nil && !slices.ContainsFunc(r.Releases, func(rel upkeep.Release) bool { return r.isFor(&rel, c) }) {
		notes = append(notes, Note{c.Ref(), reason(NoSource, "uri", c.UpdateURI)})
	}
	return notes
}

// closedOf returns what the publisher says of a withdrawn component, or nil.
func (r *resolver) closedOf(c *upkeep.Component) *upkeep.Closed {
	if c.Slug == "" || r.vendor(c) != nil {
		return nil // what a publisher withdrew says nothing about another's
	}
	return r.closed[closedKey(c.Kind, c.Slug)]
}

// closedReason names the day, since the hour of a withdrawal says nothing.
func closedReason(closed *upkeep.Closed) upkeep.Reason {
	since := ""
	if !closed.Since.IsZero() {
		since = closed.Since.Format(time.DateOnly)
	}
	return reason(ClosedByPublisher, "why", closed.Reason, "since", since)
}

// judgeSite returns what holds every update of the site.
func (r *resolver) judgeSite() []upkeep.Reason {
	var reasons []upkeep.Reason
	for i := range r.Holds {
		if h := &r.Holds[i]; r.applies(h) && h.Component == "" {
			reasons = append(reasons, holdReason(SiteHeld, h))
		}
	}
	for _, f := range r.findings() {
		if r.blocks(&f) && f.Component == "" {
			reasons = append(reasons, reason(SiteFinding, "finding", f.Code, "detail", f.Detail))
		}
	}
	return reasons
}

// versionControl is the finding that the policy may set aside: somebody else
// deploys the files.
const versionControl = "version_control"

// blocks reports whether a finding holds what it is about.
func (r *resolver) blocks(f *upkeep.Finding) bool {
	return f.Blocks && !(f.Code == versionControl && r.Site.Policy.Tracked)
}

// findings are those of the inventory and of later examinations alike.
func (r *resolver) findings() []upkeep.Finding {
	return slices.Concat(r.Inventory.Findings, r.Findings)
}

// applies reports whether a hold is in force here; one without a site is for
// the whole fleet. One that is to be lifted later still holds.
func (r *resolver) applies(h *upkeep.Hold) bool {
	lifted := !h.Lifted.IsZero() && (r.Now.IsZero() || !h.Lifted.After(r.Now))
	return !lifted && (h.Site == 0 || h.Site == r.Site.ID)
}

// holdReason carries why somebody, or a failed intervention, set the hold.
func holdReason(code string, h *upkeep.Hold) upkeep.Reason {
	id := ""
	if h.ID != 0 {
		id = upkeep.SiteID(h.ID).String() // decimal, as every ID
	}
	return reason(code, "hold", id, "because", h.Reason.Code, "version", string(h.Version))
}

// judge decides about one component; nil when nothing newer is known.
func (r *resolver) judge(c *upkeep.Component) *upkeep.Update {
	candidates := r.candidates(c)
	if len(candidates) == 0 {
		return nil
	}
	update := &upkeep.Update{Component: *c, Disposition: upkeep.Ready}
	if c.Kind == upkeep.Core {
		r.judgeCore(update, candidates)
		return update
	}
	general := r.judgeComponent(c)
	r.choose(update, candidates, general)
	if want := update.Release.RequiresCMS; update.Disposition == upkeep.Ready && want != "" && !r.Meets(r.coreNow, want) && r.coreNow != "" {
		update.Reasons = append(update.Reasons, reason(AfterCore, "version", string(r.coreAfter)))
	}
	if vendor := r.vendor(c); vendor != nil && update.Release.Package == vendor.Package {
		update.Reasons = append(update.Reasons, reason(FromVendor, "source", vendor.Source))
	}
	return update
}

// choose takes the newest acceptable candidate, or the newest of all, held.
func (r *resolver) choose(update *upkeep.Update, candidates []upkeep.Release, general []upkeep.Reason) {
	c := &update.Component
	newest := r.judgeRelease(c, &candidates[0])
	at := 0
	if len(general) == 0 {
		at = slices.IndexFunc(candidates, func(release upkeep.Release) bool { return len(r.judgeRelease(c, &release)) == 0 })
	}
	switch {
	case at > 0: // an older one will do
		update.Reasons = []upkeep.Reason{reason(NewerSkipped,
			"version", string(candidates[0].Version), "because", newest[0].Code)}
	case len(general)+len(newest) > 0:
		at = 0
		update.Reasons = slices.Concat(general, newest)
		update.Disposition = upkeep.Held
	}
	update.Release = candidates[at]
	update.Security = update.Release.Security
}

// judgeCore prefers the site's own branch unless the policy allows majors.
func (r *resolver) judgeCore(update *upkeep.Update, candidates []upkeep.Release) {
	c := &update.Component
	own := r.Branch(c.Version)
	var within, beyond []upkeep.Release
	majors := r.Site.Policy.Majors
	for _, candidate := range candidates {
		if r.branchOf(&candidate) == own {
			within = append(within, candidate)
		} else {
			beyond = append(beyond, candidate)
			majors = majors && !candidate.ByHand
		}
	}
	general := r.judgeComponent(c)
	if majors || len(within) == 0 {
		r.choose(update, candidates, general)
	} else {
		r.choose(update, within, general)
		if len(beyond) > 0 {
			update.Reasons = append(update.Reasons, reason(MajorAvailable, "version", string(beyond[0].Version)))
		}
	}
	update.Security = update.Release.Security || len(within) > 0 && !r.Marks
	update.Major = r.branchOf(&update.Release) != own
	if update.Major {
		update.Reasons = append(update.Reasons, reason(Major, "from", own, "to", r.branchOf(&update.Release)))
		if update.Disposition == upkeep.Ready && !majors {
			update.Disposition = upkeep.Quote
		}
	} else {
		update.Reasons = append(update.Reasons, reason(InBranch, "branch", own))
	}
	if want := c.Locale; want != "" && update.Release.Locale != "" && update.Release.Locale != want {
		update.Reasons = append(update.Reasons, reason(OtherLocale, "locale", update.Release.Locale, "want", want))
	}
	if update.Disposition == upkeep.Ready {
		r.coreAfter = update.Release.Version
	}
}

// branchOf trusts the publisher about branches before the version's looks.
func (r *resolver) branchOf(release *upkeep.Release) string {
	return cmp.Or(release.Branch, r.Branch(release.Version))
}

// branch is the first two numbers of a version.
func branch(version upkeep.Version) string {
	parts := strings.FieldsFunc(string(version), func(c rune) bool { return c == '.' || c == '-' })
	if len(parts) < 2 {
		return string(version)
	}
	return parts[0] + "." + parts[1]
}
