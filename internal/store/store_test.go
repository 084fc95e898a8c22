package store_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/store"
	"upkeep/internal/upkeeptest/postgres"
)

// server is the PostgreSQL of all tests.
var server postgres.Server

// TestMain lets the test binary be the second process of a test.
func TestMain(m *testing.M) {
	switch os.Getenv("STORE_TEST_CHILD") {
	case "":
		os.Exit(server.Run(m))
	case "append":
		childAppend(os.Getenv("STORE_TEST_PLACE"))
	case "open":
		childOpen(os.Getenv("STORE_TEST_PLACE"))
	}
}

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// kind is one of the databases that records may be in.
type kind string

const (
	sqlite     kind = "sqlite"
	postgresql kind = "postgresql"
)

// newPlace returns where new records may be: a path, or an address.
func newPlace(t *testing.T, on kind) string {
	t.Helper()
	if on == postgresql {
		address, _ := server.Database(t)
		return address
	}
	return filepath.Join(t.TempDir(), "state", "records.db")
}

func at(place string, clock upkeep.Clock) store.Config {
	if strings.HasPrefix(place, "postgres:") {
		return store.Config{URL: place, Clock: clock}
	}
	return store.Config{Path: place, Clock: clock}
}

func open(t *testing.T, place string, clock upkeep.Clock) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), at(place, clock))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func newDB(t *testing.T, on kind) (db *store.DB, c *clock, place string) {
	t.Helper()
	place, c = newPlace(t, on), newClock()
	return open(t, place, c.Now), c, place
}

func newSite(t *testing.T, db *store.DB, name string) *upkeep.Site {
	t.Helper()
	site := &upkeep.Site{Name: name, URL: "https://" + name, Root: "/srv/" + name, CMS: upkeep.WordPress,
		Policy: upkeep.Policy{Majors: true, MaxFrozen: upkeep.Duration(time.Minute)}}
	must(t, db.CreateSite(t.Context(), site))
	return site
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t *testing.T, err error, code upkeep.Code, words ...string) {
	t.Helper()
	if upkeep.CodeOf(err) != code {
		t.Fatalf("got error %v (%s), want %s", err, upkeep.CodeOf(err), code)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q does not name %q", err, word)
		}
	}
}

func TestFilesArePrivate(t *testing.T) {
	db, _, path := newDB(t, sqlite)
	newSite(t, db, "a.example")
	folder, err := os.Stat(filepath.Dir(path))
	must(t, err)
	if folder.Mode().Perm() != 0o700 {
		t.Errorf("folder has mode %o", folder.Mode().Perm())
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", info.Name(), info.Mode().Perm())
		}
	}
}

func TestOpenTightensMode(t *testing.T) {
	_, c, path := newDB(t, sqlite)
	must(t, os.Chmod(path, 0o644))
	open(t, path, c.Now)
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode is %o after opening again", info.Mode().Perm())
	}
}

func TestOpenRefuses(t *testing.T) {
	_, err := store.Open(t.Context(), store.Config{Path: "relative.db"})
	wantCode(t, err, upkeep.CodeInvalid)

	path := filepath.Join(t.TempDir(), "records.db")
	must(t, os.WriteFile(path, []byte(strings.Repeat("not a database ", 100)), 0o600))
	_, err = store.Open(t.Context(), store.Config{Path: path})
	wantCode(t, err, upkeep.CodeDamaged, path)
}

func TestOpenIsQuick(t *testing.T) {
	_, c, path := newDB(t, sqlite)
	best := time.Hour
	for range 5 {
		start := time.Now()
		db, err := store.Open(t.Context(), store.Config{Path: path, Clock: c.Now})
		best = min(best, time.Since(start))
		must(t, err)
		must(t, db.Close())
	}
	t.Logf("open: %v", best)
	if best > 50*time.Millisecond {
		t.Errorf("opening migrated records takes %v", best)
	}
}

// Several processes open records that do not exist yet: each must find it
// migrated, once.
func testManyProcessesOpenNew(t *testing.T, on kind) {
	place := newPlace(t, on)
	var group sync.WaitGroup
	for range 6 {
		group.Go(func() {
			if out, err := child(t.Context(), "open", place).CombinedOutput(); err != nil {
				t.Errorf("child: %v: %s", err, out)
			}
		})
	}
	group.Wait()
	sites, err := open(t, place, nil).Sites(t.Context())
	must(t, err)
	if len(sites) != 6 {
		t.Errorf("%d of 6 processes left their site", len(sites))
	}
}

