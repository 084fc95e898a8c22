// Package engine runs durable jobs: each is a kind and a number, is done at
// least once however often processes die, and is never dropped. It stands on
// River, which nothing above it knows.
package engine

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"upkeep"
)

// Config says where jobs are kept and how they are run. All but the place may
// be left out.
type Config struct {
	Path string // of a SQLite file, absolute; it and its folder are made when absent
	URL  string // of a PostgreSQL database, in place of a file

	Clock    upkeep.Clock  // nil is the machine's
	Log      *slog.Logger  // nil is silent
	Parallel int           // jobs of one kind at once in this process; 0 is 8
	Timeout  time.Duration // after which a job is told to stop, and soon after given to another; 0 is 1 hour
	Grace    time.Duration // how long Run, when told to stop, lets jobs end by themselves; 0 tells them at once
	Beat     time.Duration // how often this process shows that it lives; 0 is 1 second
}

// missedBeats is how many beats a process may miss before it counts as dead
// and its jobs are given to others.
const missedBeats = 4

func (c Config) withDefaults() Config {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Parallel == 0 {
		c.Parallel = 8
	}
	if c.Timeout == 0 {
		c.Timeout = time.Hour
	}
	if c.Beat == 0 {
		c.Beat = time.Second
	}
	return c
}

// Job names a piece of work. What it is about is read from the records when it
// runs, so that a job is never out of date.
type Job struct {
	Kind string // "intervention"; letters, digits, "_"
	ID   int64
	At   time.Time // not before; zero is now
}

// Engine is an open queue of jobs. Its methods may be called concurrently, and
// other processes may have the same queue open and run jobs from it.
type Engine struct {
	dialect
	config  Config
	process string // unlike any other process, past or present

	jobs *sql.DB // River's
	own  *sql.DB // for what the engine does itself, each second

	inserter *river.Client[*sql.Tx]
	running  atomic.Pointer[river.Client[*sql.Tx]] // of Run, to wake its own workers
}

// Open opens the queue, and makes it when there is none. Of several processes
// that open a new one at once, one does the work and the others wait for it.
func Open(ctx context.Context, config Config) (_ *Engine, err error) {
	e := &Engine{config: config.withDefaults()}
	e.process = fmt.Sprintf("%d-%s", os.Getpid(), strings.ToLower(rand.Text()[:12]))
	if config.URL == "" {
		defer upkeep.Wrap(&err, "open queue %s", config.Path)
		err = e.openFile(ctx)
	} else {
		defer upkeep.Wrap(&err, "open queue in PostgreSQL")
		err = e.openServer(ctx)
	}
	if err == nil {
		e.inserter, err = river.NewClient(e.driver, &river.Config{Logger: e.config.Log})
	}
	if err != nil {
		return nil, errors.Join(translate(ctx, err), e.Close())
	}
	return e, nil
}

// Close closes the queue. Run must have returned.
func (e *Engine) Close() error {
	var errs []error
	for _, pool := range []*sql.DB{e.jobs, e.own} {
		if pool != nil {
			errs = append(errs, pool.Close())
		}
	}
	return errors.Join(errs...)
}

// Enqueue asks for a job. While the same job waits, it is that one, brought
// forward when it was to run later than job.At. While it runs, nothing is
// added: whatever runs answers "again" as long as there is more to do.
func (e *Engine) Enqueue(ctx context.Context, job Job) (err error) {
	defer upkeep.Wrap(&err, "enqueue %s %d", job.Kind, job.ID)
	if job.At.IsZero() {
		job.At = e.config.Clock()
	}
	result, err := e.insert(ctx, job)
	if err != nil || !result.UniqueSkippedAsDuplicate {
		return translate(ctx, err)
	}
	_, err = e.own.ExecContext(ctx, `UPDATE river_job SET scheduled_at = $1, state = 'available'
		WHERE id = $2 AND state IN ('available', 'scheduled', 'retryable') AND scheduled_at > $1`,
		e.stamp(job.At), result.Job.ID)
	return translate(ctx, err)
}

func (e *Engine) insert(ctx context.Context, job Job) (*rivertype.JobInsertResult, error) {
	client := e.running.Load()
	if client == nil {
		client = e.inserter
	}
	options := river.InsertOpts{
		MaxAttempts: recordedErrors + 1,
		Queue:       job.Kind,
		UniqueOpts:  river.UniqueOpts{ByArgs: true, ByState: unfinished()},
	}
	// River makes any job with a time wait for the next look at the schedule.
	if job.At.After(e.config.Clock()) {
		options.ScheduledAt = job.At
	}
	return client.Insert(ctx, args{Subject: job.Kind, ID: job.ID}, &options)
}

// unfinished lists the states in which a job keeps its like from being added.
func unfinished() []rivertype.JobState {
	return []rivertype.JobState{rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
		rivertype.JobStateRunning, rivertype.JobStateScheduled}
}
