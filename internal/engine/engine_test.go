package engine_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/engine"
	"upkeep/internal/upkeeptest/postgres"
)

// server is the PostgreSQL of all tests.
var server postgres.Server

// TestMain lets the test binary be the second process of a test.
func TestMain(m *testing.M) {
	if os.Getenv("ENGINE_TEST_CHILD") == "" {
		os.Exit(server.Run(m))
	}
	runChild(os.Getenv("ENGINE_TEST_CHILD"), os.Getenv("ENGINE_TEST_PLACE"))
}

const patience = 20 * time.Second

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// kind is one of the databases that a queue may be in.
type kind string

const (
	sqlite     kind = "sqlite"
	postgresql kind = "postgresql"
)

// newPlace returns where a new queue may be: a path, or an address.
func newPlace(t *testing.T, on kind) string {
	t.Helper()
	if on == postgresql {
		address, _ := server.Database(t)
		return address
	}
	return filepath.Join(t.TempDir(), "state", "queue.db")
}

func at(place string, config engine.Config) engine.Config {
	if strings.HasPrefix(place, "postgres:") {
		config.URL = place
	} else {
		config.Path = place
	}
	return config
}

func open(t *testing.T, place string, config engine.Config) *engine.Engine {
	t.Helper()
	e, err := engine.Open(t.Context(), at(place, config))
	must(t, err)
	t.Cleanup(func() { must(t, e.Close()) })
	return e
}

// run runs jobs of the kind "k" until the test ends or stop is called.
func run(t *testing.T, e *engine.Engine, worker engine.Worker) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx, map[string]engine.Worker{"k": worker}) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			must(t, err)
		case <-time.After(patience):
			t.Error("Run does not end")
		}
	})
	t.Cleanup(stop)
	return stop
}

// receive waits for the next value.
func receive[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case value := <-from:
		return value
	case <-time.After(patience):
		t.Fatalf("%s: nothing came", what)
		panic("unreachable")
	}
}

func enqueue(t *testing.T, e *engine.Engine, job engine.Job) {
	t.Helper()
	must(t, e.Enqueue(t.Context(), job))
}

func testRunsJobsAndAgain(t *testing.T, on kind) {
	e := open(t, newPlace(t, on), engine.Config{})
	enqueue(t, e, engine.Job{Kind: "k", ID: 7}) // before anything runs
	calls := make(chan int64, 10)
	var count atomic.Int64
	run(t, e, engine.Worker{Work: func(_ context.Context, id int64) (time.Duration, error) {
		calls <- id
		if count.Add(1) < 3 {
			return time.Millisecond, nil
		}
		return 0, nil
	}})
	for range 3 {
		if id := receive(t, calls, "call"); id != 7 {
			t.Errorf("got job %d", id)
		}
	}
	enqueue(t, e, engine.Job{Kind: "k", ID: 8})
	if id := receive(t, calls, "second job"); id != 8 { // 7 was not called a fourth time
		t.Errorf("got job %d", id)
	}
}

