package intervention

import (
	"context"
	"errors"
	"strings"
	"time"

	"upkeep"
)

// Event codes, besides "state" and "cancel_asked", which the store writes.
const (
	EventStaged      = "staged"       // params: component, version
	EventConcerned   = "concerned"    // params: component, finding, files
	EventRefused     = "refused"      // params: component, version, why
	EventBackup      = "backup_made"  // params: moment, backup, files, bytes
	EventVerdict     = "verdict"      // params: ok, checks, failed
	EventCheckFailed = "check_failed" // params: code, subject, got, want
	EventCulprit     = "culprit"      // params: component, version
	EventTrial       = "trial"        // params: components, trial
	EventIdentity    = "identity"     // params: proven, digest, count of differences
	EventAlone       = "alone"        // params: why
	EventTimeOut     = "search_time_out"
	EventSick        = "search_sick" // params: page, got; the original does not answer either
)

// Task and hold codes.
const (
	TaskFailedUpdate = "examine_failed_update" // params: version, why
	TaskRefused      = "examine_refused"       // params: version, why
	TaskIncident     = "examine_incident"      // params: why
	ReasonFailed     = "failed_update"         // params: version, why
	ReasonRefused    = "refused_package"       // params: version, why
	KindEnded        = "intervention_ended"    // ledger: state, frozen seconds, outcomes
	KindBackup       = "backup_made"           // ledger: backup, moment, snapshot, manifest
	codeOutside      = "outside"               // check: the page as visitors see it after the thaw
	maxTrials        = 40                      // of a culprit search
	searchShare      = 0.6                     // of the longest freeze may go into searching
)

// step does what the current state is about and says which follows.
func (w *walk) step(ctx context.Context) (next, error) {
	if w.iv.State == upkeep.Planned {
		if w.cancelled() {
			return next{state: upkeep.Cancelled}, nil
		}
		return next{state: upkeep.Preparing}, nil
	}
	agent, err := w.reach(ctx)
	if err != nil {
		return next{}, err
	}
	if w.iv.State.Frozen() && w.iv.State != upkeep.Undoing && w.iv.State != upkeep.Thawing {
		if to, taken, err := w.takenBack(ctx, agent); err != nil || taken {
			return to, err
		}
	}
	switch w.iv.State {
	case upkeep.Preparing:
		return w.prepare(ctx, agent)
	case upkeep.Freezing:
		return w.freeze(ctx, agent)
	case upkeep.Securing:
		return w.secure(ctx, agent)
	case upkeep.Applying:
		return w.apply(ctx, agent)
	case upkeep.Verifying:
		return w.verify(ctx, agent)
	case upkeep.Undoing:
		return w.undo(ctx, agent)
	case upkeep.Thawing:
		return w.thaw(ctx, agent)
	default:
		return w.wrapUp(ctx, agent)
	}
}

func (w *walk) cancelled() bool { return !w.iv.CancelAt.IsZero() }

// askedToStop looks again whether a person cancelled.
func (w *walk) askedToStop(ctx context.Context) (bool, error) {
	iv, err := w.Records.Intervention(ctx, w.iv.ID)
	if err != nil {
		return false, err
	}
	w.iv.CancelAt = iv.CancelAt
	return w.cancelled(), nil
}

// takenBack notices that a person cancelled, or that the agent undid and
// thawed by itself because we were silent.
func (w *walk) takenBack(ctx context.Context, agent Agent) (next, bool, error) {
	open, frozen, alone, err := agent.Standing(ctx)
	if err != nil {
		return next{}, false, err
	}
	if alone != "" || !open || !frozen && w.iv.State != upkeep.Freezing {
		why := upkeep.Errorf(upkeep.CodeInterrupted, "the agent took the site back: %s", upkeep.Phrase(alone))
		if err := w.event(ctx, EventAlone, map[string]any{"why": alone, "why_text": upkeep.Text{Format: alone}.Param()}); err != nil {
			return next{}, false, err
		}
		return next{upkeep.Undoing, func(iv *upkeep.Intervention) { iv.Error, iv.Search = why, upkeep.Search{Started: true} }}, true, nil
	}
	stop, err := w.askedToStop(ctx)
	if err != nil || !stop {
		return next{}, false, err
	}
	return next{upkeep.Undoing, func(iv *upkeep.Intervention) { iv.Search = upkeep.Search{Started: true} }}, true, nil
}

