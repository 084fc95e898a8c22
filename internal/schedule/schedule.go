// Package schedule decides when a site's next intervention may begin, with
// which of its updates, and why: from its plan, windows, closed dates, the age
// of releases and what happened before. It computes from what it is given and
// nothing else, and says why for each decision.
package schedule

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"upkeep"
)

// Input is all that a decision about a site rests on.
type Input struct {
	Now          time.Time
	Site         string               // name
	Plan         *upkeep.Plan         // nil: it is under none
	Subscription *upkeep.Subscription // nil the same
	Windows      []upkeep.Window      // of anybody; those that concern the site count
	Updates      []Update             // that are ready
	Surveyed     time.Time            // when the inventory was taken by which they are
	Last         time.Time            // when the last intervention with ordinary updates began; zero is never
	Retry        Retry                // after what went wrong
	Stop         *upkeep.Reason       // nothing begins whatever the time, because
}

// Retry says that nothing begins before an instant, because of what went wrong.
type Retry struct {
	Until   time.Time // zero: nothing did
	Because string
}

// Update is one that is ready.
type Update struct {
	Ref      string
	Version  upkeep.Version
	Security bool
	Seen     time.Time // when the fleet first knew of the release
	Flagged  time.Time // … as a security update
	Approved bool
	Needs    []string // refs of those without which it is not applied
	Wait     *Wait    // for the wave of the site; nil is none
}

// Wait says that an update waits for a wave of its release.
type Wait struct {
	Until   time.Time // zero: what has to come first has no date yet
	Because upkeep.Reason
}

// Decide decides. It is total, and stays with what it said: asked again later,
// before At and with nothing else changed, it says the same.
func Decide(in Input) upkeep.Appointment {
	d := &decider{Input: in}
	d.open, d.closed = governing(&in)
	d.earliest = later(in.Now, in.Retry.Until)
	var out upkeep.Appointment
	for i := range in.Updates {
		turn := d.turn(&in.Updates[i])
		if !turn.Deadline.IsZero() {
			out.Deadline = earlier(out.Deadline, turn.Deadline)
		}
		out.Turns = append(out.Turns, turn)
	}
	d.afterNeeded(out.Turns)
	switch {
	case in.Stop != nil:
		out.Reasons = []upkeep.Reason{*in.Stop}
		return out
	case len(in.Updates) == 0:
		out.Reasons = []upkeep.Reason{Reason(NothingReady)}
		return out
	}
	d.gather(&out)
	return out
}

// decider is a decision under way.
type decider struct {
	Input
	open, closed []*recurring
	earliest     time.Time
}

// turn decides for one update by itself.
func (d *decider) turn(u *Update) upkeep.Turn {
	turn := upkeep.Turn{Ref: u.Ref, Version: u.Version, Security: u.Security}
	if u.Security {
		turn.Deadline = d.deadline(u)
	}
	switch {
	case d.Plan == nil || d.Subscription == nil:
		turn.Reasons = []upkeep.Reason{Reason(NoPlan)}
	case !u.Approved && d.asks(u):
		turn.Reasons = []upkeep.Reason{Reason(NeedsConsent, "task", TaskConsent)}
	case u.Security:
		d.securityTurn(u, &turn)
	default:
		d.ordinaryTurn(u, &turn)
	}
	return turn
}

// asks reports whether the client wants to be asked about an update.
func (d *decider) asks(u *Update) bool {
	return d.Subscription.Consent == upkeep.FullConsent || d.Subscription.Consent == upkeep.OrdinaryConsent && !u.Security
}

// ordinaryTurn waits for the release to be old enough, for the cadence, and
// for a window.
func (d *decider) ordinaryTurn(u *Update, turn *upkeep.Turn) {
	from, because := d.earliest, d.retrying()
	zone := d.zone()
	if soaked := u.Seen.Add(time.Duration(d.Plan.SoakDays) * 24 * time.Hour); soaked.After(from) {
		from = soaked
		because = []upkeep.Reason{Reason(Soaking, "days", strconv.Itoa(d.Plan.SoakDays), "until", instant(soaked, zone))}
	}
	if next := d.cadence(zone); next.After(from) {
		from = next
		because = []upkeep.Reason{Reason(Cadence, "count", strconv.Itoa(d.Plan.CadenceDays), "until", instant(next, zone))}
	}
	if from, because = d.inWave(u, from, because); from.IsZero() {
		turn.Reasons = because
		return
	}
	d.inWindow(from, because, turn)
}

