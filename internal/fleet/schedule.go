package fleet

import (
	"cmp"
	"context"
	"slices"
	"time"

	"upkeep"
	"upkeep/internal/fleet/rollout"
	"upkeep/internal/schedule"
	"upkeep/internal/web"
)

// Calendar is web.Schedules and web.FleetWork for a Fleet.
type Calendar struct{ *Fleet }

var (
	_ web.Schedules = Calendar{}
	_ web.FleetWork = Calendar{}
)

// Outlook is what all decisions of one moment rest on, beside the sites.
type Outlook struct {
	Now  time.Time
	Hold *upkeep.FleetHold // nothing begins anywhere

	list          []upkeep.Plan
	plans         map[string]*upkeep.Plan
	subscriptions map[upkeep.SiteID]*upkeep.Subscription
	windows       []upkeep.Window
	waves         *rollout.View
}

// Outlook reads what decisions rest on now.
func (f *Fleet) Outlook(ctx context.Context) (*Outlook, error) {
	o := &Outlook{Now: f.Now(), plans: map[string]*upkeep.Plan{}, subscriptions: map[upkeep.SiteID]*upkeep.Subscription{}}
	var err error
	if o.list, err = f.Config.Plans.Plans(ctx); err != nil {
		return nil, err
	}
	for i := range o.list {
		o.plans[o.list[i].Name] = &o.list[i]
	}
	subscriptions, err := f.Config.Plans.Subscriptions(ctx)
	if err != nil {
		return nil, err
	}
	for i := range subscriptions {
		o.subscriptions[subscriptions[i].Site] = &subscriptions[i]
	}
	if o.windows, err = f.Config.Windows.Windows(ctx); err != nil {
		return nil, err
	}
	o.waves = rollout.New(rollout.Config{Records: f.Waves, Sites: f.Config.Sites, Inventories: f.Inventories, Holds: f.Notes,
		Plans: o.plans, Subscriptions: o.subscriptions, Compare: f.compare, Now: o.Now})
	o.Hold, err = f.Config.Windows.FleetHold(ctx)
	return o, err
}

// compare is the order of versions of a CMS, nil when nobody publishes for it.
func (f *Fleet) compare(cms upkeep.CMS) func(a, b upkeep.Version) int {
	if publisher, ok := f.Publishers[cms]; ok {
		return publisher.Rules().Compare
	}
	return nil
}

// Client names whoever a site belongs to, "" when nobody said.
func (o *Outlook) Client(site upkeep.SiteID) string {
	if s := o.subscriptions[site]; s != nil {
		return s.Client
	}
	return ""
}

// remembered is how many interventions of a site are looked at to learn from.
const remembered = 20

// appointment decides when the next intervention on a site may begin.
func (f *Fleet) appointment(ctx context.Context, o *Outlook, site *upkeep.Site, plan *resolved) (a upkeep.Appointment, err error) {
	defer upkeep.Wrap(&err, "schedule %s", site.Name)
	in := schedule.Input{Now: o.Now, Site: site.Name, Windows: o.windows, Subscription: o.subscriptions[site.ID], Surveyed: plan.inventory.Taken}
	if in.Subscription != nil {
		in.Plan = o.plans[in.Subscription.Plan]
	}
	if in.Updates, err = f.waiting(ctx, site, plan, in.Subscription); err != nil {
		return a, err
	}
	if err := o.inWaves(ctx, site, in.Plan, in.Updates); err != nil {
		return a, err
	}
	history, err := f.Interventions.Interventions(ctx, upkeep.InterventionFilter{Site: site.ID, Limit: remembered})
	if err != nil {
		return a, err
	}
	attempt, err := f.Turns.Attempt(ctx, site.ID)
	if err != nil {
		return a, err
	}
	in.Learn(history, attempt)
	if o.Hold != nil {
		stop := schedule.Reason(schedule.FleetHeld, "because", cmp.Or(o.Hold.Because, "asked"))
		in.Stop = &stop
	} else if frozen, err := f.Custody.Frozen(ctx, site.ID); in.Stop == nil && err == nil && frozen {
		stop := schedule.Reason(schedule.SiteFrozen)
		in.Stop = &stop
	}
	return schedule.Decide(in), nil
}

// inWaves says of updates which wave of their release they wait for.
func (o *Outlook) inWaves(ctx context.Context, site *upkeep.Site, plan *upkeep.Plan, updates []schedule.Update) (err error) {
	if plan == nil {
		return nil
	}
	for i := range updates {
		u := &updates[i]
		u.Wait, err = o.waves.Wait(ctx, rollout.Asked{Site: site.ID, CMS: site.CMS, Component: u.Ref, Version: u.Version, Security: u.Security,
			Soaked: u.Security || !u.Seen.AddDate(0, 0, plan.SoakDays).After(o.Now)})
		if err != nil {
			return err
		}
	}
	return nil
}

