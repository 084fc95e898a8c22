package schedule

import (
	"time"

	"upkeep"
)

// room is how long before the end of a window an intervention begins at the
// latest, so that it has a chance to end within it.
const room = 15 * time.Minute

// lastBegin returns the instant before which an intervention begins in a
// slot. Half of a short one is left to it in any case.
func lastBegin(s *upkeep.Slot) time.Time {
	return later(s.End.Add(-room), s.Start.Add(s.End.Sub(s.Start)/2))
}

// opening is a moment at which an intervention may begin.
type opening struct {
	at, until time.Time
	window    *upkeep.Window
	closed    []upkeep.Reason // the closed dates that it had to wait for
}

func (o *opening) reason() upkeep.Reason {
	return Reason(InWindow, "scope", string(o.window.Scope), "subject", o.window.Subject)
}

// tries is how many times over closed dates may cover a window before it
// counts as never open.
const tries = 400

// opens returns the first moment, from an instant on, that is in a window and
// on no closed dates. ok is false when there is none.
func (d *decider) opens(from time.Time) (found opening, ok bool) {
	for range tries {
		next := d.firstIn(from)
		if next.window == nil {
			return found, false
		}
		next.closed = found.closed
		slot, closed := d.closedAt(next.at)
		if !closed {
			if close := d.closesAfter(next.at, next.until); !close.IsZero() {
				next.until = close
			}
			return next, true
		}
		if found = next; found.closed == nil {
			found.closed = []upkeep.Reason{Reason(ClosedDates, "note", slot.Window.Note, "until", instant(slot.End, d.zone()))}
		}
		from = slot.End
	}
	return found, false
}

// firstIn returns the first moment from an instant on that is in a window,
// closed dates or not; of windows that are open then the one that stays so
// longest.
func (d *decider) firstIn(from time.Time) (first opening) {
	for _, r := range d.open {
		r.slots(from, func(s upkeep.Slot) bool {
			at, until := later(from, s.Start), lastBegin(&s)
			if !until.After(from) {
				return true
			}
			if first.window == nil || at.Before(first.at) || at.Equal(first.at) && until.After(first.until) {
				first = opening{at: at, until: until, window: r.Window}
			}
			return false
		})
	}
	return first
}

// inWindow gives a turn the first moment from an instant on that is in a
// window and not on closed dates.
func (d *decider) inWindow(from time.Time, because []upkeep.Reason, turn *upkeep.Turn) {
	opening, ok := d.opens(from)
	because = append(because, opening.closed...)
	switch {
	case ok:
		begin(turn, opening.at, opening.until, append(because, opening.reason()))
	case len(d.open) == 0:
		turn.Reasons = append(because, Reason(NoWindow))
	default:
		turn.Reasons = append(because, Reason(NeverOpen))
	}
}
