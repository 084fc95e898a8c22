// Package planner has interventions begin when their time has come: it looks
// at sites, sends for those whose turn it is, within limits, and tries again
// what could not be begun.
package planner

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"upkeep"
	"upkeep/internal/fleet"
	"upkeep/internal/schedule"
)

// Planner has interventions begin when their time has come. What it knows is in
// the records; in memory is only when to look at which site again, so that a
// fleet in which nothing changes costs little, and whom it has visited.
type Planner struct {
	*fleet.Fleet
	seen    map[upkeep.SiteID]*sight
	changes int64 // of the fleet's plans and windows, as of the last tick

	ask     func(ctx context.Context, site upkeep.SiteID) error // for a job that calls Visit
	mu      sync.Mutex
	visited map[upkeep.SiteID]visit // that were asked for and have not ended
}

// visit is one that was asked for.
type visit struct {
	at  time.Time
	due bool // an intervention may come of it, not just an inventory
}

// sight is what the last look at a site gave.
type sight struct {
	fleet.Sight
	again time.Time // when to look again
}

// New returns a planner that has looked at nothing yet. One job at a
// time calls its Tick; ask asks for a job that calls Visit.
func New(f *fleet.Fleet, ask func(ctx context.Context, site upkeep.SiteID) error) *Planner {
	return &Planner{Fleet: f, seen: map[upkeep.SiteID]*sight{}, ask: ask, visited: map[upkeep.SiteID]visit{}}
}

const (
	pace       = 15 * time.Second // between two ticks
	lookEvery  = 30 * time.Minute // at a site where nothing is known to change
	lookFor    = 20 * time.Second // in one tick; who is left is looked at in the next
	visitLimit = 10 * time.Minute // for one site
	sideBySide = 4                // sites looked at, or surveyed for no other reason than age, at once
)

// Tick looks which sites' turn it is and has those visited whose intervention
// may begin now, within the limits. It reaches no host, and may be cut short or
// repeated at any point. It returns how soon to be called again.
func (p *Planner) Tick(ctx context.Context) (again time.Duration, err error) {
	defer upkeep.Wrap(&err, "schedule")
	o, err := p.Outlook(ctx)
	if err != nil {
		return 0, err
	}
	if err := p.holdBroken(ctx, o); err != nil {
		return 0, err
	}
	if o.Hold != nil {
		return pace, nil
	}
	sites, err := p.Config.Sites.Sites(ctx)
	if err != nil {
		return 0, err
	}
	busy, err := p.busy(ctx, o)
	if err != nil {
		return 0, err
	}
	if now := p.Changes(); now != p.changes {
		clear(p.seen)
		p.changes = now
	}
	var running []schedule.Due
	for id, counts := range busy {
		if counts {
			running = append(running, schedule.Due{Site: id, Client: o.Client(id)})
		}
	}
	sites = slices.DeleteFunc(sites, func(site *upkeep.Site) bool {
		_, is := busy[site.ID]
		return is
	})
	if err := p.look(ctx, o, sites); err != nil {
		return 0, err
	}
	chosen := schedule.Choose(p.due(o, sites), running, p.Limits)
	if err := p.send(ctx, chosen, true); err != nil {
		return 0, err
	}
	return pace, p.send(ctx, p.outdated(sites, chosen), false)
}