// waiting lists the updates of a plan that are ready, with since when they are
// known and whether somebody said yes to them.
func (f *Fleet) waiting(ctx context.Context, site *upkeep.Site, plan *resolved, s *upkeep.Subscription) ([]schedule.Update, error) {
	var updates []schedule.Update
	var sightings []upkeep.Sighting
	for i := range plan.Updates {
		u := &plan.Updates[i]
		if u.Disposition == upkeep.Ready {
			updates = append(updates, schedule.Update{Ref: u.Ref(), Version: u.Release.Version, Security: u.Security, Needs: plan.Needed(u)})
			sightings = append(sightings, upkeep.Sighting{Component: u.Ref(), Version: u.Release.Version, Security: u.Security})
		}
	}
	if err := f.Turns.Sight(ctx, site.CMS, sightings); err != nil {
		return nil, err
	}
	var approvals []upkeep.Approval
	if s != nil && s.Consent != upkeep.NoConsent {
		var err error
		if approvals, err = f.Turns.Approvals(ctx, site.ID); err != nil {
			return nil, err
		}
	}
	for i := range updates {
		u := &updates[i]
		u.Seen, u.Flagged = sightings[i].Seen, sightings[i].Flagged
		u.Approved = slices.ContainsFunc(approvals, func(a upkeep.Approval) bool { return a.Component == u.Ref && a.Version == u.Version })
	}
	return updates, nil
}

// Windows returns all windows and closed dates.
func (f Calendar) Windows(ctx context.Context) ([]upkeep.Window, error) {
	return f.Config.Windows.Windows(ctx)
}

// AddWindow adds a window or closed dates.
func (f Calendar) AddWindow(ctx context.Context, actor string, w upkeep.Window) (*upkeep.Window, error) {
	if err := schedule.Check(&w); err != nil {
		return nil, err
	}
	if err := f.Config.Windows.CreateWindow(ctx, &w); err != nil {
		return nil, err
	}
	f.changes.Add(1)
	return &w, f.Enter(ctx, actor, kindWindowAdded, 0, map[string]any{"window": w})
}

// RemoveWindow removes a window or closed dates.
func (f Calendar) RemoveWindow(ctx context.Context, actor string, id int64) error {
	w, err := f.Config.Windows.DeleteWindow(ctx, id)
	if err != nil {
		return err
	}
	f.changes.Add(1)
	return f.Enter(ctx, actor, kindWindowRemoved, 0, map[string]any{"window": w})
}

// mostAhead is how many days of windows are listed at most.
const mostAhead = 400

// Schedule says what comes, by what is known now.
func (f Calendar) Schedule(ctx context.Context, filter web.ScheduleFilter) (*web.Schedule, error) {
	if filter.Days > mostAhead {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "%d days ahead: want at most %d", filter.Days, mostAhead)
	}
	o, err := f.Outlook(ctx)
	if err != nil {
		return nil, err
	}
	sites, err := f.chosen(ctx, filter.Site)
	if err != nil {
		return nil, err
	}
	found := &web.Schedule{From: o.Now.UTC(), To: o.Now.AddDate(0, 0, filter.Days).UTC(), Hold: o.Hold, Sites: []web.SiteTurn{}}
	for _, site := range sites {
		turn, err := f.siteTurn(ctx, o, site)
		if err != nil {
			return nil, err
		}
		found.Sites = append(found.Sites, *turn)
	}
	slices.SortStableFunc(found.Sites, func(a, b web.SiteTurn) int {
		if a.At.IsZero() != b.At.IsZero() {
			return cmp.Compare(b.At.Unix(), a.At.Unix())
		}
		return a.At.Compare(b.At)
	})
	if filter.Days > 0 {
		windows := o.windows
		if filter.Site != "" {
			windows = schedule.Concerning(windows, filter.Site, o.subscriptions[sites[0].ID])
		}
		found.Slots = schedule.Slots(windows, found.From, found.To)
	}
	return found, nil
}

// Slots returns when windows are open and closed dates are, from an instant up
// to another.
func (f Calendar) Slots(ctx context.Context, from, to time.Time) ([]upkeep.Slot, error) {
	windows, err := f.Config.Windows.Windows(ctx)
	if err != nil {
		return nil, err
	}
	return schedule.Slots(windows, from, to), nil
}

// chosen is the site of a name, or all when there is none.
func (f *Fleet) chosen(ctx context.Context, name string) ([]*upkeep.Site, error) {
	if name == "" {
		return f.Config.Sites.Sites(ctx)
	}
	site, err := f.SiteByName(ctx, name)
	return []*upkeep.Site{site}, err
}

// siteTurn decides for a site by what is known, asking no host.
func (f *Fleet) siteTurn(ctx context.Context, o *Outlook, site *upkeep.Site) (*web.SiteTurn, error) {
	turn := &web.SiteTurn{Site: site.Name}
	if s := o.subscriptions[site.ID]; s != nil {
		turn.Plan, turn.Client = s.Plan, s.Client
	}
	inventory, err := f.Inventories.Inventory(ctx, site.ID)
	if upkeep.CodeOf(err) == upkeep.CodeNotFound {
		turn.Reasons = []upkeep.Reason{schedule.Reason(schedule.NothingReady)}
		return turn, nil
	}
	if err != nil {
		return nil, err
	}
	plan, err := f.plan(ctx, site, inventory, Kept)
	if err != nil { // one publisher that does not answer spoils no list
		text := upkeep.TextOf(err)
		turn.Reasons = []upkeep.Reason{schedule.Reason(schedule.NotKnown, "why", text.String(), "why_text", text.Param())}
		return turn, nil
	}
	turn.Appointment, err = f.appointment(ctx, o, site, plan)
	return turn, err
}
