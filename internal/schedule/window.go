package schedule

import (
	"slices"
	"time"

	"github.com/teambition/rrule-go"

	"upkeep"
)

// horizon is how far ahead a time is looked for: a rule for 29 February may
// skip eight years. Dates are closed a little longer, in every zone: behind the
// horizon nothing would look open.
const (
	horizon       = 10 * 366 * 24 * time.Hour
	closedHorizon = horizon + 4*24*time.Hour
)

// recurring is a window whose occurrences can be found.
type recurring struct {
	*upkeep.Window
	loc    *time.Location
	begin  time.Time // wall time of the first
	length time.Duration
	rule   rrule.ROption // of wall times

	since time.Time                // wall time before which nothing is asked about
	found []upkeep.Slot            // the occurrences since then, as far as was asked for
	more  func() (time.Time, bool) // the next wall time at which it begins
}

// Check returns CodeInvalid when a window's fields, rule or zone cannot be
// understood, or when its rule repeats more often than once a day.
func Check(w *upkeep.Window) error {
	_, err := compile(w)
	return err
}

func compile(w *upkeep.Window) (*recurring, error) {
	if err := w.Validate(); err != nil {
		return nil, err
	}
	loc, err := time.LoadLocation(w.Zone)
	if err != nil || w.Zone == "" || w.Zone == "Local" {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "zone %q: want a time zone like Europe/Paris", w.Zone)
	}
	begin, err := time.Parse(upkeep.WallTime, w.Begin)
	if err != nil {
		return nil, err
	}
	r := &recurring{Window: w, loc: loc, begin: begin, length: time.Duration(w.Length)}
	if w.Rule == "" {
		r.rule = rrule.ROption{Freq: rrule.DAILY, Count: 1}
		return r, nil
	}
	option, err := rrule.StrToROption(w.Rule)
	if err == nil {
		_, err = rrule.NewRRule(*option)
	}
	if err != nil {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "rule %q: %w", w.Rule, err).
			WithHint("Write it as in a calendar file: FREQ=WEEKLY;BYDAY=TU,TH.")
	}
	if option.Interval < 0 || option.Count < 0 {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "rule %q: it goes backwards", w.Rule)
	}
	finer := option.Freq == rrule.HOURLY || option.Freq == rrule.MINUTELY || option.Freq == rrule.SECONDLY ||
		len(option.Byhour) > 0 || len(option.Byminute) > 0 || len(option.Bysecond) > 0 || !option.Dtstart.IsZero()
	if finer {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "rule %q: want days; the time of day is that of the beginning", w.Rule)
	}
	if day, most := beyond(option); day != 0 {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "rule %q: there is no weekday %d of %d", w.Rule, day, most)
	}
	r.rule = *option
	return r, nil
}

// beyond returns a weekday that no month or year has so many of, with how many
// it has at most; the rule's library fails on some. 0 for none.
func beyond(option *rrule.ROption) (day, most int) {
	most = 53
	if option.Freq == rrule.MONTHLY || len(option.Bymonth) > 0 {
		most = 5
	}
	for _, weekday := range option.Byweekday {
		if n := weekday.N(); n > most || n < -most {
			return n, most
		}
	}
	return 0, most
}

// from readies a window for questions about instants from t on. What began
// before may still last; clocks make it a little longer. A rule that never
// comes true, such as 30 February, ends as far ahead as is looked.
func (r *recurring) from(t time.Time, ahead time.Duration) *recurring {
	r.since = wallOf(t, r.loc).Add(-r.length - mostOffset)
	option := r.rule
	option.Dtstart = r.begin
	option.Until = earlier(option.Until, wallOf(t, r.loc).Add(ahead))
	r.more = func() (time.Time, bool) { return time.Time{}, false }
	if rule, err := rrule.NewRRule(option); err == nil { // it was checked when it was compiled
		r.more = rule.Iterator()
	}
	return r
}

// slot returns the i-th occurrence.
func (r *recurring) slot(i int) (upkeep.Slot, bool) {
	for len(r.found) <= i {
		wall, ok := r.more()
		if !ok {
			return upkeep.Slot{}, false
		}
		if wall.Before(r.since) {
			continue
		}
		start, _ := instantsOf(wall, r.loc)
		_, end := instantsOf(wall.Add(r.length), r.loc)
		if end.After(start) { // not in an hour that never is
			r.found = append(r.found, upkeep.Slot{Start: start, End: end, Window: r.Window})
		}
	}
	return r.found[i], true
}

// slots calls yield for each occurrence that ends after an instant, in order,
// until yield returns false or they are beyond the horizon.
func (r *recurring) slots(after time.Time, yield func(upkeep.Slot) bool) {
	for i := 0; ; i++ {
		slot, ok := r.slot(i)
		if !ok || slot.End.After(after) && !yield(slot) {
			return
		}
	}
}

func earlier(t, other time.Time) time.Time {
	if t.IsZero() || other.Before(t) {
		return other
	}
	return t
}

func later(t, other time.Time) time.Time {
	if other.After(t) {
		return other
	}
	return t
}

// concerns reports whether a window is for a site under a subscription.
func concerns(w *upkeep.Window, site string, s *upkeep.Subscription) bool {
	switch w.Scope {
	case upkeep.ForAgency:
		return true
	case upkeep.ForPlan:
		return s != nil && w.Subject == s.Plan
	case upkeep.ForClient:
		return s != nil && w.Subject == s.Client
	case upkeep.ForSite:
		return w.Subject == site
	}
	return false
}

// Concerning returns the windows that are for a site under a subscription,
// nil for none, whether or not a more specific one counts instead.
func Concerning(windows []upkeep.Window, site string, s *upkeep.Subscription) []upkeep.Window {
	return slices.DeleteFunc(slices.Clone(windows), func(w upkeep.Window) bool { return !concerns(&w, site, s) })
}

// governing returns the windows in which interventions on a site may begin,
// those of the most specific scope that has any, and the closed ones, which
// add up. A window that cannot be understood is of no use, and closes nothing:
// none is kept that was not checked.
func governing(in *Input) (open, closed []*recurring) {
	for _, scope := range upkeep.Scopes() {
		var found []*recurring
		for i := range in.Windows {
			w := &in.Windows[i]
			if w.Scope != scope || !concerns(w, in.Site, in.Subscription) {
				continue
			}
			r, err := compile(w)
			switch {
			case err != nil:
			case w.Closed:
				closed = append(closed, r.from(in.Now, closedHorizon))
			default:
				found = append(found, r.from(in.Now, horizon))
			}
		}
		if open == nil {
			open = found
		}
	}
	return open, closed
}

// Slots returns the occurrences of the windows that end after from and begin
// before to, by their beginning.
func Slots(windows []upkeep.Window, from, to time.Time) []upkeep.Slot {
	var found []upkeep.Slot
	for i := range windows {
		r, err := compile(&windows[i])
		if err != nil {
			continue
		}
		r.from(from, horizon).slots(from, func(s upkeep.Slot) bool {
			if !s.Start.Before(to) {
				return false
			}
			found = append(found, s)
			return true
		})
	}
	slices.SortStableFunc(found, func(a, b upkeep.Slot) int { return a.Start.Compare(b.Start) })
	return found
}
