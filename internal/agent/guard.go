package agent

import (
	"context"
	"time"

	"upkeep"
	"upkeep/internal/agent/journal"
)

// How long the guard waits.
const (
	glance    = 250 * time.Millisecond // between two looks
	rest      = 30 * time.Second       // at most, after an undo that did not succeed
	courtesy  = 2 * time.Second        // for an operation that was told to end
	stubborn  = 30 * time.Second       // until an operation that does not end costs the agent its life
	awaitBack = time.Minute            // for the vault after a start, whatever the deadline
)

// guard keeps promise P2: it settles what an earlier agent left, and takes
// everything back and thaws when the site was frozen for too long or nobody
// has given a sign of life. It returns when the agent has been idle, and with
// an error when only another process can go on.
func (a *Agent) guard(ctx context.Context) error {
	tick := time.NewTicker(glance)
	defer tick.Stop()
	var next time.Time
	for wait := time.Second; ; {
		if a.idle() {
			return nil
		}
		if why := a.overdue(); why != "" && !time.Now().Before(next) {
			stuck, err := a.standAlone(ctx, why)
			if stuck {
				return err
			}
			next, wait = time.Now().Add(wait), min(2*wait, rest)
			if err == nil {
				next, wait = time.Time{}, time.Second
			} else {
				a.config.Log.Error("undoing alone, will try again", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// idle reports whether there has been nothing to do for the configured time.
func (a *Agent) idle() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.session != nil || a.running != nil {
		return false
	}
	return a.leaving || a.config.Idle > 0 && a.config.Now().Sub(a.lastSign) > a.config.Idle
}

// overdue says why the agent must act alone, or "".
func (a *Agent) overdue() string {
	a.mu.Lock()
	s, running, silent := a.session, a.running != nil, a.config.Now().Sub(a.lastSign)
	alone := ""
	if s != nil {
		alone = s.alone
	}
	a.mu.Unlock()
	switch {
	case s == nil || !s.unfinished():
		return ""
	case alone != "": // begun, and not ended yet
		return alone
	case s.opened.Silence > 0 && !running && silent > time.Duration(s.opened.Silence):
		return "silence"
	case a.late(s):
		return "deadline"
	}
	return ""
}

// late reports whether the site is frozen for longer than was agreed.
func (a *Agent) late(s *session) bool {
	limit, since := time.Duration(s.opened.MaxFrozen), s.frozenSince()
	return limit > 0 && !since.IsZero() && a.config.Now().Sub(since) > limit
}

// standAlone ends what runs, undoes and thaws. It is stuck when what runs does
// not end: the process must, and the next one recovers.
func (a *Agent) standAlone(ctx context.Context, why string) (stuck bool, err error) {
	if !a.interrupt(why) {
		return true, upkeep.Errorf(upkeep.CodeInternal, "an operation does not end")
	}
	defer a.turn.Unlock()
	s, err := a.current()
	if err != nil || !s.unfinished() {
		return false, nil // it ended meanwhile
	}
	a.adoptKnown()
	return false, a.settle(ctx, s)
}

// interrupt notes why the site is taken back, so that nothing new begins,
// ends what runs, and takes the turn. It reports whether it got it.
func (a *Agent) interrupt(why string) bool {
	a.mu.Lock()
	if s := a.session; s != nil {
		if s.alone == "" {
			a.config.Log.Warn("acting alone", "why", why)
			s.alone = why
		}
	}
	if a.running != nil {
		a.running(upkeep.Errorf(upkeep.CodeInterrupted, "the agent took the site back: %s", upkeep.Phrase(why)))
	}
	a.mu.Unlock()
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		waited := time.Since(began)
		switch {
		case a.turn.TryLock():
			return true
		case waited > stubborn:
			return false
		case waited > courtesy:
			a.cutBlobs() // a control plane that was stopped neither reads nor closes
		}
	}
}

// cutBlobs ends the connection to the vault.
func (a *Agent) cutBlobs() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.blobs != nil {
		_ = a.blobs.Close() // closed twice is closed
	}
}

// recover takes up the journal of an earlier agent. The guard settles it.
func (a *Agent) recover(ctx context.Context) error {
	a.turn.Lock()
	defer a.turn.Unlock()
	s, err := a.resume(ctx)
	if err != nil || s == nil || !s.unfinished() {
		return err
	}
	a.config.Log.Warn("acting alone", "why", "recovered")
	a.mu.Lock()
	s.alone = "recovered"
	a.mu.Unlock()
	return nil
}

// settle leads an open journal to a thawed site: what was committed stays,
// all else is undone. With the database down it fails and leaves the gate
// closed: the site could answer nothing, and nothing may be written on top of
// a half-migrated database. Files that only the vault can bring back are
// waited for until the deadline.
func (a *Agent) settle(ctx context.Context, s *session) error {
	if s.changed() {
		identity, err := a.takeBack(ctx, s, func(upkeep.Progress) {})
		if err != nil {
			return err
		}
		if err := s.note(journal.Undone, identity); err != nil {
			return err
		}
	}
	if err := a.thaw(s); err != nil {
		return err
	}
	if s.opened.Intervention != 0 {
		return nil // its control plane reads what became of it, and closes
	}
	return a.end(s)
}

// final reports whether the site must be thawed however it is. A clock that
// was set back does not put that off: this agent's own life is counted too.
func (a *Agent) final(s *session) bool {
	limit, lived := time.Duration(s.opened.MaxFrozen), a.config.Now().Sub(a.started)
	if limit <= 0 || !s.frozen() {
		return true
	}
	return a.late(s) && lived > awaitBack || lived > limit+awaitBack
}

// ours refuses to go on with a site that the agent takes back by itself.
func (a *Agent) ours(s *session) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s.alone != "" {
		return upkeep.Errorf(upkeep.CodeInterrupted, "the agent took the site back: %s", upkeep.Phrase(s.alone))
	}
	return nil
}

// working returns the open session, unless the agent takes it back.
func (a *Agent) working() (*session, error) {
	s, err := a.current()
	if err != nil {
		return nil, err
	}
	return s, a.ours(s)
}

// changeable returns the open session when the site may be changed: frozen,
// and with a state that an undo goes back to.
func (a *Agent) changeable() (*session, error) {
	s, err := a.working()
	if err != nil {
		return nil, err
	}
	if !s.frozen() || !s.secured() || s.committed() {
		return nil, upkeep.Errorf(upkeep.CodeConflict, "the site is not frozen and backed up")
	}
	return s, nil
}

// secured reports whether there is a state to go back to, of this freeze.
func (s *session) secured() bool {
	last := journal.Last(s.journal.Entries(), journal.Secured, journal.Thawed)
	return last != nil && last.Op == journal.Secured
}

// committed reports whether the changes are kept.
func (s *session) committed() bool {
	end := journal.Last(s.journal.Entries(), journal.Undone, journal.Commit)
	return end != nil && end.Op == journal.Commit
}

// unfinished reports whether leaving the site as it is would break a promise.
func (s *session) unfinished() bool { return s.frozen() || s.changed() }

// changed reports whether changes stand that are neither undone nor committed.
func (s *session) changed() bool {
	if s.committed() {
		return false
	}
	entries := s.journal.Entries()
	end := journal.Last(entries, journal.Undone)
	change := journal.Last(entries, journal.Aside, journal.Migrate)
	return change != nil && (end == nil || end.Seq < change.Seq)
}

// frozenSince returns when the gate began to close, zero when it is open.
func (s *session) frozenSince() time.Time {
	if !s.frozen() {
		return time.Time{}
	}
	var since time.Time
	for _, e := range s.journal.Entries() {
		switch {
		case e.Op == journal.Thawed:
			since = time.Time{}
		case (e.Op == journal.Gate || e.Op == journal.Mode) && since.IsZero():
			since = e.At
		}
	}
	return since
}
