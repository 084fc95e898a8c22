package upkeep

import (
	"time"
)

// Scope says for whom a window is, from the most general to the most specific.
type Scope string

// The scopes.
const (
	ForAgency Scope = "agency"
	ForPlan   Scope = "plan"
	ForClient Scope = "client"
	ForSite   Scope = "site"
)

// Scopes returns the scopes, the most specific first.
func Scopes() []Scope { return []Scope{ForSite, ForClient, ForPlan, ForAgency} }

// Window is when interventions may begin, or, closed, when none may. It is
// written in the local time of its zone, as people mean it: from 02:00 to
// 05:00 is that, on the night when clocks change too.
type Window struct {
	ID      int64    `json:"id"`
	Scope   Scope    `json:"scope"`
	Subject string   `json:"subject,omitempty"` // name of the plan, client or site; "" for the agency
	Closed  bool     `json:"closed,omitempty"`
	Begin   string   `json:"begin"`          // WallTime of the first
	Length  Duration `json:"length"`         // on the clock on the wall
	Rule    string   `json:"rule,omitempty"` // RFC 5545, such as "FREQ=WEEKLY;BYDAY=TU,TH"; "" is once
	Zone    string   `json:"zone"`           // "Europe/Paris"
	Note    string   `json:"note,omitempty"` // why, for people: "Noël"
}

// WallTime is the form of times on the clock on the wall, without a zone.
const WallTime = "2006-01-02T15:04"

// How long windows may be.
const (
	ShortestWindow = 30 * time.Minute // an intervention must have a chance to end within it
	LongestWindow  = 7 * 24 * time.Hour
	LongestClosed  = 366 * 24 * time.Hour
)

// Validate returns CodeInvalid naming the first field that is wrong, but for
// the rule and the zone, which it cannot read.
func (w *Window) Validate() error {
	switch w.Scope {
	case ForAgency:
		if w.Subject != "" {
			return Errorf(CodeInvalid, "a window of the agency is of nobody else: %q", w.Subject)
		}
	case ForPlan, ForClient, ForSite:
		if !shortName.MatchString(w.Subject) && w.Scope != ForSite || w.Subject == "" {
			return Errorf(CodeInvalid, "the window of a %s needs its name", string(w.Scope))
		}
	default:
		return Errorf(CodeInvalid, "scope %q: want agency, plan, client or site", string(w.Scope))
	}
	begin, err := time.Parse(WallTime, w.Begin)
	if err != nil || begin.Year() < 2000 || begin.Year() > 2199 {
		return Errorf(CodeInvalid, "begin %q: want a date and a time like 2026-12-01T02:00", w.Begin)
	}
	length, shortest, longest := time.Duration(w.Length), ShortestWindow, LongestWindow
	if w.Closed {
		shortest, longest = time.Minute, LongestClosed
	}
	if length < shortest || length > longest {
		return Errorf(CodeInvalid, "length %s: want %s to %s", length, shortest, longest)
	}
	if len(w.Note) > 200 || len(w.Rule) > 500 {
		return Errorf(CodeInvalid, "the rule or the note is too long")
	}
	return nil
}

// Slot is one occurrence of a window: from Start up to, not including, End.
type Slot struct {
	Start  time.Time `json:"start"`
	End    time.Time `json:"end"`
	Window *Window   `json:"window"`
}

// Turn is when an update may be applied, at the earliest.
type Turn struct {
	Ref      string    `json:"ref"`
	Version  Version   `json:"version"`
	Security bool      `json:"security,omitempty"`
	At       time.Time `json:"at,omitzero"`       // zero: not by itself
	Until    time.Time `json:"until,omitzero"`    // it has to begin before; zero is no limit
	Deadline time.Time `json:"deadline,omitzero"` // contractual
	Reasons  []Reason  `json:"reasons,omitempty"`
}

// Appointment is when the next intervention on a site may begin, and with what.
type Appointment struct {
	At       time.Time `json:"at,omitzero"`       // zero: not by itself
	Until    time.Time `json:"until,omitzero"`    // it has to begin before; zero is no limit
	Deadline time.Time `json:"deadline,omitzero"` // the first contractual one of what waits
	Security bool      `json:"security,omitempty"`
	Refs     []string  `json:"refs,omitempty"` // of the updates that it is of
	Reasons  []Reason  `json:"reasons,omitempty"`
	Turns    []Turn    `json:"turns,omitempty"` // of every update that is ready
}