// prepare does all that can be done while the site is live.
func (w *walk) prepare(ctx context.Context, agent Agent) (next, error) {
	limit, err := w.maxFrozen(ctx)
	if err != nil {
		return next{}, err
	}
	inventory, err := agent.Open(ctx, w.iv.ID, limit)
	if err != nil {
		return next{}, err
	}
	if err := sameVersions(inventory, w.iv.Batches); err != nil {
		return next{}, err
	}
	refused, err := w.stage(ctx, agent)
	if err != nil {
		return next{}, err
	}
	search := begin(w.iv.Batches, refused)
	notApplied := func(iv *upkeep.Intervention) {
		for ref, why := range refused {
			iv.Outcomes = append(iv.Outcomes, outcome(iv, ref, upkeep.NotApplied, upkeep.TextOf(why)))
		}
	}
	if len(search.Trying) == 0 {
		failed := upkeep.Errorf(upkeep.CodeRefused, "no package could be used")
		return next{upkeep.Failed, func(iv *upkeep.Intervention) { notApplied(iv); iv.Search, iv.Error = search, failed }}, nil
	}
	if err := agent.Warm(ctx); err != nil {
		return next{}, err
	}
	baseline, err := agent.Probe(ctx, inventory.Pages, false)
	if err != nil {
		return next{}, err
	}
	if stop, err := w.askedToStop(ctx); err != nil || stop {
		return next{state: upkeep.Cancelled}, err
	}
	note := func(iv *upkeep.Intervention) { notApplied(iv); iv.Baseline, iv.Search = baseline, search }
	return next{upkeep.Freezing, note}, nil
}

