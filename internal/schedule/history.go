package schedule

import (
	"slices"
	"time"

	"upkeep"
)

// What went wrong, as the parameter "because" of Retrying.
const (
	becauseUndone     = "intervention_undone"
	becauseFailed     = "intervention_failed"
	becauseCancelled  = "intervention_cancelled"
	becauseNotPlanned = "not_planned"
)

// The waits after something went wrong: they double with each time in a row.
const (
	firstWait   = time.Hour
	longestWait = 24 * time.Hour
	firstRepeat = 5 * time.Minute // when not even an intervention came of it
)

// Learn fills in what follows from a site's interventions, newest first, and
// from attempts of which none came.
func (in *Input) Learn(history []*upkeep.Intervention, attempt upkeep.Attempt) {
	in.Retry = Again(attempt)
	if len(history) == 0 {
		return
	}
	newest := history[0]
	switch id := newest.ID.String(); {
	case newest.State == upkeep.Incident:
		stop := Reason(AfterIncident, "id", id)
		in.Stop = &stop
	case !newest.State.Ended():
		stop := Reason(UnderWay, "id", id)
		in.Stop = &stop
	case newest.Ended.After(in.Surveyed):
		stop := Reason(SurveyDue, "id", id)
		in.Stop = &stop
	}
	if at := slices.IndexFunc(history, ordinary); at >= 0 {
		in.Last = history[at].Created
	}
	if because := wentWrong(newest); because != "" {
		failures := slices.IndexFunc(history, func(iv *upkeep.Intervention) bool { return wentWrong(iv) == "" })
		if failures < 0 {
			failures = len(history)
		}
		wait := doubled(firstWait, failures)
		if because == becauseCancelled { // a person wanted it so
			wait = longestWait
		}
		if until := newest.Ended.Add(wait); until.After(in.Retry.Until) {
			in.Retry = Retry{Until: until, Because: because}
		}
	}
}

// Again says when to try again after an attempt, zero when it went well.
func Again(attempt upkeep.Attempt) Retry {
	if attempt.Failures == 0 {
		return Retry{}
	}
	return Retry{Until: attempt.Tried.Add(doubled(firstRepeat, attempt.Failures)), Because: becauseNotPlanned}
}

func doubled(wait time.Duration, times int) time.Duration {
	for range times - 1 {
		if wait *= 2; wait >= longestWait {
			return longestWait
		}
	}
	return wait
}

// ordinary reports whether an intervention counts for the cadence: it froze
// the site for updates that no flaw asked for.
func ordinary(iv *upkeep.Intervention) bool {
	if iv.FrozenAt.IsZero() {
		return false
	}
	return slices.ContainsFunc(iv.Batches, func(b upkeep.Batch) bool {
		return slices.ContainsFunc(b.Updates, func(u upkeep.Update) bool { return !u.Security })
	})
}

// wentWrong says why the updates of an intervention, or some of them, are as
// ready after it as before, "" when they are not.
func wentWrong(iv *upkeep.Intervention) string {
	switch iv.State {
	case upkeep.Undone:
		return becauseUndone
	case upkeep.Failed:
		return becauseFailed
	case upkeep.Cancelled:
		return becauseCancelled
	case upkeep.Partial:
		if slices.ContainsFunc(iv.Outcomes, func(o upkeep.Outcome) bool { return o.Result == upkeep.NotApplied }) {
			return becauseUndone
		}
	}
	return ""
}
