package upkeep

import "time"

// Standing is what was last decided about a site, as lists of all sites and
// the site's page show it.
type Standing struct {
	Site        SiteID      `json:"site"`
	At          time.Time   `json:"at"` // decided
	Core        Version     `json:"core,omitempty"`
	Components  int         `json:"components"`
	Pending     int         `json:"pending"`  // updates that are ready
	Security    int         `json:"security"` // of the pending
	Held        int         `json:"held"`
	Offline     []string    `json:"offline,omitempty"`  // publishers that did not answer
	Checked     time.Time   `json:"checked,omitzero"`   // the oldest answer that it rests on
	Updates     []Update    `json:"updates,omitempty"`  // with the reasons of each decision
	Findings    []Finding   `json:"findings,omitempty"` // that it rests on
	Appointment Appointment `json:"appointment"`
}

// Count fills in the numbers of updates.
func (s *Standing) Count() {
	s.Pending, s.Security, s.Held = 0, 0, 0
	for i := range s.Updates {
		switch u := &s.Updates[i]; u.Disposition {
		case Ready:
			s.Pending++
			if u.Security {
				s.Security++
			}
		case Held:
			s.Held++
		}
	}
}