// busy tells which sites are worked on, and of each whether it counts for the
// limits: an intervention is under way, or may be about to begin. They are
// looked at anew when that is over.
func (p *Planner) busy(ctx context.Context, o *fleet.Outlook) (map[upkeep.SiteID]bool, error) {
	underWay, err := p.Interventions.Interventions(ctx, upkeep.InterventionFilter{Unended: true})
	if err != nil {
		return nil, err
	}
	ids := map[upkeep.SiteID]bool{}
	for _, iv := range underWay {
		ids[iv.Site] = true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, asked := range p.visited {
		if o.Now.Sub(asked.at) > visitLimit { // another process had it, or it died
			delete(p.visited, id)
			continue
		}
		ids[id] = ids[id] || asked.due
	}
	for id := range ids {
		delete(p.seen, id)
	}
	return ids, nil
}

// outdated lists some sites whose inventory is old, besides those that are
// visited anyhow.
func (p *Planner) outdated(sites []*upkeep.Site, chosen []upkeep.SiteID) []upkeep.SiteID {
	p.mu.Lock()
	room := sideBySide
	for _, asked := range p.visited {
		if !asked.due {
			room--
		}
	}
	p.mu.Unlock()
	var old []upkeep.SiteID
	for _, site := range sites {
		if s := p.seen[site.ID]; s != nil && s.Old && len(old) < room && !slices.Contains(chosen, site.ID) {
			old = append(old, site.ID)
		}
	}
	return old
}

// send has sites visited.
func (p *Planner) send(ctx context.Context, sites []upkeep.SiteID, due bool) error {
	for _, id := range sites {
		p.mu.Lock()
		p.visited[id] = visit{p.Now(), due}
		p.mu.Unlock()
		delete(p.seen, id) // whatever comes of it, it is looked at anew
		if err := p.ask(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// look looks at the sites that were not for longest, as far as it comes in its
// time.
func (p *Planner) look(ctx context.Context, o *fleet.Outlook, sites []*upkeep.Site) error {
	var wanted []*upkeep.Site
	for _, site := range sites {
		if s := p.seen[site.ID]; s == nil || !s.again.After(o.Now) {
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
		if p.Now().Sub(o.Now) > lookFor || ctx.Err() != nil {
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
		if result == nil {
			continue
		}
		if before := p.seen[wanted[i].ID]; before != nil && !before.At.IsZero() && before.At.Before(result.At) && !result.At.After(o.Now) {
			result.At = before.At // it has been waiting since
		}
		p.seen[wanted[i].ID] = result
	}
	return ctx.Err()
}

// lookAt decides about one site. What goes wrong with it is its own affair: it
// is looked at again later.
func (p *Planner) lookAt(ctx context.Context, o *fleet.Outlook, site *upkeep.Site) *sight {
	found := &sight{again: o.Now.Add(lookEvery)}
	var err error
	if found.Sight, err = p.Look(ctx, o, site); err != nil {
		p.Log.Warn("look at site, tried again later", "site", site.Name, "error", err)
		return &sight{again: found.again}
	}
	if found.Old {
		attempt, err := p.Turns.Attempt(ctx, site.ID)
		if again := schedule.Again(attempt).Until; err == nil && again.After(o.Now) {
			found.Old, found.again = false, again
		}
	}
	if at := found.At; !at.IsZero() && at.After(o.Now) && at.Before(found.again) {
		found.again = at
	}
	return found
}

// due lists the sites whose intervention may begin now.
func (p *Planner) due(o *fleet.Outlook, sites []*upkeep.Site) []schedule.Due {
	var due []schedule.Due
	for _, site := range sites {
		s := p.seen[site.ID]
		if s == nil || s.At.IsZero() || s.At.After(o.Now) || !s.Until.IsZero() && !o.Now.Before(s.Until) {
			continue
		}
		due = append(due, schedule.Due{Site: site.ID, Client: o.Client(site.ID), Security: s.Security, Deadline: s.Deadline, At: s.At})
	}
	return due
}

// Visit takes the inventory of a site and, when the planner sent for more than
// that, decides anew by what it finds and by the time it is then, and begins
// when that is due. When it cannot, it notes so, and the site is visited again
// later and later. It may be repeated: a site has one intervention at a time.
func (p *Planner) Visit(ctx context.Context, id upkeep.SiteID) error {
	p.mu.Lock()
	due := p.visited[id].due // of a process that died nobody knows: the next tick sends again
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.visited, id)
	}()
	sites, err := p.Config.Sites.Sites(ctx)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(sites, func(site *upkeep.Site) bool { return site.ID == id })
	if at < 0 { // removed since
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, visitLimit)
	defer cancel()
	if due {
		err = p.Begin(limited, sites[at])
	} else {
		_, err = p.Inventory(limited, sites[at].Name, true)
	}
	switch {
	case ctx.Err() != nil: // told to stop: it is not the site's fault
		return ctx.Err()
	case upkeep.CodeOf(err) == upkeep.CodeConflict: // somebody was quicker, or it is frozen by hand
		return p.Turns.PutAttempt(ctx, id, err.Error())
	case err != nil:
		return p.noteFailure(ctx, sites[at], err)
	}
	return p.Turns.PutAttempt(ctx, id, "")
}

// patience is how many visits may go wrong in a row before a person is told.
const patience = 3

// noteFailure notes that a visit went wrong.
func (p *Planner) noteFailure(ctx context.Context, site *upkeep.Site, why error) error {
	p.Log.Warn("visit site, tried again later", "site", site.Name, "error", why)
	if err := p.Turns.PutAttempt(ctx, site.ID, why.Error()); err != nil {
		return err
	}
	attempt, err := p.Turns.Attempt(ctx, site.ID)
	if err != nil || attempt.Failures < patience {
		return err
	}
	text := upkeep.TextOf(why)
	return p.Notes.CreateTask(ctx, &upkeep.Task{Site: site.ID, Code: schedule.TaskExamine,
		Params: map[string]string{"why": text.String(), "why_text": text.Param()}})
}
