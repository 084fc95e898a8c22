package fleet

import (
	"context"
	"slices"
	"time"

	"upkeep"
	"upkeep/internal/resolve"
	"upkeep/internal/schedule"
)

// oldest is how old an inventory may be that decisions rest on.
const oldest = 24 * time.Hour

// BySchedule is who asks for interventions that nobody asked for.
const BySchedule = "schedule"

// Changes counts what was changed of plans, windows and holds by this process:
// when it has grown, decisions may be others.
func (f *Fleet) Changes() int64 { return f.changes.Load() }

// Sight is what a look at a site gave.
type Sight struct {
	upkeep.Appointment
	Old bool // the inventory that it rests on, or there is none
}

// Look decides about a site by its last inventory, reaching no host, and leaves
// to people what only they can do. Of a site under no plan it says nothing.
func (f *Fleet) Look(ctx context.Context, o *Outlook, site *upkeep.Site) (found Sight, err error) {
	inventory, err := f.Inventories.Inventory(ctx, site.ID)
	_, maintained := f.Publishers[site.CMS]
	byItself := maintained && o.subscriptions[site.ID] != nil
	if upkeep.CodeOf(err) == upkeep.CodeNotFound {
		return Sight{Old: byItself}, nil
	}
	if err != nil {
		return found, err
	}
	plan, err := f.plan(ctx, site, inventory, Kept)
	if err != nil {
		return found, err
	}
	appointment, err := f.note(ctx, o, site, plan)
	if err != nil || !byItself {
		return found, err
	}
	found.Appointment = appointment
	found.Old = o.Now.Sub(inventory.Taken) > oldest ||
		slices.ContainsFunc(found.Reasons, func(r upkeep.Reason) bool { return r.Code == schedule.SurveyDue })
	return found, f.leave(ctx, site, &found.Appointment)
}

// note decides when the next intervention may begin, and keeps all that was
// decided about a site for lists of all.
func (f *Fleet) note(ctx context.Context, o *Outlook, site *upkeep.Site, plan *resolved) (a upkeep.Appointment, err error) {
	if a, err = f.appointment(ctx, o, site, plan); err != nil {
		return a, err
	}
	standing := &upkeep.Standing{Site: site.ID, At: o.Now.UTC(), Components: len(plan.inventory.Components), Updates: plan.Updates,
		Findings: plan.findings, Offline: plan.known.Offline, Checked: plan.known.Checked, Appointment: a}
	if core := plan.inventory.Core(); core != nil {
		standing.Core = core.Version
	}
	standing.Count()
	return a, f.Standings.PutStanding(ctx, standing)
}

// leave makes the tasks of an appointment. One that is open already gets what
// is true now.
func (f *Fleet) leave(ctx context.Context, site *upkeep.Site, a *upkeep.Appointment) error {
	for i := range a.Turns {
		for _, reason := range a.Turns[i].Reasons {
			if reason.Params["task"] == "" {
				continue
			}
			task := &upkeep.Task{Site: site.ID, Code: reason.Params["task"], Params: reason.Params}
			if task.Code == schedule.TaskDecide {
				task.Component = a.Turns[i].Ref
			}
			if err := f.Notes.CreateTask(ctx, task); err != nil {
				return err
			}
		}
	}
	return nil
}

// Begin takes the inventory of a site and, when its intervention is due by what
// it finds and by the time it is then, begins that. When it is not due, that is
// no error. CodeConflict when the site is worked on or frozen.
func (f *Fleet) Begin(ctx context.Context, site *upkeep.Site) error {
	if err := f.mustBeOpen(ctx, site); err != nil {
		return err
	}
	plan, err := f.examined(ctx, site, Fresh)
	if err != nil {
		return err
	}
	o, err := f.Outlook(ctx)
	if err != nil {
		return err
	}
	appointment, err := f.appointment(ctx, o, site, plan)
	if err != nil || appointment.At.IsZero() || appointment.At.After(o.Now) {
		return err // not yet
	}
	selected, err := resolve.Select(plan.Plan, appointment.Refs, nil, false)
	if err != nil {
		return err
	}
	if err := f.noteTasks(ctx, site, plan.Plan); err != nil {
		return err
	}
	iv := &upkeep.Intervention{Site: site.ID, State: upkeep.Planned, Created: o.Now.UTC(), Batches: selected.Batches, Requester: BySchedule}
	return f.carryOut(ctx, iv, appointment.Reasons)
}