func testUniqueWhileUnfinished(t *testing.T, on kind) {
	e := open(t, newPlace(t, on), engine.Config{})
	for range 3 {
		enqueue(t, e, engine.Job{Kind: "k", ID: 1})
	}
	enqueue(t, e, engine.Job{Kind: "k", ID: 2})
	calls, release := make(chan int64, 10), make(chan struct{}, 10)
	run(t, e, engine.Worker{Work: func(ctx context.Context, id int64) (time.Duration, error) {
		calls <- id
		<-release
		return 0, nil
	}})
	if first, second := receive(t, calls, "first"), receive(t, calls, "second"); first+second != 3 {
		t.Errorf("got jobs %d and %d", first, second)
	}
	enqueue(t, e, engine.Job{Kind: "k", ID: 1}) // it runs: nothing is added
	enqueue(t, e, engine.Job{Kind: "k", ID: 3})
	if third := receive(t, calls, "third"); third != 3 {
		t.Errorf("got job %d", third)
	}
	for range 3 {
		release <- struct{}{}
	}
	// Once finished it may be asked for again. That it finished shows only in
	// that asking has effect.
	deadline := time.After(patience)
	for {
		enqueue(t, e, engine.Job{Kind: "k", ID: 1})
		select {
		case id := <-calls:
			release <- struct{}{}
			if id != 1 {
				t.Errorf("got job %d", id)
			}
			return
		case <-deadline:
			t.Fatal("a finished job cannot be enqueued again")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func testEnqueueBringsForward(t *testing.T, on kind) {
	e := open(t, newPlace(t, on), engine.Config{})
	calls := make(chan int64, 10)
	run(t, e, engine.Worker{
		Work: func(_ context.Context, id int64) (time.Duration, error) {
			calls <- id
			return time.Hour, nil // waits for its window
		},
		Stale: func(context.Context) ([]int64, error) { return []int64{1}, nil }, // must not bring it forward
	})
	enqueue(t, e, engine.Job{Kind: "k", ID: 2, At: time.Now().Add(time.Hour)})
	receive(t, calls, "stale one")
	enqueue(t, e, engine.Job{Kind: "k", ID: 1, At: time.Now().Add(2 * time.Hour)}) // later: no change
	enqueue(t, e, engine.Job{Kind: "k", ID: 2})
	if id := receive(t, calls, "brought forward"); id != 2 {
		t.Errorf("got job %d", id)
	}
}

func testErrorsAndPanicsAreRetried(t *testing.T, on kind) {
	e := open(t, newPlace(t, on), engine.Config{})
	enqueue(t, e, engine.Job{Kind: "k", ID: 1})
	at := make(chan time.Time, 10)
	var count atomic.Int64
	run(t, e, engine.Worker{Work: func(context.Context, int64) (time.Duration, error) {
		at <- time.Now()
		switch count.Add(1) {
		case 1:
			return 0, errors.New("not yet")
		case 2:
			panic("worse")
		}
		return 0, nil
	}})
	first, second, third := receive(t, at, "first"), receive(t, at, "second"), receive(t, at, "third")
	if wait := second.Sub(first); wait < 900*time.Millisecond {
		t.Errorf("tried again after %v", wait)
	}
	if wait := third.Sub(second); wait < 1900*time.Millisecond {
		t.Errorf("tried a third time after %v", wait)
	}
}

func testTimeoutIsTold(t *testing.T, on kind) {
	e := open(t, newPlace(t, on), engine.Config{Timeout: 100 * time.Millisecond})
	enqueue(t, e, engine.Job{Kind: "k", ID: 1})
	calls := make(chan error, 10)
	run(t, e, engine.Worker{Work: func(ctx context.Context, _ int64) (time.Duration, error) {
		<-ctx.Done()
		calls <- ctx.Err()
		return 0, ctx.Err()
	}})
	receive(t, calls, "timeout")
	receive(t, calls, "timeout again") // it was not dropped
}

func testStaleGetsAJob(t *testing.T, on kind) {
	e := open(t, newPlace(t, on), engine.Config{Beat: 50 * time.Millisecond})
	calls := make(chan int64, 10)
	var asked atomic.Int64
	run(t, e, engine.Worker{
		Work: func(_ context.Context, id int64) (time.Duration, error) { calls <- id; return time.Hour, nil },
		Stale: func(context.Context) ([]int64, error) {
			if asked.Add(1) == 1 {
				return nil, errors.New("records busy") // asked again at the next tick
			}
			return []int64{4, 5}, nil
		},
	})
	if sum := receive(t, calls, "first") + receive(t, calls, "second"); sum != 9 {
		t.Errorf("got jobs with sum %d", sum)
	}
}

// Stopping tells jobs at once, and the next process takes them at once: being
// stopped is no failure of theirs.
func testStopHandsOver(t *testing.T, on kind) {
	place := newPlace(t, on)
	first := open(t, place, engine.Config{})
	enqueue(t, first, engine.Job{Kind: "k", ID: 1})
	started := make(chan struct{}, 1)
	stop := run(t, first, engine.Worker{Work: func(ctx context.Context, _ int64) (time.Duration, error) {
		started <- struct{}{}
		<-ctx.Done()
		return 0, ctx.Err()
	}})
	receive(t, started, "job")
	begin := time.Now()
	stop()
	t.Logf("stop: %v", time.Since(begin))
	second := open(t, place, engine.Config{})
	calls := make(chan int64, 1)
	begin = time.Now()
	run(t, second, engine.Worker{Work: func(_ context.Context, id int64) (time.Duration, error) { calls <- id; return 0, nil }})
	receive(t, calls, "handed over")
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("handed over after %v", took)
	}
}

func testGraceLetsJobsEnd(t *testing.T, on kind) {
	e := open(t, newPlace(t, on), engine.Config{Grace: patience})
	enqueue(t, e, engine.Job{Kind: "k", ID: 1})
	started, release, ended := make(chan struct{}, 1), make(chan struct{}), make(chan error, 1)
	stop := run(t, e, engine.Worker{Work: func(ctx context.Context, _ int64) (time.Duration, error) {
		started <- struct{}{}
		<-release
		ended <- ctx.Err()
		return 0, nil
	}})
	receive(t, started, "job")
	go close(release)
	stop()
	if err := receive(t, ended, "end"); err != nil {
		t.Errorf("the job was told to stop within its grace: %v", err)
	}
}

func TestOpenIsQuick(t *testing.T) {
	path := newPlace(t, sqlite)
	begin := time.Now()
	open(t, path, engine.Config{})
	t.Logf("open new: %v", time.Since(begin))
	best := time.Hour
	for range 5 {
		begin := time.Now()
		e, err := engine.Open(t.Context(), engine.Config{Path: path})
		best = min(best, time.Since(begin))
		must(t, err)
		must(t, e.Close())
	}
	t.Logf("open: %v", best)
	if best > 50*time.Millisecond {
		t.Errorf("opening takes %v", best)
	}
	begin = time.Now()
	e := open(t, path, engine.Config{})
	enqueue(t, e, engine.Job{Kind: "k", ID: 1})
	called := make(chan struct{}, 1)
	stop := run(t, e, engine.Worker{Work: func(context.Context, int64) (time.Duration, error) { called <- struct{}{}; return 0, nil }})
	receive(t, called, "job")
	t.Logf("open, enqueue, run, called: %v", time.Since(begin))
	begin = time.Now()
	stop()
	t.Logf("stop: %v", time.Since(begin))
}

func TestFileIsPrivate(t *testing.T) {
	path := newPlace(t, sqlite)
	open(t, path, engine.Config{})
	for name, want := range map[string]os.FileMode{path: 0o600, path + "-wal": 0o600, filepath.Dir(path): 0o700} {
		info, err := os.Stat(name)
		must(t, err)
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %o", name, info.Mode().Perm())
		}
	}
	if _, err := engine.Open(t.Context(), engine.Config{Path: "relative.db"}); upkeep.CodeOf(err) != upkeep.CodeInvalid {
		t.Errorf("got %v", err)
	}
	foreign := filepath.Join(t.TempDir(), "foreign.db")
	must(t, os.WriteFile(foreign, []byte(strings.Repeat("no database ", 100)), 0o600))
	if _, err := engine.Open(t.Context(), engine.Config{Path: foreign}); upkeep.CodeOf(err) != upkeep.CodeDamaged {
		t.Errorf("got %v", err)
	}
}

// A process dies by kill -9 in the middle of a job. Another that runs at the
// same time does the job within seconds.
func testKilledProcess(t *testing.T, on kind) {
	place := newPlace(t, on)
	e := open(t, place, engine.Config{})
	enqueue(t, e, engine.Job{Kind: "k", ID: 1})
	command, lines := startChild(t, "block", place)
	waitLine(t, lines, "job 1")

	calls := make(chan int64, 10)
	run(t, e, engine.Worker{Work: func(_ context.Context, id int64) (time.Duration, error) { calls <- id; return 0, nil }})
	enqueue(t, e, engine.Job{Kind: "k", ID: 2})
	if id := receive(t, calls, "job beside"); id != 2 {
		t.Fatalf("job %d was taken from a living process", id)
	}
	must(t, command.Process.Kill())
	begin := time.Now()
	if id := receive(t, calls, "orphan"); id != 1 {
		t.Errorf("got job %d", id)
	}
	took := time.Since(begin)
	t.Logf("taken over after %v", took)
	if took > 8*time.Second {
		t.Errorf("taken over after %v", took)
	}
}

// A process that stops without dying, such as a suspended machine, loses its
// jobs too; that it goes on later harms nothing.
func testSuspendedProcess(t *testing.T, on kind) {
	place := newPlace(t, on)
	e := open(t, place, engine.Config{})
	enqueue(t, e, engine.Job{Kind: "k", ID: 1})
	command, lines := startChild(t, "block", place)
	waitLine(t, lines, "job 1")
	must(t, command.Process.Signal(syscall.SIGSTOP))
	calls := make(chan int64, 10)
	run(t, e, engine.Worker{Work: func(_ context.Context, id int64) (time.Duration, error) { calls <- id; return 0, nil }})
	if id := receive(t, calls, "orphan"); id != 1 {
		t.Errorf("got job %d", id)
	}
	must(t, command.Process.Signal(syscall.SIGCONT))
}

// Three processes share many jobs while one of them is killed: all are done.
func testManyJobsManyProcesses(t *testing.T, on kind) {
	place := newPlace(t, on)
	e := open(t, place, engine.Config{})
	const jobs = 150
	victim, _ := startChild(t, "work", place)
	_, lines := startChild(t, "work", place)
	done := make(chan int64, 10*jobs)
	go func() {
		for line := range lines {
			var id int64
			if _, err := fmt.Sscanf(line, "job %d", &id); err == nil {
				done <- id
			}
		}
	}()
	run(t, e, engine.Worker{Work: func(_ context.Context, id int64) (time.Duration, error) { done <- id; return 0, nil }})
	for id := range int64(jobs) {
		enqueue(t, e, engine.Job{Kind: "k", ID: id + 1})
		if id == jobs/2 {
			must(t, victim.Process.Kill())
		}
	}
	// What the victim finished it did not tell; so ask once more for all that
	// nobody else has done. Those it finished run again, the others run once.
	seen := map[int64]bool{}
	deadline := time.Now().Add(patience)
	for len(seen) < jobs && time.Now().Before(deadline) {
		select {
		case id := <-done:
			seen[id] = true
		case <-time.After(500 * time.Millisecond):
			for id := range int64(jobs) {
				if !seen[id+1] {
					enqueue(t, e, engine.Job{Kind: "k", ID: id + 1})
				}
			}
		}
	}
	if len(seen) != jobs {
		t.Errorf("%d of %d jobs were done", len(seen), jobs)
	}
}

func startChild(t *testing.T, what, place string) (*exec.Cmd, <-chan string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0])
	command.Env = append(os.Environ(), "ENGINE_TEST_CHILD="+what, "ENGINE_TEST_PLACE="+place)
	command.Stderr = os.Stderr
	output, err := command.StdoutPipe()
	must(t, err)
	must(t, command.Start())
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(output); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	t.Cleanup(func() {
		_ = command.Process.Kill() // it may be dead already
		_ = command.Wait()
	})
	return command, lines
}

func waitLine(t *testing.T, lines <-chan string, want string) {
	t.Helper()
	if got := receive(t, lines, want); got != want {
		t.Fatalf("child says %q, want %q", got, want)
	}
}

func runChild(what, place string) {
	ctx := context.Background()
	e, err := engine.Open(ctx, at(place, engine.Config{}))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	err = e.Run(ctx, map[string]engine.Worker{"k": {Work: func(ctx context.Context, id int64) (time.Duration, error) {
		fmt.Println("job", id)
		if what == "block" {
			<-ctx.Done()
		}
		return 0, ctx.Err()
	}}})
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
