package upkeep

import (
	"regexp"
	"time"
)

// Plan is what the agency promises for the sites under it, as far as it
// decides when they are worked on.
type Plan struct {
	Name          string `json:"name"`           // short, unique, what operators type: "base"
	Title         string `json:"title"`          // what clients read: "Avancé"
	Extensions    int    `json:"extensions"`     // the most that a site under it has; 0 is any number
	Customised    bool   `json:"customised"`     // also for sites whose code was modified
	CadenceDays   int    `json:"cadence_days"`   // from one intervention with ordinary updates to the next; 0 is each window
	SoakDays      int    `json:"soak_days"`      // how long an ordinary release is known before it is applied
	SecurityHours int    `json:"security_hours"` // contractual: security updates are applied within them; 0 is the next window
	WaveHours     int    `json:"wave_hours"`     // how long a wave of an ordinary release is watched before the next; 0 is no waves
	UrgentHours   int    `json:"urgent_hours"`   // the same of a security update
	Insist        bool   `json:"insist"`         // a security update that would miss its delay goes ahead on closed dates, unasked
}

// Fits reports whether a site of so many extensions, modified or not, may be
// under the plan.
func (p *Plan) Fits(extensions int, customised bool) bool {
	return (p.Extensions == 0 || extensions <= p.Extensions) && (p.Customised || !customised)
}

var shortName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$`)

// The most that a plan may ask for, far above what makes sense.
const (
	mostDays  = 3660
	mostHours = 24 * mostDays
)

// Validate returns CodeInvalid naming the first field that is wrong.
func (p *Plan) Validate() error {
	if !shortName.MatchString(p.Name) {
		return Errorf(CodeInvalid, "plan name %q: want 1 to 63 of a-z, 0-9, '.' and '-'", p.Name)
	}
	if p.Title == "" || len(p.Title) > 100 {
		return Errorf(CodeInvalid, "plan title %q: want 1 to 100 characters", p.Title)
	}
	for _, figure := range []struct {
		name        string
		value, most int
	}{
		{"extensions", p.Extensions, 1_000_000}, {"cadence_days", p.CadenceDays, mostDays},
		{"soak_days", p.SoakDays, mostDays}, {"security_hours", p.SecurityHours, mostHours},
		{"wave_hours", p.WaveHours, mostHours}, {"urgent_hours", p.UrgentHours, mostHours},
	} {
		if figure.value < 0 || figure.value > figure.most {
			return Errorf(CodeInvalid, "%s %d: want 0 to %d", figure.name, figure.value, figure.most)
		}
	}
	return nil
}

// ValidClientName returns CodeInvalid for what cannot be a client's short name.
func ValidClientName(name string) error {
	if !shortName.MatchString(name) {
		return Errorf(CodeInvalid, "client %q: want 1 to 63 of a-z, 0-9, '.' and '-'", name)
	}
	return nil
}

// Consent says which updates of a site wait for somebody's yes.
type Consent string

// The consents.
const (
	NoConsent       Consent = ""         // none
	OrdinaryConsent Consent = "ordinary" // all but security updates
	FullConsent     Consent = "all"
)

// Subscription is a site under a plan since a date.
type Subscription struct {
	Site    SiteID    `json:"site"`
	Plan    string    `json:"plan"`
	Client  string    `json:"client,omitempty"`  // short name of whoever owns the site; "" when nobody said
	Consent Consent   `json:"consent,omitempty"` // what the client wants to be asked about
	Canary  Canary    `json:"canary,omitempty"`  // whether it may get releases first
	Since   time.Time `json:"since"`             // under this plan
}

// Validate returns CodeInvalid naming the first field that is wrong.
func (s *Subscription) Validate() error {
	if s.Client != "" {
		if err := ValidClientName(s.Client); err != nil {
			return err
		}
	}
	switch s.Canary {
	case MayBeCanary, Willing, NeverCanary:
	default:
		return Errorf(CodeInvalid, "canary %q: want willing or never, or none", s.Canary)
	}
	switch s.Consent {
	case NoConsent, OrdinaryConsent, FullConsent:
		return nil
	}
	return Errorf(CodeInvalid, "consent %q: want ordinary or all, or none", s.Consent)
}

// Sighting is when the fleet first knew of a release.
type Sighting struct {
	Component string    `json:"component"` // ref
	Version   Version   `json:"version"`
	Security  bool      `json:"security"`         // it is a security update for the site that asks
	Seen      time.Time `json:"seen"`             // on any site of the CMS
	Flagged   time.Time `json:"flagged,omitzero"` // known as a security update, on any site of the CMS
}

// Approval is somebody's yes to an update of a site.
type Approval struct {
	Site      SiteID    `json:"site"`
	Component string    `json:"component"` // ref
	Version   Version   `json:"version"`
	Actor     string    `json:"actor"`
	At        time.Time `json:"at"`
}

// Attempt is how often in a row an intervention that was due could not even be
// planned on a site, and why.
type Attempt struct {
	Site     SiteID    `json:"site"`
	Failures int       `json:"failures"` // 0: the last one could
	Tried    time.Time `json:"tried"`
	Why      string    `json:"why,omitempty"`
}

// FleetHold keeps interventions from beginning on any site.
type FleetHold struct {
	Actor   string    `json:"actor"`
	Because string    `json:"because,omitempty"`
	Since   time.Time `json:"since"`
}
