// Package overview is the words for what is known of all sites at once: lines
// of lists, choices, the agenda.
package overview

import (
	"time"

	"upkeep"
)

// SiteLine is a site in a list of many.
type SiteLine struct {
	upkeep.Site
	HostName   string                `json:"host_name,omitempty"`
	Plan       string                `json:"plan,omitempty"`
	Client     string                `json:"client,omitempty"`
	Decided    time.Time             `json:"decided,omitzero"` // zero: nothing is known of its updates yet
	Core       upkeep.Version        `json:"core,omitempty"`
	Components int                   `json:"components"`
	Pending    int                   `json:"pending"`
	Security   int                   `json:"security"`
	Held       int                   `json:"held"`
	Turn       time.Time             `json:"turn,omitzero"`     // when its next intervention may begin
	Deadline   time.Time             `json:"deadline,omitzero"` // contractual
	Last       upkeep.InterventionID `json:"last,omitempty"`    // the intervention that runs, else the last
	State      upkeep.State          `json:"state,omitempty"`   // of it
	LastBackup time.Time             `json:"last_backup,omitzero"`
}

// Shown says which sites of a list are shown.
type Shown string

// The choices.
const (
	AllSites      Shown = ""
	SecuritySites Shown = "security" // with security updates that are ready
	OutdatedSites Shown = "outdated" // with any that are
	HeldSites     Shown = "held"
	WorkingSites  Shown = "working" // an intervention is under way
	TroubledSites Shown = "trouble" // the last intervention went otherwise than it should
	UnplanedSites Shown = "no-plan"
)

// SiteQuery chooses sites of a list, and their order. The zero value is the
// first of all sites, by name.
type SiteQuery struct {
	Search     string // in names, addresses and clients
	Shown      Shown
	Sort       string // "name", "client", "cms", "security", "pending", "turn" or "deadline"
	Descending bool
	Offset     int
	Limit      int // 0 is 50
}

// SitePage is a part of the list of sites.
type SitePage struct {
	Total  int           `json:"total"` // that match
	Lines  []SiteLine    `json:"lines"`
	Counts map[Shown]int `json:"counts"` // of all sites
}

// Agenda is what needs a person, and what comes next.
type Agenda struct {
	Hold      *upkeep.FleetHold   `json:"hold,omitempty"` // nothing begins anywhere
	Troubled  []NamedIntervention `json:"troubled"`       // the last of their sites, newest first
	Running   []NamedIntervention `json:"running"`
	Tasks     []NamedTask         `json:"tasks"`      // open, the oldest first
	TaskCount int                 `json:"task_count"` // of all
	Clocks    []SiteLine          `json:"clocks"`     // by deadline, the soonest first
	Uncovered int                 `json:"uncovered"`  // applications that were found and are no sites
	Stale     []StaleFeed         `json:"stale"`
	Failing   []NamedAttempt      `json:"failing"` // sites that could not even be looked at
	Next      []SiteLine          `json:"next"`    // by turn
	NextCount int                 `json:"next_count"`
	Sites     int                 `json:"sites"`
	Counts    map[Shown]int       `json:"counts"`
}

// NamedIntervention is an intervention with the name of its site.
type NamedIntervention struct {
	upkeep.Intervention
	SiteName string `json:"site_name"`
}

// NamedTask is a task with the name of its site.
type NamedTask struct {
	upkeep.Task
	SiteName string `json:"site_name"`
}

// NamedAttempt is an attempt with the names of its site and host.
type NamedAttempt struct {
	upkeep.Attempt
	SiteName string `json:"site_name"`
	HostName string `json:"host_name,omitempty"` // "" is this machine
}

// StaleFeed is a publisher that did not answer when it was last asked.
type StaleFeed struct {
	Publisher string    `json:"publisher"`
	Sites     int       `json:"sites"`
	Checked   time.Time `json:"checked,omitzero"` // the oldest answer that something rests on
}

// ReleaseLine is a release in a list of those that are on their way through
// the fleet.
type ReleaseLine struct {
	CMS       upkeep.CMS     `json:"cms"`
	Component string         `json:"component"` // ref
	Version   upkeep.Version `json:"version"`
	Security  bool           `json:"security"`
	Began     time.Time      `json:"began"`
	Held      time.Time      `json:"held,omitzero"` // the last failure for which it was
	OnHold    bool           `json:"on_hold"`       // now
	Applied   int            `json:"applied"`       // sites on which it works
	Failed    int            `json:"failed"`        // sites that it broke
}
