package schedule

import "time"

// A wall time is a time on the clock on the wall: the fields of a date without
// a zone, kept in UTC. Between it and instants stand the nights on which clocks
// change: an hour of wall times never is, or is twice.

// wallOf returns what the clock on the wall in loc shows at an instant.
func wallOf(t time.Time, loc *time.Location) time.Time {
	t = t.In(loc)
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// mostOffset is further than any zone's clock is from UTC.
const mostOffset = 24 * time.Hour

// instantsOf returns the first and the last instant at which the clock on the
// wall in loc shows wall. They differ when clocks are set back. Of a wall time
// that never is, because clocks are set forward over it, both are the instant
// at which they are.
func instantsOf(wall time.Time, loc *time.Location) (first, last time.Time) {
	before, after := offset(wall.Add(-mostOffset), loc), offset(wall.Add(mostOffset), loc)
	early, late := wall.Add(-max(before, after)), wall.Add(-min(before, after))
	shows := func(t time.Time) bool { return wallOf(t, loc).Equal(wall) }
	switch {
	case shows(early) && shows(late):
		return early, late
	case shows(early):
		return early, early
	case shows(late):
		return late, late
	}
	jump, _ := late.In(loc).ZoneBounds()
	return jump.UTC(), jump.UTC()
}

// offset returns how far the clock on the wall in loc is from UTC at an instant.
func offset(t time.Time, loc *time.Location) time.Duration {
	_, seconds := t.In(loc).Zone()
	return time.Duration(seconds) * time.Second
}
