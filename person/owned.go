package person

import (
	"time"

	"upkeep"
)

// OwnedSite is a site as its client sees it.
type OwnedSite struct {
	Name     string             `json:"name"`
	URL      string             `json:"url"`
	Plan     string             `json:"plan,omitempty"` // what people read of it
	Since    time.Time          `json:"since,omitzero"` // protected, under this plan
	Decided  time.Time          `json:"decided,omitzero"`
	Pending  int                `json:"pending"` // updates that are ready
	Security int                `json:"security"`
	Held     int                `json:"held"`
	Next     time.Time          `json:"next,omitzero"`     // intervention
	Backup   time.Time          `json:"backup,omitzero"`   // the newest that is complete
	Running  upkeep.State       `json:"running,omitempty"` // of an intervention under way
	Last     *OwnedIntervention `json:"last,omitempty"`    // that ended
}

// OwnedIntervention is an intervention that ended, as its client sees it.
type OwnedIntervention struct {
	ID      upkeep.InterventionID `json:"id"`
	State   upkeep.State          `json:"state"`
	Ended   time.Time             `json:"ended"`
	Frozen  upkeep.Duration       `json:"frozen"` // how long visitors were asked to wait
	Applied int                   `json:"applied"`
	Undone  int                   `json:"undone"` // taken back, because they broke the site
}

// Owned is how a site stands, in one word.
type Owned string

// How sites stand, the first that is true.
const (
	OwnedTrouble Owned = "trouble" // a person looks after it at this hour
	OwnedWorking Owned = "working"
	OwnedUrgent  Owned = "urgent" // a security update is about to be applied
	OwnedWaiting Owned = "waiting"
	OwnedHeld    Owned = "held"    // something waits for a decision
	OwnedCurrent Owned = "current" // up to date
	OwnedUnknown Owned = "unknown" // not looked at yet
)

// Standing says how the site stands.
func (s *OwnedSite) Standing() Owned {
	switch {
	case s.Running == "" && s.Last != nil && s.Last.State == upkeep.Incident:
		return OwnedTrouble
	case s.Running != "":
		return OwnedWorking
	case s.Decided.IsZero():
		return OwnedUnknown
	case s.Security > 0:
		return OwnedUrgent
	case s.Pending > 0:
		return OwnedWaiting
	case s.Held > 0:
		return OwnedHeld
	}
	return OwnedCurrent
}

// Paused is how long visitors were asked to wait.
func (w *OwnedIntervention) Paused() time.Duration { return time.Duration(w.Frozen) }
