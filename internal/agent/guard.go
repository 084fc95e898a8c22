package agent

import (
	"context"
	"time"

	"upkeep"
	"upkeep/internal/agent/journal"
)

// guard keeps promise P2: it recovers what an earlier agent left, and takes
// everything back and thaws when the site was frozen for too long or nobody
// has given a sign of life. It returns when the agent has been idle.
func (a *Agent) guard(ctx context.Context) error {
	if err := a.recover(ctx); err != nil {
		a.config.Log.Error("recovery", "error", err)
	}
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if a.idle() {
			return nil
		}
		if why := a.overdue(); why != "" {
			if err := a.standAlone(ctx, why); err != nil {
				a.config.Log.Error("undoing alone", "error", err)
			}
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
	a.mu.Unlock()
	if s == nil {
		return ""
	}
	if limit := time.Duration(s.opened.Silence); limit > 0 && !running && silent > limit && s.unfinished() {
		return "silence"
	}
	since := s.frozenSince()
	if limit := time.Duration(s.opened.MaxFrozen); limit > 0 && !since.IsZero() && a.config.Now().Sub(since) > limit {
		return "deadline"
	}
	return ""
}

// standAlone ends what runs, undoes and thaws.
func (a *Agent) standAlone(ctx context.Context, why string) error {
	a.config.Log.Warn("acting alone", "why", why)
	a.mu.Lock()
	if a.running != nil {
		a.running(upkeep.Errorf(upkeep.CodeInterrupted, "the agent took the site back: %s", why))
	}
	a.mu.Unlock()
	a.turn.Lock()
	defer a.turn.Unlock()
	s, err := a.current()
	if err != nil || a.overdue() == "" {
		return nil // it ended meanwhile
	}
	return a.settle(ctx, s, why)
}

// recover settles the journal of an earlier agent.
func (a *Agent) recover(ctx context.Context) error {
	a.turn.Lock()
	defer a.turn.Unlock()
	s, err := a.resume(ctx)
	if err != nil || s == nil {
		return err
	}
	if !s.unfinished() {
		return nil
	}
	for wait := time.Second; ; wait = min(2*wait, 30*time.Second) {
		err := a.settle(ctx, s, "recovered")
		if err == nil || ctx.Err() != nil {
			return err
		}
		a.config.Log.Error("recovery, will try again", "in", wait, "error", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// settle leads an open journal to a thawed site: what was committed stays,
// all else is undone. With the database down it fails and leaves the gate
// closed: the site could answer nothing, and nothing may be written on top of
// a half-migrated database.
func (a *Agent) settle(ctx context.Context, s *session, why string) error {
	if s.changed() {
		if _, err := a.undo(ctx, s, nil); err != nil {
			return err
		}
	}
	if !s.frozen() {
		return nil
	}
	if err := a.thaw(s); err != nil {
		return err
	}
	s.alone = why
	return nil
}

// unfinished reports whether leaving the site as it is would break a promise.
func (s *session) unfinished() bool { return s.frozen() || s.changed() }

// changed reports whether changes stand that are neither undone nor committed.
func (s *session) changed() bool {
	entries := s.journal.Entries()
	end := journal.Last(entries, journal.Undone, journal.Commit)
	if end != nil && end.Op == journal.Commit {
		return false
	}
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
