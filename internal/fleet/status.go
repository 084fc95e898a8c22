package fleet

import (
	"context"
	"time"

	"upkeep"
	"upkeep/internal/web"
)

// FleetStatus counts.
func (f Calendar) FleetStatus(ctx context.Context) (*web.FleetStatus, error) {
	o, err := f.Outlook(ctx)
	if err != nil {
		return nil, err
	}
	sites, err := SiteList(f).Sites(ctx)
	if err != nil {
		return nil, err
	}
	status := &web.FleetStatus{Hold: o.Hold, Sites: len(sites), Statuses: map[web.SiteStatus]int{}, Day: map[upkeep.State]int{}}
	for i := range sites {
		site := &sites[i]
		status.Statuses[site.Status]++
		status.Pending, status.Security, status.Held = status.Pending+site.Pending, status.Security+site.Security, status.Held+site.Held
		turn, err := f.siteTurn(ctx, o, &site.Site)
		if err != nil {
			return nil, err
		}
		count(status, turn, o.Now)
	}
	tasks, err := f.Notes.Tasks(ctx, upkeep.TaskFilter{Open: true})
	if err != nil {
		return nil, err
	}
	status.Tasks = len(tasks)
	if status.Uncovered, err = f.Applications.Uncovered(ctx); err != nil {
		return nil, err
	}
	return status, f.countInterventions(ctx, status, o.Now)
}

// count adds a site to the numbers.
func count(status *web.FleetStatus, turn *web.SiteTurn, now time.Time) {
	if turn.Plan == "" {
		status.NoPlan++
	}
	if !turn.Deadline.IsZero() && turn.Deadline.Before(now) {
		status.Overdue++
	}
	switch {
	case len(turn.Turns) == 0:
	case turn.At.IsZero():
		status.Waiting++
	case !turn.At.After(now):
		status.Due++
	}
}

func (f *Fleet) countInterventions(ctx context.Context, status *web.FleetStatus, now time.Time) error {
	running, err := f.Interventions.Interventions(ctx, upkeep.InterventionFilter{Unended: true})
	if err != nil {
		return err
	}
	status.Running = len(running)
	day := now.Add(-24 * time.Hour)
	latest, err := f.Interventions.Interventions(ctx, upkeep.InterventionFilter{EndedAfter: day})
	for _, iv := range latest {
		status.Day[iv.State]++
	}
	return err
}

// HoldFleet keeps interventions from beginning anywhere.
func (f Calendar) HoldFleet(ctx context.Context, actor, because string) (*upkeep.FleetHold, error) {
	hold := &upkeep.FleetHold{Actor: actor, Because: because}
	if err := f.Config.Windows.PutFleetHold(ctx, hold); err != nil {
		return nil, err
	}
	f.changes.Add(1)
	return hold, f.Enter(ctx, actor, kindFleetHeld, 0, map[string]any{"because": because})
}

// ReleaseFleet lets interventions begin again.
func (f Calendar) ReleaseFleet(ctx context.Context, actor string) error {
	if err := f.Config.Windows.PutFleetHold(ctx, nil); err != nil {
		return err
	}
	f.changes.Add(1)
	return f.Enter(ctx, actor, kindFleetReleased, 0, nil)
}

// mayBegin refuses an intervention while the fleet is held.
func (f *Fleet) mayBegin(ctx context.Context) error {
	hold, err := f.Config.Windows.FleetHold(ctx)
	if err != nil || hold == nil {
		return err
	}
	return upkeep.Errorf(upkeep.CodeHeld, "the fleet is held by %s since %s", hold.Actor, hold.Since.Format(time.DateTime)).
		WithHint("Let it go on: upkeep fleet resume.")
}