// Two processes append to one ledger while a third reads; nothing is lost,
// nothing is refused.
func testTwoProcessesWrite(t *testing.T, on kind) {
	place := newPlace(t, on)
	db := open(t, place, nil)
	var group sync.WaitGroup
	for range 2 {
		command := child(t.Context(), "append", place)
		command.Env = append(command.Env, "STORE_TEST_COUNT=150")
		group.Go(func() {
			if out, err := command.CombinedOutput(); err != nil {
				t.Errorf("child: %v: %.300s", err, out)
			}
		})
	}
	finished := make(chan struct{})
	go func() { group.Wait(); close(finished) }()
	for reading := true; reading; {
		select {
		case <-finished:
			reading = false
		default:
			_, err := db.LedgerHead(t.Context())
			must(t, err)
		}
	}
	entries, err := db.LedgerEntries(t.Context(), 0, 0)
	must(t, err)
	if len(entries) != 300 {
		t.Errorf("%d entries of 300", len(entries))
	}
}

// A process is killed in the middle of writing. Every write that it saw
// committed is there, the file is sound, and the next process continues.
func testKilledWhileWriting(t *testing.T, on kind) {
	for round := range 5 {
		place := newPlace(t, on)
		command := child(t.Context(), "append", place)
		output, err := command.StdoutPipe()
		must(t, err)
		must(t, command.Start())
		lines := bufio.NewScanner(output)
		var committed int
		for committed < 20+7*round && lines.Scan() {
			committed++
		}
		must(t, command.Process.Kill())
		for lines.Scan() {
			committed++
		}
		_ = command.Wait() // it was killed

		db := open(t, place, nil)
		entries, err := db.LedgerEntries(t.Context(), 0, 0)
		must(t, err)
		// One more may be committed whose line was not printed any more.
		if len(entries) != committed && len(entries) != committed+1 {
			t.Errorf("round %d: %d entries after %d commits", round, len(entries), committed)
		}
		_, err = db.CreateLedgerEntry(t.Context(), next)
		must(t, err)
	}
}

func child(ctx context.Context, what, place string) *exec.Cmd {
	command := exec.CommandContext(ctx, os.Args[0])
	command.Env = append(os.Environ(), "STORE_TEST_CHILD="+what, "STORE_TEST_PLACE="+place)
	return command
}

func childOpen(place string) {
	db, err := store.Open(context.Background(), at(place, nil))
	exitOn(err)
	name := fmt.Sprintf("p%d", os.Getpid())
	exitOn(db.CreateSite(context.Background(),
		&upkeep.Site{Name: name, URL: "https://" + name, Root: "/srv/" + name, CMS: upkeep.WordPress}))
	exitOn(db.Close())
}

func childAppend(place string) {
	db, err := store.Open(context.Background(), at(place, nil))
	exitOn(err)
	count := 1 << 30
	if text := os.Getenv("STORE_TEST_COUNT"); text != "" {
		_, err := fmt.Sscan(text, &count)
		exitOn(err)
	}
	for range count {
		_, err := db.CreateLedgerEntry(context.Background(), next)
		exitOn(err)
		fmt.Println("committed")
	}
	exitOn(db.Close())
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func TestDiskFull(t *testing.T) {
	db, _, _ := newDB(t, sqlite)
	must(t, db.LimitPages(t.Context(), 1)) // SQLite takes it as: no page more than now
	err := db.CreateSecret(t.Context(), "large", make([]byte, 1<<20))
	wantCode(t, err, upkeep.CodeNoSpace, "create secret large")
	if upkeep.HintOf(err) == "" {
		t.Error("no hint what to do")
	}
	must(t, db.LimitPages(t.Context(), 1<<20))
	must(t, db.CreateSecret(t.Context(), "large", make([]byte, 1<<20)))
}

func TestStoppedWhileWaiting(t *testing.T) {
	db, _, path := newDB(t, sqlite)
	tx, err := raw(t, path).Begin()
	must(t, err)
	_, err = tx.Exec(`INSERT INTO secret (name, sealed) VALUES ('held', 'x')`)
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	wantCode(t, db.CreateSecret(ctx, "waits", []byte("x")), upkeep.CodeInterrupted)
	_, err = db.Sites(t.Context()) // reading does not wait for the writer
	must(t, err)
	must(t, tx.Rollback())
	must(t, db.CreateSecret(t.Context(), "waits", []byte("x")))
}
