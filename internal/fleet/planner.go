package fleet

import (
	"cmp"
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"upkeep"
	"upkeep/internal/resolve"
	"upkeep/internal/schedule"
)

// Planner begins interventions when their time has come. What it knows is in
// the records; in memory is only when to look at which site again, so that a
// fleet in which nothing changes costs little.
type Planner struct {
	*Fleet
	seen    map[upkeep.SiteID]*sight
	changes int64 // of the fleet's plans and windows, as of the last tick
}

// sight is what the last look at a site gave.
type sight struct {
	upkeep.Appointment
	again time.Time // when to look again
}

// NewPlanner returns a planner that has looked at nothing yet. One job at a
// time calls its Tick.
func NewPlanner(f *Fleet) *Planner { return &Planner{Fleet: f, seen: map[upkeep.SiteID]*sight{}} }

const (
	pace       = 15 * time.Second // between two ticks
	lookEvery  = 30 * time.Minute // at a site where nothing is known to change
	lookFor    = 20 * time.Second // in one tick; who is left is looked at in the next
	lookLimit  = 3 * time.Minute  // for one site
	beginLimit = 10 * time.Minute // for one site, with its inventory
	sideBySide = 4                // sites looked at, or begun, at once
	oldest     = 24 * time.Hour   // inventory that decisions rest on

	// Planned is who asks for interventions that nobody asked for.
	Planned = "schedule"
)

// Tick looks which sites' turn it is and begins what may begin now, within the
// limits. It may be cut short or repeated at any point: what it begins is in
// the records, which take one intervention for each site. It returns how soon
// to be called again.
func (p *Planner) Tick(ctx context.Context) (again time.Duration, err error) {
	defer upkeep.Wrap(&err, "schedule")
	o, err := p.outlook(ctx)
	if err != nil {
		return 0, err
	}
	if o.hold != nil {
		return pace, nil
	}
	sites, err := p.Config.Sites.Sites(ctx)
	if err != nil {
		return 0, err
	}
	underWay, err := p.Interventions.Interventions(ctx, upkeep.InterventionFilter{Unended: true})
	if err != nil {
		return 0, err
	}
	if now := p.Fleet.changes.Load(); now != p.changes {
		clear(p.seen)
		p.changes = now
	}
	var running []schedule.Due
	for _, iv := range underWay {
		running = append(running, schedule.Due{Site: iv.Site, Client: o.client(iv.Site)})
		delete(p.seen, iv.Site) // to be looked at anew when it has ended
	}
	sites = slices.DeleteFunc(sites, func(site *upkeep.Site) bool {
		return slices.ContainsFunc(running, func(d schedule.Due) bool { return d.Site == site.ID })
	})
	if err := p.look(ctx, o, sites); err != nil {
		return 0, err
	}
	chosen := schedule.Choose(p.due(o, sites), running, p.Limits)
	return pace, p.eachOf(ctx, sites, chosen, p.begin)
}

