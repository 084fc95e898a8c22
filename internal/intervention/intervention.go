// Package intervention carries one site from freeze to thaw: it decides what
// happens next, asks the agent to do it, and writes down what came of it. It
// knows no CMS. Every step may be interrupted at any instant and repeated.
package intervention

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"upkeep"
)

// Records keeps interventions and what they lead to.
type Records interface {
	Intervention(ctx context.Context, id upkeep.InterventionID) (*upkeep.Intervention, error)
	AdvanceIntervention(ctx context.Context, id upkeep.InterventionID, holder string, change [2]upkeep.State, edit func(*upkeep.Intervention) error) error
	UpdateIntervention(ctx context.Context, id upkeep.InterventionID, holder string, edit func(*upkeep.Intervention) error) error
	CreateEvent(ctx context.Context, event *upkeep.Event) error
}

// Consequences keeps what a person must know or do afterwards.
type Consequences interface {
	CreateHold(ctx context.Context, hold *upkeep.Hold) error
	CreateTask(ctx context.Context, task *upkeep.Task) error
	// Enter writes a line of the ledger.
	Enter(ctx context.Context, site upkeep.SiteID, kind string, facts map[string]any) error
}

// Leases gives one worker at a time the right to advance an intervention.
type Leases interface {
	AcquireLease(ctx context.Context, key, holder string, ttl time.Duration) error
	RenewLease(ctx context.Context, key, holder string, ttl time.Duration) error
	ReleaseLease(ctx context.Context, key, holder string) error
}

// Hosts reaches the agents of sites.
type Hosts interface {
	// Reach connects to the agent of an intervention's site, starting it when
	// needed. What another intervention does there meanwhile stays untouched.
	Reach(ctx context.Context, iv *upkeep.Intervention, progress func(upkeep.Progress)) (Agent, error)
}

// Agent is what an intervention asks of the agent of one site. All of it may
// be repeated.
type Agent interface {
	Changer
	Keeper
	Ender
}

// Changer changes a site and takes changes back.
type Changer interface {
	// Stage fetches the package of an update and has it unpacked and checked
	// beside the site. CodeRefused when it is not what it claims to be. It
	// returns what else of the site the update concerns.
	Stage(ctx context.Context, update upkeep.Update) ([]upkeep.Finding, error)
	// Freeze closes the gate and drains; it returns the instant from which on
	// nothing was written.
	Freeze(ctx context.Context) (time.Time, error)
	// Apply puts staged updates in place and migrates.
	Apply(ctx context.Context, refs []string) error
	// ReadBack says whether the site now is what Apply was to make of it.
	ReadBack(ctx context.Context, refs []string) ([]upkeep.Check, error)
	// Undo gives back the original and the proof of it, nil when nothing had
	// been changed.
	Undo(ctx context.Context) (*upkeep.Identity, error)
}

// Keeper looks at a site and keeps what it sees.
type Keeper interface {
	// Open begins the intervention at the agent and returns the inventory.
	Open(ctx context.Context, id upkeep.InterventionID, maxFrozen time.Duration) (*upkeep.Inventory, error)
	// Warm reads the live site into the vault, to make Backup short.
	Warm(ctx context.Context) error
	// Backup makes, verifies and records a backup.
	Backup(ctx context.Context, id upkeep.InterventionID, moment upkeep.Moment) (*upkeep.Backup, error)
	// Probe looks at pages. Through says whether to pass the closed gate.
	Probe(ctx context.Context, pages []upkeep.Page, through bool) ([]upkeep.Probe, error)
	// Compare judges pages now against what they were.
	Compare(ctx context.Context, before []upkeep.Probe) ([]upkeep.Check, error)
}

// Ender ends an intervention.
type Ender interface {
	// Standing says whether the intervention is open at the agent, whether
	// the site is frozen, and why the agent undid and thawed by itself, ""
	// when it did not.
	Standing(ctx context.Context) (open, frozen bool, alone string, err error)
	// Commit keeps the changes: from now on nothing undoes them by itself.
	Commit(ctx context.Context) error
	// Thaw opens the gate.
	Thaw(ctx context.Context) error
	// Finish removes what the intervention needed on the host.
	Finish(ctx context.Context) error
	// Close lets go of the agent.
	Close()
}

// Config is what a Runner needs.
type Config struct {
	Records      Records
	Consequences Consequences
	Leases       Leases
	Hosts        Hosts
	Policy       func(ctx context.Context, site upkeep.SiteID) (upkeep.Policy, error)
	Holder       string // this worker's name in leases
	Now          upkeep.Clock
	Log          *slog.Logger
}

// Runner advances interventions.
type Runner struct{ Config }

// leaseTime is how long a worker may be silent before another takes over.
const leaseTime = 10 * time.Second

