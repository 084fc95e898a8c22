package feed

import (
	"time"

	"upkeep"
)

// Said is what a publisher says about sites.
type Said struct {
	Sites    []SiteAnswer // as asked, in the same order
	Problems []error      // what could not be asked; older answers stand in where there are any
}

// SiteAnswer is what a publisher says about one site.
type SiteAnswer struct {
	Releases []upkeep.Release
	Closed   []upkeep.Closed // withdrawn, or with a known flaw that nobody has mended
	Findings []upkeep.Finding

	Checked time.Time // when the oldest part of the answer was given
	Stale   bool      // part of it is old, or missing, since it could not be asked
}

// Age notes when a part of the answer was given, zero when it was not, and
// whether it is old.
func (s *SiteAnswer) Age(fetched time.Time, stale bool) {
	if !fetched.IsZero() && (s.Checked.IsZero() || fetched.Before(s.Checked)) {
		s.Checked = fetched
	}
	s.Stale = s.Stale || stale
}
