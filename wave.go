package upkeep

import "time"

// Canary says whether a site may be among the first that get a release.
type Canary string

// The marks.
const (
	MayBeCanary Canary = ""        // when it helps
	Willing     Canary = "willing" // rather than others
	NeverCanary Canary = "never"   // it is always among the last
)

// The waves of a release.
const (
	Canaries = 1 // few sites that stand for many
	Tenth    = 2 // a tenth of the sites
	Everyone = 3 // all others, and those that appear later
)

// Rollout is a release on its way through the fleet.
type Rollout struct {
	CMS       CMS            `json:"cms"`
	Component string         `json:"component"` // ref
	Version   Version        `json:"version"`
	Security  bool           `json:"security"`      // it was a security update for the first site whose turn it was
	Began     time.Time      `json:"began"`         // when its waves were laid down
	Held      time.Time      `json:"held,omitzero"` // the last failure for which it was held; those until then count no more
	Waves     map[SiteID]int `json:"waves"`         // of each site
}

// Wave is where a wave of a release stands.
type Wave struct {
	Number  int        `json:"number"`
	Opens   time.Time  `json:"opens,omitzero"` // since when, or when; zero while the wave before has not ended
	Ended   time.Time  `json:"ended,omitzero"` // when it ended well
	Applied int        `json:"applied"`
	Failed  int        `json:"failed"`
	Broken  bool       `json:"broken,omitempty"` // so many failed that the release is held
	Sites   []WaveSite `json:"sites"`            // by name
}

// WaveSite is a site in a wave.
type WaveSite struct {
	Site   string    `json:"site"`
	Result Result    `json:"result,omitempty"` // "" while nothing came of it
	At     time.Time `json:"at,omitzero"`
	Away   bool      `json:"away,omitempty"` // nobody waits for it: it does not need the release any more, or may not get it
}

// RolloutView is a release's way through the fleet, with what is known of it.
type RolloutView struct {
	Rollout
	Confidence Confidence   `json:"confidence"`
	Hold       *ReleaseHold `json:"hold,omitempty"`
	Stages     []Wave       `json:"stages"`
}