// look looks at the sites that were not for longest, as far as it comes in its
// time.
func (p *Planner) look(ctx context.Context, o *outlook, sites []*upkeep.Site) error {
	var wanted []*upkeep.Site
	for _, site := range sites {
		if s := p.seen[site.ID]; s == nil || !s.again.After(o.now) {
			wanted = append(wanted, site)
		}
	}
	again := func(site *upkeep.Site) time.Time {
		if s := p.seen[site.ID]; s != nil {
			return s.again
		}
		return time.Time{}
	}
	slices.SortStableFunc(wanted, func(a, b *upkeep.Site) int { return again(a).Compare(again(b)) })
	results := make([]*sight, len(wanted))
	var group errgroup.Group
	group.SetLimit(sideBySide)
	for i, site := range wanted {
		if p.Now().Sub(o.now) > lookFor || ctx.Err() != nil {
			break
		}
		group.Go(func() error {
			results[i] = p.lookAt(ctx, o, site)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, result := range results {
		if result != nil {
			p.seen[wanted[i].ID] = result
		}
	}
	return ctx.Err()
}

// lookAt decides about one site. What goes wrong with it is its own affair: it
// is looked at again later.
func (p *Planner) lookAt(ctx context.Context, o *outlook, site *upkeep.Site) *sight {
	found := &sight{again: o.now.Add(lookEvery)}
	if _, maintained := p.Publishers[site.CMS]; !maintained || o.subscriptions[site.ID] == nil {
		return found // nothing begins by itself
	}
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	appointment, err := p.appointmentOf(ctx, o, site)
	if err != nil {
		p.Log.Warn("look at site, tried again later", "site", site.Name, "error", err)
		return found
	}
	found.Appointment = *appointment
	if at := appointment.At; !at.IsZero() && at.After(o.now) && at.Before(found.again) {
		found.again = at
	}
	return found
}

// appointmentOf decides about a site by its last inventory, or a new one when
// that is old, and leaves to people what only they can do.
func (p *Planner) appointmentOf(ctx context.Context, o *outlook, site *upkeep.Site) (*upkeep.Appointment, error) {
	inventory, err := p.Inventories.Inventory(ctx, site.ID)
	if upkeep.CodeOf(err) == upkeep.CodeNotFound || err == nil && o.now.Sub(inventory.Taken) > oldest {
		inventory, err = p.survey(ctx, site)
	}
	if err != nil {
		return nil, err
	}
	plan, err := p.plan(ctx, site, inventory, Kept)
	if err != nil {
		return nil, err
	}
	appointment, err := p.appointment(ctx, o, site, plan)
	if err != nil {
		return nil, err
	}
	return &appointment, p.leave(ctx, site, &appointment)
}

// leave makes the tasks of an appointment. One that is open already gets what
// is true now.
func (p *Planner) leave(ctx context.Context, site *upkeep.Site, a *upkeep.Appointment) error {
	for i := range a.Turns {
		for _, reason := range a.Turns[i].Reasons {
			if reason.Params["task"] == "" {
				continue
			}
			task := &upkeep.Task{Site: site.ID, Code: reason.Params["task"], Params: reason.Params}
			if task.Code == schedule.TaskDecide {
				task.Component = a.Turns[i].Ref
			}
			if err := p.Notes.CreateTask(ctx, task); err != nil {
				return err
			}
		}
	}
	return nil
}

// due lists the sites whose intervention may begin now.
func (p *Planner) due(o *outlook, sites []*upkeep.Site) []schedule.Due {
	var due []schedule.Due
	for _, site := range sites {
		s := p.seen[site.ID]
		if s == nil || s.At.IsZero() || s.At.After(o.now) || !s.Until.IsZero() && !o.now.Before(s.Until) {
			continue
		}
		due = append(due, schedule.Due{Site: site.ID, Client: o.client(site.ID), Security: s.Security, Deadline: s.Deadline, At: s.At})
	}
	return due
}

// eachOf does something for the chosen of the sites, some at once.
func (p *Planner) eachOf(ctx context.Context, sites []*upkeep.Site, chosen []upkeep.SiteID, do func(context.Context, *upkeep.Site) error) error {
	var group errgroup.Group
	group.SetLimit(sideBySide)
	for _, id := range chosen {
		at := slices.IndexFunc(sites, func(site *upkeep.Site) bool { return site.ID == id })
		delete(p.seen, id) // whatever comes of it, it is looked at anew
		group.Go(func() error { return do(ctx, sites[at]) })
	}
	return cmp.Or(group.Wait(), ctx.Err())
}

// begin plans the intervention of a site whose time has come, and notes when
// it could not: it is then tried again, later and later.
func (p *Planner) begin(ctx context.Context, site *upkeep.Site) error {
	limited, cancel := context.WithTimeout(ctx, beginLimit)
	defer cancel()
	err := p.beginNow(limited, site)
	why := ""
	switch {
	case ctx.Err() != nil: // told to stop: it is not the site's fault
		return ctx.Err()
	case upkeep.CodeOf(err) == upkeep.CodeConflict: // somebody was quicker
		return nil
	case err != nil:
		why = err.Error()
		p.Log.Warn("begin on site, tried again later", "site", site.Name, "error", err)
	}
	return p.Turns.PutAttempt(ctx, site.ID, why)
}

// beginNow examines a site, decides anew by what it finds and by the time it
// is then, and begins.
func (p *Planner) beginNow(ctx context.Context, site *upkeep.Site) error {
	if err := p.mustBeOpen(ctx, site); err != nil {
		return err
	}
	plan, err := p.examined(ctx, site, Fresh)
	if err != nil {
		return err
	}
	o, err := p.outlook(ctx)
	if err != nil {
		return err
	}
	appointment, err := p.appointment(ctx, o, site, plan)
	if err != nil || appointment.At.IsZero() || appointment.At.After(o.now) {
		return err
	}
	selected, err := resolve.Select(plan.Plan, appointment.Refs, nil, false)
	if err != nil {
		return err
	}
	if err := p.noteTasks(ctx, site, plan.Plan); err != nil {
		return err
	}
	iv := &upkeep.Intervention{Site: site.ID, State: upkeep.Planned, Created: o.now.UTC(), Batches: selected.Batches, Requester: Planned}
	return p.carryOut(ctx, iv, appointment.Reasons)
}
