package schedule

import (
	"time"

	"upkeep"
)

// margin is how long before the end of its delay, or before closed dates, a
// security update begins at the latest, so that it is applied by then.
const margin = time.Hour

// deadline is until when a security update has to be applied: it counts from
// the instant that both the flaw and the subscription are known.
func (d *decider) deadline(u *Update) time.Time {
	if d.Plan == nil || d.Subscription == nil || d.Plan.SecurityHours == 0 {
		return time.Time{}
	}
	return later(u.Flagged, d.Subscription.Since).Add(time.Duration(d.Plan.SecurityHours) * time.Hour)
}

// securityTurn waits for its wave and a window that opens within the
// contractual delay, and else for the last moment, wave or not. Closed dates
// count more than windows: it begins before them, or on them by the plan's
// leave, or a person decides.
func (d *decider) securityTurn(u *Update, turn *upkeep.Turn) {
	if from, because := d.inWave(u, d.earliest, d.retrying()); from.IsZero() {
		turn.Reasons = because
	} else {
		d.inWindow(from, because, turn)
	}
	last := later(d.earliest, turn.Deadline.Add(-margin))
	if turn.Deadline.IsZero() || !turn.At.IsZero() && !turn.At.After(last) {
		return
	}
	deadline := instant(turn.Deadline, d.zone())
	slot, closed := d.closedAt(last)
	if !closed {
		begin(turn, last, time.Time{}, append(d.retrying(), Reason(AtDeadline, "until", deadline)))
		return
	}
	note := slot.Window.Note
	free, until, found := d.lastFree(d.earliest, last)
	switch {
	case found:
		begin(turn, free, until, append(d.retrying(), Reason(BeforeClosed, "note", note)))
	case d.Plan.Insist:
		begin(turn, last, time.Time{}, append(d.retrying(), Reason(Insists, "note", note, "until", deadline)))
	default:
		turn.Reasons = append(turn.Reasons, Reason(WouldMiss, "note", note, "until", deadline, "task", TaskDecide))
	}
}

func begin(turn *upkeep.Turn, at, until time.Time, because []upkeep.Reason) {
	turn.At, turn.Until, turn.Reasons = at, until, because
}

// lastFree returns a late moment between from and to, which is on closed
// dates, that is not on any: a margin before them where there is room, and
// with it when they begin.
func (d *decider) lastFree(from, to time.Time) (at, until time.Time, found bool) {
	for slot, closed := d.closedAt(to); closed; slot, closed = d.closedAt(to) {
		if !from.Before(slot.Start) {
			return time.Time{}, time.Time{}, false
		}
		to, until = later(from, slot.Start.Add(-margin)), slot.Start
		if other, closed := d.closedAt(to); closed && other.End.Before(slot.Start) {
			to = other.End // a gap between two that is shorter than the margin
		}
	}
	return to, until, true
}

// closedAt returns closed dates that an instant is on.
func (d *decider) closedAt(t time.Time) (found upkeep.Slot, closed bool) {
	for _, r := range d.closed {
		r.slots(t, func(s upkeep.Slot) bool {
			if !s.Start.After(t) {
				found, closed = s, true
			}
			return false // what begins later does not hold t either
		})
	}
	return found, closed
}

// closesAfter returns when the next closed dates after an instant begin, zero
// when none do before limit.
func (d *decider) closesAfter(t, limit time.Time) (next time.Time) {
	for _, r := range d.closed {
		r.slots(t, func(s upkeep.Slot) bool {
			if s.Start.After(t) && s.Start.Before(limit) {
				next = earlier(next, s.Start)
			}
			return !s.Start.After(t)
		})
	}
	return next
}
