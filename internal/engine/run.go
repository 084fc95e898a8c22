package engine

import (
	"context"
	"database/sql"
	"time"

	"github.com/riverqueue/river"

	"upkeep"
)

const (
	poll      = 500 * time.Millisecond // how soon a job enqueued while jobs run is seen
	retention = 24 * time.Hour         // how long finished jobs stay to be looked at
	lastCall  = 10 * time.Second       // how long a job that was told to stop may take to do so
)

// Run does jobs of the given kinds until ctx ends, then tells those that run
// to stop and returns nil when they have. Several processes may run the same
// kinds; each job is done by one at a time, and those of a process that died
// are given to another within seconds.
func (e *Engine) Run(ctx context.Context, workers map[string]Worker) (err error) {
	defer upkeep.Wrap(&err, "run jobs")
	// The first beat goes before the first job: jobs of a process without
	// one are taken away from it.
	if err := e.enter(ctx); err != nil || ctx.Err() != nil { // or told to stop before it began
		return err
	}
	client, err := e.client(ctx, workers)
	if err != nil {
		return err
	}
	// River must not see ctx end by itself: it would stop without grace.
	if err := client.Start(context.WithoutCancel(ctx)); err != nil {
		return translate(ctx, err)
	}
	e.running.Store(client)
	e.beat(ctx, workers)
	e.running.Store(nil)
	return e.stop(context.WithoutCancel(ctx), client)
}

// enter ticks for the first time. Another process that holds the queue up, such
// as one that was suspended in the middle of its own tick, is waited for.
func (e *Engine) enter(ctx context.Context) error {
	for {
		err := translate(ctx, e.tick(ctx))
		if ctx.Err() != nil {
			return nil
		}
		if upkeep.CodeOf(err) != upkeep.CodeConflict {
			return err
		}
		e.config.Log.WarnContext(ctx, "queue is held up, tried again", "error", err)
	}
}

// client returns a River client for the kinds, a queue each. Leadership is
// switched off: what River's leader does (due jobs, jobs of the dead, old jobs)
// a tick of ours does in every process, in milliseconds instead of seconds and
// without waiting for the lease of a leader that died.
func (e *Engine) client(ctx context.Context, workers map[string]Worker) (*river.Client[*sql.Tx], error) {
	bundle := river.NewWorkers()
	river.AddWorker(bundle, &worker{engine: e, workers: workers, stop: ctx})
	queues := map[string]river.QueueConfig{}
	for kind := range workers {
		queues[kind] = river.QueueConfig{MaxWorkers: e.config.Parallel}
	}
	return river.NewClient(e.driver, &river.Config{
		ID:                     e.process,
		FetchPollInterval:      poll,
		JobTimeout:             e.config.Timeout,
		LeaderElectionDisabled: true,
		Logger:                 e.config.Log,
		PollOnly:               true,
		Queues:                 queues,
		RescueStuckJobsAfter:   2 * e.config.Timeout,
		Workers:                bundle,
	})
}

// stop lets running jobs end within the grace, then tells them to.
func (e *Engine) stop(ctx context.Context, client *river.Client[*sql.Tx]) error {
	if e.config.Grace > 0 {
		grace, cancel := context.WithTimeout(ctx, e.config.Grace)
		defer cancel()
		if client.Stop(grace) == nil {
			return e.leave(ctx)
		}
	}
	last, cancel := context.WithTimeout(ctx, lastCall)
	defer cancel()
	if err := client.StopAndCancel(last); err != nil {
		return upkeep.Errorf(upkeep.CodeInterrupted, "a job does not stop: %w", err).
			WithHint("It is repeated from its last recorded step when jobs run again.")
	}
	return e.leave(ctx)
}

// leave takes back this process's beat, so that nobody waits for the next.
func (e *Engine) leave(ctx context.Context) error {
	_, err := e.own.ExecContext(ctx, `DELETE FROM process WHERE id = $1`, e.process)
	return translate(ctx, err)
}

// Alive returns how many processes run jobs of this queue now.
func (e *Engine) Alive(ctx context.Context) (count int, err error) {
	defer upkeep.Wrap(&err, "look who runs jobs")
	dead := e.config.Clock().Add(-missedBeats * e.config.Beat).UnixMicro()
	err = e.own.QueryRowContext(ctx, `SELECT count(*) FROM process WHERE beat >= $1`, dead).Scan(&count)
	return count, translate(ctx, err)
}

// beat ticks until ctx ends. A tick that fails is tried again at the next: the
// jobs under way do not depend on it, and if it goes on, others take them over.
func (e *Engine) beat(ctx context.Context, workers map[string]Worker) {
	ticker := time.NewTicker(e.config.Beat)
	defer ticker.Stop()
	for {
		err := e.tick(ctx)
		for kind, worker := range workers {
			if err == nil && worker.Stale != nil {
				err = e.reconcile(ctx, kind, worker.Stale)
			}
		}
		if err != nil && ctx.Err() == nil {
			e.config.Log.WarnContext(ctx, "queue tick, tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// tick shows that this process lives, gives the jobs of dead processes and
// those that take far too long to whoever is free, makes due jobs available
// and forgets old ones.
func (e *Engine) tick(ctx context.Context) error {
	tx, err := e.own.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	now, err := e.await(ctx, tx)
	if err != nil {
		return err
	}
	dead := now.Add(-missedBeats * e.config.Beat).UnixMicro()
	for _, step := range []struct {
		text string
		args []any
	}{
		{`INSERT INTO process (id, beat) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET beat = excluded.beat`,
			[]any{e.process, now.UnixMicro()}},
		{`DELETE FROM process WHERE beat < $1`, []any{dead}},
		{`UPDATE river_job SET state = 'available', scheduled_at = $1 WHERE state = 'running' AND (attempted_at < $2
			OR ` + e.holder + ` NOT IN (SELECT id FROM process))`,
			[]any{e.stamp(now), e.stamp(now.Add(-e.config.Timeout - time.Minute))}},
		{`UPDATE river_job SET state = 'available' WHERE state IN (` + waiting + `) AND scheduled_at <= $1`,
			[]any{e.stamp(now)}},
		{`DELETE FROM river_job WHERE state IN (` + finished + `) AND finalized_at < $1`,
			[]any{e.stamp(now.Add(-retention))}},
	} {
		if _, err := tx.ExecContext(ctx, step.text, step.args...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// reconcile enqueues what is stale and has no unfinished job. A job that waits
// keeps its time.
func (e *Engine) reconcile(ctx context.Context, kind string, stale func(context.Context) ([]int64, error)) (err error) {
	defer upkeep.Wrap(&err, "reconcile %s", kind)
	ids, err := stale(ctx)
	if err != nil || len(ids) == 0 {
		return err
	}
	queued, err := e.queued(ctx, kind)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if queued[id] {
			continue
		}
		if _, err := e.insert(ctx, Job{Kind: kind, ID: id, At: e.config.Clock()}); err != nil {
			return err
		}
	}
	return nil
}

// queued returns the numbers of the unfinished jobs of a kind.
func (e *Engine) queued(ctx context.Context, kind string) (map[int64]bool, error) {
	rows, err := e.own.QueryContext(ctx,
		`SELECT `+e.subject+` FROM river_job WHERE queue = $1 AND state IN (`+pending+`)`, kind)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	ids := map[int64]bool{}
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids[id] = true
	}
	return ids, rows.Err()
}