// inWave is from, or when the wave of an update opens when that is later, and
// because of what; zero when that has no date yet.
func (d *decider) inWave(u *Update, from time.Time, because []upkeep.Reason) (time.Time, []upkeep.Reason) {
	if u.Wait == nil || !u.Wait.Until.IsZero() && !u.Wait.Until.After(from) {
		return from, because
	}
	reason := u.Wait.Because
	if !u.Wait.Until.IsZero() {
		reason.Params = maps.Clone(reason.Params)
		reason.Params["until"] = instant(u.Wait.Until, d.zone())
	}
	return u.Wait.Until, []upkeep.Reason{reason}
}

// cadence is the beginning of the day on which the next intervention with
// ordinary updates may be. It goes by days, not hours: every seven days at
// 02:00 stays so when clocks change.
func (d *decider) cadence(zone *time.Location) time.Time {
	if d.Last.IsZero() || d.Plan.CadenceDays == 0 {
		return time.Time{}
	}
	day := wallOf(d.Last, zone).AddDate(0, 0, d.Plan.CadenceDays).Truncate(24 * time.Hour)
	first, _ := instantsOf(day, zone)
	return first
}

// zone is that of the windows of the site.
func (d *decider) zone() *time.Location {
	if len(d.open) > 0 {
		return d.open[0].loc
	}
	return time.UTC
}

func (d *decider) retrying() []upkeep.Reason {
	if !d.Retry.Until.After(d.Now) {
		return nil
	}
	return []upkeep.Reason{Reason(Retrying, "because", d.Retry.Because, "until", instant(d.Retry.Until, d.zone()))}
}

// afterNeeded makes ordinary updates wait for those that they need. What a
// security update needs comes along with it instead.
func (d *decider) afterNeeded(turns []upkeep.Turn) {
	for i := range turns {
		turn := &turns[i]
		if turn.Security || turn.At.IsZero() {
			continue
		}
		for _, j := range d.needed(i) {
			switch other := &turns[j]; {
			case other.At.IsZero() || turn.At.IsZero():
				begin(turn, time.Time{}, time.Time{}, []upkeep.Reason{Reason(WithNeeded, "component", other.Ref)})
			case other.At.After(turn.At):
				d.inWindow(other.At, append(slices.Clone(other.Reasons), Reason(WithNeeded, "component", other.Ref)), turn)
			}
		}
	}
}

// needed returns the indexes of the updates that one needs, directly or not.
func (d *decider) needed(i int) []int {
	seen := []int{i}
	for at := 0; at < len(seen); at++ {
		for j := range d.Updates {
			if slices.Contains(d.Updates[seen[at]].Needs, d.Updates[j].Ref) && !slices.Contains(seen, j) {
				seen = append(seen, j)
			}
		}
	}
	return seen[1:]
}

// gather decides for the site: at the first moment that any update may be
// applied, all those that may be then.
func (d *decider) gather(out *upkeep.Appointment) {
	first := -1
	for i := range out.Turns {
		if turn := &out.Turns[i]; first < 0 || sooner(turn, &out.Turns[first]) {
			first = i
		}
	}
	out.At, out.Reasons = out.Turns[first].At, out.Turns[first].Reasons
	if out.At.IsZero() {
		return
	}
	chosen := make(map[int]bool)
	for i := range out.Turns {
		turn := &out.Turns[i]
		// A site that is worked on for one security update gets all but those
		// that wait for their wave.
		if turn.At.IsZero() || turn.At.After(out.At) && (!turn.Security || d.Updates[i].Wait != nil) {
			continue
		}
		out.Until = earlierEnd(out.Until, turn, out.At)
		chosen[i] = true
		for _, j := range d.needed(i) {
			chosen[j] = true
		}
	}
	for i := range out.Turns {
		if chosen[i] {
			out.Refs = append(out.Refs, out.Turns[i].Ref)
			out.Security = out.Security || out.Turns[i].Security
		}
	}
}

// sooner reports whether a turn comes before another: one that comes at all,
// then the earlier, then security.
func sooner(t, other *upkeep.Turn) bool {
	if t.At.IsZero() != other.At.IsZero() {
		return other.At.IsZero()
	}
	if !t.At.Equal(other.At) {
		return t.At.Before(other.At)
	}
	return t.Security && !other.Security
}

// earlierEnd is until, or the end of a turn that begins at an instant when
// that comes first.
func earlierEnd(until time.Time, turn *upkeep.Turn, at time.Time) time.Time {
	if turn.Until.IsZero() || !turn.At.Equal(at) {
		return until
	}
	return earlier(until, turn.Until)
}
