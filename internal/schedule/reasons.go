package schedule

import (
	"time"

	"upkeep"
)

// Codes of reasons. Each has a text per language in the catalogue, under
// "reason.<code>"; the names in braces are its params. Instants are in RFC 3339,
// in the zone that the window they belong to is written in.
const (
	InWindow      = "in_window"      // a window opens then {scope, subject}
	Soaking       = "soaking"        // the release is young {days, until}
	Cadence       = "cadence"        // the last intervention is not long ago {count, until}
	WaveSoaks     = "wave_soaks"     // the wave before ended well not long ago {wave, until}
	WaveBefore    = "wave_before"    // the wave before has not ended {wave}
	WaveBroken    = "wave_broken"    // too many failed in a wave {wave, count}
	ClosedDates   = "closed_dates"   // no intervention begins on these dates {note, until}
	Retrying      = "retrying"       // the last attempt went wrong {because, until}
	WithNeeded    = "with_needed"    // an update that it needs has to wait {component}
	AtDeadline    = "at_deadline"    // no window opens within the contractual delay: it begins without one {until}
	BeforeClosed  = "before_closed"  // closed dates would make it miss its delay: it begins before them {note}
	Insists       = "insists"        // the plan lets it go ahead on closed dates {note, until}
	WouldMiss     = "would_miss"     // closed dates make it miss its delay: a person decides {note, until, task}
	NeedsConsent  = "needs_consent"  // the client wants to be asked {task}
	NoPlan        = "no_plan"        // the site is under no plan
	NoWindow      = "no_window"      // no window is set for the site
	NeverOpen     = "never_open"     // no window opens in the years to come
	FleetHeld     = "fleet_held"     // a person holds the fleet {because}
	UnderWay      = "under_way"      // an intervention is under way {id}
	AfterIncident = "after_incident" // the last intervention ended in an incident {id}
	SurveyDue     = "survey_due"     // the inventory is from before the last intervention {id}
	SiteFrozen    = "site_frozen"    // it was frozen by hand
	NotKnown      = "not_known"      // publishers have never answered {why}
	NothingReady  = "nothing_ready"  // nothing waits that could be applied
)

// Tasks that are left to a person.
const (
	TaskConsent = "approve_updates"
	TaskDecide  = "decide_security"
	TaskRelease = "examine_release" // a wave failed, the release is held {version, failed, sites, why}
	TaskExamine = "examine_site"    // it could not be visited, again and again {why}
)

// Reason returns a reason with params given as name, value pairs.
func Reason(code string, params ...string) upkeep.Reason {
	r := upkeep.Reason{Code: code}
	for i := 0; i+1 < len(params); i += 2 {
		if r.Params == nil {
			r.Params = make(map[string]string)
		}
		r.Params[params[i]] = params[i+1]
	}
	return r
}

func instant(t time.Time, loc *time.Location) string { return t.In(loc).Format(time.RFC3339) }