// defaultMaxFrozen is the deadline of a freeze when the policy names none.
const defaultMaxFrozen = 15 * time.Minute

// Advance carries an intervention on until it ends. A worker that dies leaves
// it to another, which calls Advance again. It returns when to look again, 0
// when there is nothing more to do.
func (r *Runner) Advance(ctx context.Context, id upkeep.InterventionID) (again time.Duration, err error) {
	defer upkeep.Wrap(&err, "intervention %s", id)
	key := "intervention/" + id.String()
	if err := r.Leases.AcquireLease(ctx, key, r.Holder, leaseTime); err != nil {
		if upkeep.CodeOf(err) == upkeep.CodeConflict {
			return leaseTime / 2, nil // another worker has it
		}
		return 0, err
	}
	ctx, stop := r.keepLease(ctx, key)
	defer stop()
	iv, err := r.Records.Intervention(ctx, id)
	if err != nil || iv.State.Ended() {
		return 0, err
	}
	w := &walk{Runner: r, iv: iv}
	defer w.close()
	return w.steps(ctx)
}

// keepLease renews the lease until stop is called; when it is lost the
// returned context ends, and this worker stops where it is.
func (r *Runner) keepLease(ctx context.Context, key string) (context.Context, func()) {
	ctx, lost := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		tick := time.NewTicker(leaseTime / 4)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			if err := r.Leases.RenewLease(ctx, key, r.Holder, leaseTime); err != nil && upkeep.CodeOf(err) == upkeep.CodeConflict {
				lost(upkeep.Errorf(upkeep.CodeConflict, "another worker has taken over"))
				return
			}
		}
	}()
	return ctx, func() {
		close(done)
		if err := r.Leases.ReleaseLease(context.WithoutCancel(ctx), key, r.Holder); err != nil {
			r.Log.Warn("release lease", "key", key, "error", err)
		}
		lost(nil)
	}
}

// walk is one intervention being carried on by this worker.
type walk struct {
	*Runner
	iv    *upkeep.Intervention
	agent Agent
	shown time.Time // when progress was last written
	lost  time.Time // since when the agent cannot be reached, zero when it can
}

func (w *walk) close() {
	if w.agent != nil {
		w.agent.Close()
	}
}

// next is what a step decides: the state to go to and what to note with it.
type next struct {
	state upkeep.State
	note  func(*upkeep.Intervention)
}

// steps repeats the step of the current state until the intervention ends.
func (w *walk) steps(ctx context.Context) (again time.Duration, err error) {
	for !w.iv.State.Ended() {
		to, err := w.bounded(ctx)
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		if err != nil {
			w.Log.Warn("step", "intervention", w.iv.ID, "state", w.iv.State, "error", err)
			if w.mayComeBack(ctx, err) {
				continue
			}
			if to, again = w.troubled(err); again > 0 {
				w.letGo()
				return again, nil
			}
		}
		if err := w.become(ctx, to); err != nil {
			return 0, err
		}
		w.lost = time.Time{}
	}
	return 0, nil
}

// How long a step may take: one that changes or reads a whole site, one that
// the site is closed for beyond its deadline. An honest agent ends before; one
// in wrong hands must not keep a worker for good.
const (
	stepTime = 12 * time.Hour
	overtime = 2 * time.Minute
)

// bounded is step within its time. CodeUnreachable when that is over.
func (w *walk) bounded(ctx context.Context) (next, error) {
	limit := stepTime
	if w.iv.State.Frozen() && w.iv.State != upkeep.Undoing && w.iv.State != upkeep.Thawing {
		longest, err := w.maxFrozen(ctx)
		if err != nil {
			return next{}, err
		}
		limit = longest + overtime
	}
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	to, err := w.step(within)
	if err != nil && within.Err() != nil && ctx.Err() == nil {
		err = upkeep.Errorf(upkeep.CodeUnreachable, "the agent did not come to an end within %s", limit)
	}
	return to, err
}

// How long an agent that was reached and is not any more is looked for before
// the work is given up, and how often. What it did meanwhile it tells then.
const (
	comeBack = 45 * time.Second
	lookOut  = time.Second
)

// mayComeBack reports whether a step failed for no other reason than that the
// connection to the agent broke, and is to be repeated on a new one. From
// undoing on, steps are repeated anyway.
func (w *walk) mayComeBack(ctx context.Context, err error) bool {
	if upkeep.CodeOf(err) != upkeep.CodeUnreachable || w.iv.State != upkeep.Preparing && (!w.iv.State.Frozen() || w.iv.State == upkeep.Undoing || w.iv.State == upkeep.Thawing) {
		return false
	}
	if w.agent != nil {
		if _, _, _, gone := w.agent.Standing(ctx); gone == nil {
			return false // something else does not answer
		}
		if w.lost.IsZero() {
			w.lost = w.Now()
		}
		w.letGo()
	}
	if w.lost.IsZero() || w.Now().Sub(w.lost) > comeBack {
		return false
	}
	select {
	case <-ctx.Done():
	case <-time.After(lookOut):
	}
	return true
}

