// Package rollout takes releases through the fleet in waves: by the records it
// lays down who gets one first, says for whom the time has not come, and which
// release breaks too many sites.
package rollout

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"upkeep"
	"upkeep/internal/schedule"
	"upkeep/internal/schedule/wave"
)

// Records keeps the waves of releases and what was proven of them.
type Records interface {
	Evidence(ctx context.Context, cms upkeep.CMS, component string, version upkeep.Version) ([]upkeep.Evidence, error)
	Rollout(ctx context.Context, cms upkeep.CMS, component string, version upkeep.Version) (*upkeep.Rollout, error)
	CreateRollout(ctx context.Context, r *upkeep.Rollout) error
	FailedRollouts(ctx context.Context) ([]*upkeep.Rollout, error)
	MarkRolloutHeld(ctx context.Context, r *upkeep.Rollout) error
}

// Sites lists the sites of the fleet.
type Sites interface {
	Sites(ctx context.Context) ([]*upkeep.Site, error)
}

// Inventories keeps what sites consist of.
type Inventories interface {
	Inventory(ctx context.Context, site upkeep.SiteID) (*upkeep.Inventory, error)
}

// Holds keeps releases from single sites.
type Holds interface {
	Holds(ctx context.Context, filter upkeep.HoldFilter) ([]*upkeep.Hold, error)
}

// Config is what a View looks at, at one moment.
type Config struct {
	Records       Records
	Sites         Sites
	Inventories   Inventories
	Holds         Holds
	Plans         map[string]*upkeep.Plan
	Subscriptions map[upkeep.SiteID]*upkeep.Subscription
	Compare       func(cms upkeep.CMS) func(a, b upkeep.Version) int // nil when nobody publishes for the CMS
	Now           time.Time
}

// View is the waves as they stand at one moment. It reads what it needs once,
// and may be asked by several at a time.
type View struct {
	Config
	mu     sync.Mutex
	fields map[upkeep.CMS]*field
	found  map[release]*known
}

// release names one.
type release struct {
	cms       upkeep.CMS
	component string
	version   upkeep.Version
}

// known is the waves of a release and what came of it.
type known struct {
	*upkeep.Rollout
	members []wave.Member
}

// field is the sites of a CMS.
type field struct {
	sites       map[upkeep.SiteID]*upkeep.Site
	inventories map[upkeep.SiteID]*upkeep.Inventory
	holds       []*upkeep.Hold
}

// New returns a view of what c holds.
func New(c Config) *View {
	return &View{Config: c, fields: map[upkeep.CMS]*field{}, found: map[release]*known{}}
}

// Asked is an update of a site whose turn is to be decided.
type Asked struct {
	Site      upkeep.SiteID
	CMS       upkeep.CMS
	Component string // ref
	Version   upkeep.Version
	Security  bool
	Soaked    bool // the release is old enough for the plan of the site
}

