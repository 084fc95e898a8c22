package engine

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/riverqueue/river"
)

// Worker does the jobs of one kind.
type Worker struct {
	// Work does one short piece of the job and may be cut short or repeated
	// at any point. again > 0 asks to be called again after that long; zero
	// says the job is finished. After an error it is called again, later and
	// later up to a minute. ctx ends when the job takes too long or the
	// process is told to stop.
	Work func(ctx context.Context, id int64) (again time.Duration, err error)

	// Stale, if not nil, lists what is unfinished and that nobody holds. It
	// is asked every second; what has no job gets one. So an enqueuing that
	// was lost, and even the loss of the whole queue, is made good.
	Stale func(ctx context.Context) ([]int64, error)
}

// args is the one kind of job that River knows.
type args struct {
	Subject string `json:"kind"`
	ID      int64  `json:"id"`
}

// Kind implements river.JobArgs.
func (args) Kind() string { return "upkeep" }

const (
	// recordedErrors is how many errors a job keeps. From then on it still
	// is tried again, but a row that grows with each error is not rewritten
	// for ever.
	recordedErrors = 20
	maxBackoff     = time.Minute

	soon = time.Second // a wait that is not worth a turn through the queue
	turn = time.Minute // how long a job may keep its place so
)

// worker adapts our workers to River.
type worker struct {
	river.WorkerDefaults[args]
	engine  *Engine
	workers map[string]Worker
	stop    context.Context // ends when Run is told to stop
}

// Timeout implements river.Worker.
func (w *worker) Timeout(*river.Job[args]) time.Duration { return w.engine.config.Timeout }

// NextRetry implements river.Worker.
func (w *worker) NextRetry(job *river.Job[args]) time.Time {
	return w.engine.config.Clock().Add(backoff(job.Attempt))
}

// backoff doubles from one second to a minute.
func backoff(attempt int) time.Duration {
	if attempt < 1 || attempt > 6 {
		return maxBackoff
	}
	return time.Second << (attempt - 1)
}

// Work implements river.Worker.
func (w *worker) Work(ctx context.Context, job *river.Job[args]) error {
	again, err := w.callOften(ctx, job.Args)
	switch {
	case err == nil && again > 0:
		return river.JobSnooze(again)
	case err == nil:
		return nil
	case w.stop.Err() != nil:
		// Not its fault: whoever runs next takes it at once.
		return river.JobSnooze(0)
	case job.Attempt >= recordedErrors:
		w.engine.config.Log.WarnContext(ctx, "job failed again", "kind", job.Args.Subject, "id", job.Args.ID, "error", err)
		return river.JobSnooze(maxBackoff)
	}
	return err
}

// callOften calls a worker again by itself while it asks for that soon: a turn
// through the queue takes longer, and a site may be frozen meanwhile. After a
// while it lets others have their turn.
func (w *worker) callOften(ctx context.Context, job args) (again time.Duration, err error) {
	for begin := w.engine.config.Clock(); ; {
		again, err = call(ctx, w.workers[job.Subject], job.ID)
		if err != nil || again <= 0 || again > soon || w.engine.config.Clock().Sub(begin) > turn {
			return again, err
		}
		select {
		case <-time.After(again):
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-w.stop.Done():
			return 0, context.Cause(w.stop)
		}
	}
}

// call runs a worker. A panic is that job's error: others run on.
func call(ctx context.Context, worker Worker, id int64) (again time.Duration, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
		}
	}()
	return worker.Work(ctx, id)
}

var _ river.Worker[args] = (*worker)(nil)

// states of River's that a tick moves jobs between, as SQL lists.
const (
	waiting  = `'scheduled', 'retryable'`
	finished = `'completed', 'cancelled', 'discarded'`
	pending  = `'available', 'pending', 'running', ` + waiting
)