// letGo forgets the agent, so that the next try reaches it anew.
func (w *walk) letGo() {
	w.close()
	w.agent = nil
}

func (w *walk) become(ctx context.Context, to next) error {
	change := [2]upkeep.State{w.iv.State, to.state}
	if to.state.Ended() {
		// First, so that a worker that dies here leaves nothing unsaid: said
		// twice is better.
		if err := w.conclude(ctx, to); err != nil {
			return err
		}
	}
	err := w.Records.AdvanceIntervention(ctx, w.iv.ID, w.Holder, change, func(iv *upkeep.Intervention) error {
		if to.note != nil {
			to.note(iv)
		}
		iv.Progress = upkeep.Progress{}
		if to.state.Ended() {
			settleOutcomes(iv)
		}
		return nil
	})
	if err != nil {
		return err
	}
	w.iv, err = w.Records.Intervention(ctx, w.iv.ID)
	return err
}

// troubled decides what follows when a step ends in an error.
func (w *walk) troubled(err error) (to next, again time.Duration) {
	told := upkeep.Told(err)
	note := func(iv *upkeep.Intervention) {
		if iv.Error == nil {
			iv.Error = told
		}
	}
	switch w.iv.State {
	case upkeep.Planned, upkeep.Preparing:
		return next{upkeep.Failed, note}, 0
	case upkeep.Freezing, upkeep.Securing:
		return next{upkeep.Undoing, note}, 0
	case upkeep.Applying, upkeep.Verifying:
		if blameless(told.Code) {
			return next{upkeep.Undoing, func(iv *upkeep.Intervention) { note(iv); iv.Search = upkeep.Search{Started: true} }}, 0
		}
		failed := []upkeep.Check{{Code: "apply", Component: w.suspect(err)}}
		failed[0].Fail(err)
		return next{upkeep.Undoing, func(iv *upkeep.Intervention) { noteFailure(iv, failed) }}, 0
	}
	// From here on there is no other way than through: undo, thaw, conclude.
	// When that has not worked for long, a person must know; the agent goes on
	// trying to undo and thaw by itself.
	if w.stuck() {
		return next{upkeep.Incident, func(iv *upkeep.Intervention) { iv.Error = told }}, 0
	}
	return next{}, 2 * time.Second
}

// patience is how long an intervention tries to end before it is an incident.
const patience = time.Hour

func (w *walk) stuck() bool {
	since := w.iv.ThawedAt
	if since.IsZero() {
		since = w.iv.FrozenAt
	}
	if since.IsZero() {
		since = w.iv.Started
	}
	return w.Now().Sub(since) > patience
}

// blameless reports whether a code says that no update is at fault: nobody may
// hold a release because an agent died or a disk was full.
func blameless(code upkeep.Code) bool {
	return code == upkeep.CodeUnreachable || code == upkeep.CodeNoSpace || code == upkeep.CodeConflict
}

// reach connects to the agent once per walk.
func (w *walk) reach(ctx context.Context) (Agent, error) {
	if w.agent != nil {
		return w.agent, nil
	}
	agent, err := w.Hosts.Reach(ctx, w.iv, func(p upkeep.Progress) { w.progress(ctx, p) })
	if err != nil {
		return nil, err
	}
	w.agent = agent
	return agent, nil
}

// progress shows how far the step is, a few times a second.
func (w *walk) progress(ctx context.Context, p upkeep.Progress) {
	if w.Now().Sub(w.shown) < 250*time.Millisecond {
		return
	}
	w.shown = w.Now()
	err := w.Records.UpdateIntervention(ctx, w.iv.ID, w.Holder, func(iv *upkeep.Intervention) error {
		iv.Progress = p
		return nil
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		w.Log.Warn("progress", "intervention", w.iv.ID, "error", err)
	}
}

// event adds a line to the intervention's log.
func (w *walk) event(ctx context.Context, code string, params map[string]any) error {
	return w.Records.CreateEvent(ctx, &upkeep.Event{Intervention: w.iv.ID, State: w.iv.State, Code: code, Params: params})
}

func (w *walk) maxFrozen(ctx context.Context) (time.Duration, error) {
	policy, err := w.Policy(ctx, w.iv.Site)
	if err != nil || policy.MaxFrozen <= 0 {
		return defaultMaxFrozen, err
	}
	return time.Duration(policy.MaxFrozen), nil
}