// stage has every package brought and checked. One that is not what it claims
// is held, with all that depends on it; the others go on.
func (w *walk) stage(ctx context.Context, agent Agent) (map[string]error, error) {
	refused := map[string]error{}
	for _, batch := range w.iv.Batches {
		for _, update := range batch.Updates {
			params := map[string]any{"component": update.Ref(), "version": string(update.Release.Version)}
			findings, err := agent.Stage(ctx, update)
			switch upkeep.CodeOf(err) {
			case "":
				err = errors.Join(w.event(ctx, EventStaged, params), w.eventsConcerned(ctx, update, findings))
			case upkeep.CodeUnreachable: // nobody's fault: the next intervention tries again
				if _, _, _, gone := agent.Standing(ctx); gone != nil {
					return nil, gone
				}
				refused[update.Ref()], params["why"], params["why_text"] = err, err.Error(), upkeep.TextOf(err).Param()
				err = w.event(ctx, EventRefused, params)
			case upkeep.CodeRefused, upkeep.CodeNotFound, upkeep.CodeUnauthorized, upkeep.CodeDamaged, upkeep.CodeHeld:
				refused[update.Ref()], params["why"], params["why_text"] = err, err.Error(), upkeep.TextOf(err).Param()
				err = errors.Join(w.refuse(ctx, update, err), w.event(ctx, EventRefused, params))
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return refused, nil
}

// eventsConcerned notes what an update concerns besides its component.
func (w *walk) eventsConcerned(ctx context.Context, update upkeep.Update, findings []upkeep.Finding) (err error) {
	for _, f := range findings {
		paths := f.Paths[:min(len(f.Paths), 10)]
		err = errors.Join(err, w.event(ctx, EventConcerned, map[string]any{"component": update.Ref(), "finding": f.Code, "files": strings.Join(paths, ", ")}))
	}
	return err
}

func (w *walk) freeze(ctx context.Context, agent Agent) (next, error) {
	at, err := agent.Freeze(ctx)
	if err != nil {
		return next{}, err
	}
	return next{upkeep.Securing, func(iv *upkeep.Intervention) { iv.FrozenAt = at }}, nil
}

func (w *walk) secure(ctx context.Context, agent Agent) (next, error) {
	backup, err := agent.Backup(ctx, w.iv.ID, upkeep.Before)
	if err != nil {
		return next{}, err
	}
	if err := w.eventBackup(ctx, backup); err != nil {
		return next{}, err
	}
	return next{upkeep.Applying, func(iv *upkeep.Intervention) { iv.Before = backup.ID }}, nil
}

func (w *walk) eventBackup(ctx context.Context, b *upkeep.Backup) error {
	err := w.Consequences.Enter(ctx, w.iv.Site, KindBackup, map[string]any{
		"backup": b.ID, "moment": b.Moment, "snapshot": b.Snapshot, "manifest": b.Manifest,
	})
	if err != nil {
		return err
	}
	return w.event(ctx, EventBackup, map[string]any{
		"moment": b.Moment, "backup": b.ID, "files": b.Files, "bytes": b.Bytes,
	})
}

func (w *walk) apply(ctx context.Context, agent Agent) (next, error) {
	if w.iv.Search.Trials > 0 && len(w.iv.Search.Trying) > 0 {
		refs := refsOf(w.iv.Batches, w.iv.Search.Trying)
		params := map[string]any{"components": refs, "trial": w.iv.Search.Trials + 1}
		if err := w.event(ctx, EventTrial, params); err != nil {
			return next{}, err
		}
	}
	if err := agent.Apply(ctx, w.standing()); err != nil {
		return next{}, err
	}
	return next{state: upkeep.Verifying}, nil
}

// standing returns the refs that are to stand now: what is kept and what is
// tried, in the order of the batches.
func (w *walk) standing() []string {
	return refsOf(w.iv.Batches, append(append([]int{}, w.iv.Search.Kept...), w.iv.Search.Trying...))
}

func (w *walk) verify(ctx context.Context, agent Agent) (next, error) {
	// Pages first: what they do to files, rows and logs is then read back.
	pages, err := agent.Compare(ctx, w.iv.Baseline)
	if err != nil {
		return next{}, err
	}
	checks, err := agent.ReadBack(ctx, w.standing())
	if err != nil {
		return next{}, err
	}
	verdict := &upkeep.Verdict{At: w.Now().UTC(), Checks: append(checks, pages...)}
	failures := verdict.Failures()
	params := map[string]any{"ok": verdict.OK(), "checks": len(verdict.Checks), "failed": len(failures)}
	if err := w.event(ctx, EventVerdict, params); err != nil {
		return next{}, err
	}
	if !verdict.OK() {
		return w.condemn(ctx, failures)
	}
	search := pass(w.iv.Search, w.iv.Batches)
	note := func(iv *upkeep.Intervention) { iv.Verdict, iv.Search = verdict, search }
	if len(search.Trying) > 0 {
		return next{upkeep.Applying, note}, nil
	}
	return next{upkeep.Thawing, note}, nil
}

func (w *walk) condemn(ctx context.Context, failures []upkeep.Check) (next, error) {
	for _, check := range failures[:min(len(failures), 5)] {
		err := w.event(ctx, EventCheckFailed, map[string]any{
			"code": check.Code, "subject": check.Subject, "got": check.Got, "got_text": check.Gave().Param(), "want": check.Want, "want_text": check.Wanted().Param(),
		})
		if err != nil {
			return next{}, err
		}
	}
	return next{upkeep.Undoing, func(iv *upkeep.Intervention) { noteFailure(iv, failures) }}, nil
}

// undo gives back the original, then tries what may still be good.
func (w *walk) undo(ctx context.Context, agent Agent) (next, error) {
	identity, err := agent.Undo(ctx)
	if err != nil {
		return next{}, err
	}
	proven := identity == nil || identity.Proven()
	if identity != nil {
		params := map[string]any{"proven": proven, "digest": identity.After, "count": len(identity.Differences)}
		if err := w.event(ctx, EventIdentity, params); err != nil {
			return next{}, err
		}
	}
	search := w.iv.Search
	if !proven || w.cancelled() || w.iv.Error != nil {
		search.Trying, search.Pending, search.Kept = nil, nil, nil
	} else if search, err = w.continued(ctx, search); err != nil {
		return next{}, err
	}
	note := func(iv *upkeep.Intervention) { iv.Identity, iv.Search = identity, search }
	if len(search.Trying)+len(search.Kept) > 0 {
		return w.fit(ctx, agent, note)
	}
	return next{upkeep.Thawing, note}, nil
}

// fit makes sure that the original works before more is tried on it: a site
// whose workers the last trial left busy would condemn the innocent.
func (w *walk) fit(ctx context.Context, agent Agent, note func(*upkeep.Intervention)) (next, error) {
	checks, err := agent.Compare(ctx, w.iv.Baseline)
	if err != nil {
		return next{}, err
	}
	for _, check := range checks {
		if check.OK {
			continue
		}
		err := w.event(ctx, EventSick, map[string]any{"page": check.Subject, "got": check.Got})
		return next{upkeep.Thawing, func(iv *upkeep.Intervention) {
			note(iv)
			iv.Search.Trying, iv.Search.Pending, iv.Search.Kept = nil, nil, nil
		}}, err
	}
	return next{upkeep.Applying, note}, nil
}

// continued decides the next trial after a failure, or that there is no time
// for one.
func (w *walk) continued(ctx context.Context, search upkeep.Search) (upkeep.Search, error) {
	guilty := len(search.Guilty)
	search = fail(search, w.iv.Batches, suspects(w.iv))
	for _, number := range search.Guilty[guilty:] {
		for _, ref := range refsOf(w.iv.Batches, []int{number}) {
			if err := w.event(ctx, EventCulprit, map[string]any{"component": ref}); err != nil {
				return search, err
			}
		}
	}
	limit, err := w.maxFrozen(ctx)
	if err != nil {
		return search, err
	}
	late := w.Now().Sub(w.iv.FrozenAt) > time.Duration(float64(limit)*searchShare)
	if (late || search.Trials > maxTrials) && len(search.Trying)+len(search.Kept) > 0 {
		search.Trying, search.Pending, search.Kept = nil, nil, nil
		return search, w.event(ctx, EventTimeOut, nil)
	}
	return search, nil
}

// thaw opens the gate. What stands and was found good is kept first, so that
// nothing undoes it once visitors can write again.
func (w *walk) thaw(ctx context.Context, agent Agent) (next, error) {
	if len(w.iv.Search.Kept) > 0 {
		err := agent.Commit(ctx)
		if code := upkeep.CodeOf(err); code == upkeep.CodeConflict || code == upkeep.CodeInterrupted {
			// The agent took it back while nobody was there to keep it.
			lost := upkeep.Errorf(upkeep.CodeInterrupted, "%w", err)
			return next{upkeep.Undoing, func(iv *upkeep.Intervention) { iv.Error, iv.Search = lost, upkeep.Search{Started: true} }}, nil
		}
		if err != nil {
			return next{}, err
		}
	}
	if err := agent.Thaw(ctx); err != nil {
		return next{}, err
	}
	at := w.Now().UTC()
	return next{upkeep.Concluding, func(iv *upkeep.Intervention) { iv.ThawedAt = at }}, nil
}

// wrapUp looks at the site from outside, makes the after-backup and removes
// what is left.
func (w *walk) wrapUp(ctx context.Context, agent Agent) (next, error) {
	outside, err := w.fromOutside(ctx, agent)
	if err != nil {
		return next{}, err
	}
	end := w.end(outside)
	after := upkeep.BackupID(0)
	if len(w.iv.Search.Kept) > 0 {
		backup, err := agent.Backup(ctx, w.iv.ID, upkeep.After)
		if err != nil {
			return next{}, err
		}
		after = backup.ID
		if err := w.eventBackup(ctx, backup); err != nil {
			return next{}, err
		}
	}
	if err := agent.Finish(ctx); err != nil {
		return next{}, err
	}
	return next{end, func(iv *upkeep.Intervention) {
		iv.After = after
		if iv.Verdict != nil {
			iv.Verdict.Checks = append(iv.Verdict.Checks, outside...)
		}
	}}, nil
}

// recovery is how long a thawed site may take to answer visitors again: its
// web server or database may just be starting.
const recovery = 30 * time.Second

// fromOutside sees the home page as a visitor does.
func (w *walk) fromOutside(ctx context.Context, agent Agent) ([]upkeep.Check, error) {
	if len(w.iv.Baseline) == 0 {
		return nil, nil
	}
	home := w.iv.Baseline[0]
	for {
		probes, err := agent.Probe(ctx, []upkeep.Page{home.Page}, false)
		if err != nil {
			return nil, err
		}
		got := probes[0]
		check := upkeep.Check{
			Code: codeOutside, Subject: home.Page.String(), OK: got.Status == home.Status,
			Want: statusText(home), Got: statusText(got),
		}
		if check.OK || w.Now().Sub(w.iv.ThawedAt) > recovery {
			return []upkeep.Check{check}, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// end names the end that an intervention comes to.
func (w *walk) end(outside []upkeep.Check) upkeep.State {
	touched := w.iv.Identity != nil || len(w.iv.Search.Kept) > 0
	unproven := w.iv.Identity != nil && !w.iv.Identity.Proven()
	for _, check := range outside {
		unproven = unproven || touched && !check.OK // what breaks a site that was not changed is not our doing
	}
	applied := len(refsOf(w.iv.Batches, w.iv.Search.Kept))
	all := 0
	for _, batch := range w.iv.Batches {
		all += len(batch.Updates)
	}
	switch {
	case unproven:
		return upkeep.Incident
	case applied == all:
		return upkeep.Done
	case applied > 0:
		return upkeep.Partial
	case w.iv.Identity != nil:
		return upkeep.Undone
	case w.cancelled():
		return upkeep.Cancelled
	}
	return upkeep.Failed
}