// Wait says for which wave an update has to wait, nil for none. The first
// update that is old enough has the waves of its release laid down.
func (v *View) Wait(ctx context.Context, a Asked) (*schedule.Wait, error) {
	soak := v.soak(a.Site, a.Security)
	if soak == 0 {
		return nil, nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	k, err := v.known(ctx, release{a.CMS, a.Component, a.Version})
	if upkeep.CodeOf(err) == upkeep.CodeNotFound {
		if !a.Soaked {
			return nil, nil
		}
		k, err = v.layDown(ctx, a)
	}
	if err != nil || len(k.Waves) == 0 {
		return nil, err
	}
	own := waveOf(k.Rollout, a.Site)
	return wait(wave.Progress(k.members, wave.Pace{Began: k.Began, Held: k.Held, Soak: soak}, v.Now), own, v.Now), nil
}

// wait says what the sites of a wave wait for.
func wait(waves []upkeep.Wave, own int, now time.Time) *schedule.Wait {
	for _, w := range waves {
		if w.Broken {
			return &schedule.Wait{Because: schedule.Reason(schedule.WaveBroken, "wave", strconv.Itoa(w.Number), "count", strconv.Itoa(w.Failed))}
		}
	}
	opens := waves[own-1].Opens
	if opens.IsZero() {
		before := strconv.Itoa(firstOpen(waves).Number)
		return &schedule.Wait{Because: schedule.Reason(schedule.WaveBefore, "wave", before)}
	}
	if !opens.After(now) {
		return nil
	}
	return &schedule.Wait{Until: opens, Because: schedule.Reason(schedule.WaveSoaks, "wave", strconv.Itoa(own-1))}
}

// firstOpen is the wave that the others wait for.
func firstOpen(waves []upkeep.Wave) *upkeep.Wave {
	return &waves[slices.IndexFunc(waves, func(w upkeep.Wave) bool { return w.Ended.IsZero() })]
}

// waveOf is the wave of a site. Who came later is among the last.
func waveOf(r *upkeep.Rollout, site upkeep.SiteID) int {
	if number := r.Waves[site]; number != 0 {
		return number
	}
	return upkeep.Everyone
}

// soak is how long the plan of a site has a wave watched; 0 is no waves.
func (v *View) soak(site upkeep.SiteID, security bool) time.Duration {
	plan := v.plan(site)
	switch {
	case plan == nil:
		return 0
	case security:
		return time.Duration(plan.UrgentHours) * time.Hour
	}
	return time.Duration(plan.WaveHours) * time.Hour
}

func (v *View) plan(site upkeep.SiteID) *upkeep.Plan {
	if s := v.Subscriptions[site]; s != nil {
		return v.Plans[s.Plan]
	}
	return nil
}

// known reads the waves of a release and what came of it.
func (v *View) known(ctx context.Context, of release) (*known, error) {
	if k := v.found[of]; k != nil {
		return k, nil
	}
	r, err := v.Records.Rollout(ctx, of.cms, of.component, of.version)
	if err != nil {
		return nil, err
	}
	return v.learn(ctx, r)
}

func (v *View) learn(ctx context.Context, r *upkeep.Rollout) (*known, error) {
	evidence, err := v.Records.Evidence(ctx, r.CMS, r.Component, r.Version)
	if err != nil {
		return nil, err
	}
	f, err := v.field(ctx, r.CMS)
	if err != nil {
		return nil, err
	}
	k := &known{Rollout: r, members: members(r, evidence)}
	for i := range k.members {
		k.members[i].Away = v.away(f, r, k.members[i].Site)
	}
	v.found[release{r.CMS, r.Component, r.Version}] = k
	return k, nil
}

// members are the sites of a release's waves, and those that came later, with
// what came of it, by their numbers.
func members(r *upkeep.Rollout, evidence []upkeep.Evidence) []wave.Member {
	proven := map[upkeep.SiteID]upkeep.Evidence{}
	ids := make([]upkeep.SiteID, 0, len(r.Waves))
	for id := range r.Waves {
		ids = append(ids, id)
	}
	for _, e := range upkeep.Latest(evidence) {
		if e.Result == upkeep.NotApplied {
			continue
		}
		proven[e.Site] = e
		if r.Waves[e.Site] == 0 {
			ids = append(ids, e.Site)
		}
	}
	slices.Sort(ids)
	found := make([]wave.Member, len(ids))
	for i, id := range ids {
		found[i] = wave.Member{Site: id, Wave: waveOf(r, id), Result: proven[id].Result, At: proven[id].At}
	}
	return found
}

// away reports whether nobody waits for a site: it is gone or under no plan,
// does not need the release any more, or is kept from it.
func (v *View) away(f *field, r *upkeep.Rollout, site upkeep.SiteID) bool {
	if f.sites[site] == nil || v.plan(site) == nil || !v.needs(f, r, site) {
		return true
	}
	return slices.ContainsFunc(f.holds, func(h *upkeep.Hold) bool {
		return h.Site == site && h.Component == r.Component && (h.Version == "" || h.Version == r.Version)
	})
}

// needs reports whether a site has an older version of the component.
func (v *View) needs(f *field, r *upkeep.Rollout, site upkeep.SiteID) bool {
	inventory, compare := f.inventories[site], v.Compare(r.CMS)
	return inventory != nil && compare != nil && slices.ContainsFunc(inventory.Components, func(c upkeep.Component) bool {
		return c.Ref() == r.Component && compare(c.Version, r.Version) < 0
	})
}

// field reads the sites of a CMS.
func (v *View) field(ctx context.Context, cms upkeep.CMS) (*field, error) {
	if f := v.fields[cms]; f != nil {
		return f, nil
	}
	sites, err := v.Sites.Sites(ctx)
	if err != nil {
		return nil, err
	}
	f := &field{sites: map[upkeep.SiteID]*upkeep.Site{}, inventories: map[upkeep.SiteID]*upkeep.Inventory{}}
	for _, site := range sites {
		if site.CMS != cms {
			continue
		}
		f.sites[site.ID] = site
		inventory, err := v.Inventories.Inventory(ctx, site.ID)
		if err != nil && upkeep.CodeOf(err) != upkeep.CodeNotFound {
			return nil, err
		}
		f.inventories[site.ID] = inventory
	}
	if f.holds, err = v.Holds.Holds(ctx, upkeep.HoldFilter{Current: true}); err != nil {
		return nil, err
	}
	v.fields[cms] = f
	return f, nil
}

// layDown decides which sites get a release first.
func (v *View) layDown(ctx context.Context, a Asked) (*known, error) {
	f, err := v.field(ctx, a.CMS)
	if err != nil {
		return nil, err
	}
	r := &upkeep.Rollout{CMS: a.CMS, Component: a.Component, Version: a.Version, Security: a.Security}
	var sites []wave.Site
	for id := range f.sites {
		if v.away(f, r, id) {
			continue
		}
		sites = append(sites, wave.Site{ID: id, Mark: v.mark(id, a), Environment: f.inventories[id].Environment()})
	}
	// Fewer than go in waves are looked at anew the next time: there may be
	// more then.
	if r.Waves = wave.Assign(a.Component, sites); r.Waves == nil {
		return &known{Rollout: r}, nil
	}
	if err := v.Records.CreateRollout(ctx, r); err != nil {
		return nil, err
	}
	return v.learn(ctx, r)
}

// mark says whether a site may be a canary. One that would wait for other
// reasons, a client's yes or a longer soak, would have all others wait.
func (v *View) mark(site upkeep.SiteID, a Asked) upkeep.Canary {
	s, plan := v.Subscriptions[site], v.plan(site)
	switch {
	case s.Canary == upkeep.NeverCanary, s.Consent == upkeep.FullConsent, s.Consent == upkeep.OrdinaryConsent && !a.Security:
		return upkeep.NeverCanary
	case !a.Security && plan.SoakDays > v.plan(a.Site).SoakDays:
		return upkeep.NeverCanary
	}
	return s.Canary
}
