package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"upkeep"
)

// The watch on other processes.
const (
	pollEvery  = 50 * time.Millisecond
	quietPolls = 2               // in a row, before a database counts as quiet
	idleAfter  = 5 * time.Second // open so long without a lock: nobody is at work
	killGrace  = 5 * time.Second // for a killed process to be gone
)

// holder is a process that has a file open or locked.
type holder struct {
	pid   int // -1 when it cannot be told
	locks bool
	file  string
}

// Drain waits, after the site's gate was closed, until no other process has the
// files locked or open: two polls in a row, 50 ms apart. Processes of our own
// account that keep one open without a lock, as persistent connections do, are
// ended after five seconds, all others of our account after timeout; what they
// had not committed is undone. CodeConflict, naming who is left. Then it brings
// what is in a write-ahead log or an unfinished journal into the files, so that
// each is whole by itself. It returns how many processes were ended.
func (db *DB) Drain(ctx context.Context, timeout time.Duration) (ended int, err error) {
	defer upkeep.Wrap(&err, "drain database %s", db.files[0])
	defer func() { err = translate(ctx, err) }()
	w := &watch{db: db, killed: map[int]bool{}, since: map[int]time.Time{}}
	if err := w.drain(ctx, timeout); err != nil {
		return len(w.killed), err
	}
	for _, file := range db.files {
		if err := settle(ctx, file); err != nil {
			return len(w.killed), err
		}
	}
	return len(w.killed), nil
}

// settle makes a file whole by itself. One that is missing or no database is
// left as it is: a restore makes it anew, and a dump says so.
func settle(ctx context.Context, file string) error {
	c, err := openLive(ctx, file)
	if err != nil {
		return ignoreDamage(ctx, err)
	}
	// The first reading rolls an unfinished journal back; the second does
	// nothing where no log is kept.
	_, err = c.number(ctx, "SELECT count(*) FROM sqlite_schema")
	if err == nil {
		var busy, log, moved int
		err = c.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &log, &moved)
		if err == nil && busy != 0 {
			err = upkeep.Errorf(upkeep.CodeConflict, "the log of %s is in use", file).WithHint("%s", hints[upkeep.CodeConflict])
		}
	}
	c.close()
	return ignoreDamage(ctx, err)
}

func ignoreDamage(ctx context.Context, err error) error {
	err = translate(ctx, err)
	if code := upkeep.CodeOf(err); code == upkeep.CodeDamaged || code == upkeep.CodeNotFound {
		return nil
	}
	return err
}

// watch looks at the processes of this machine.
type watch struct {
	db     *DB
	killed map[int]bool
	since  map[int]time.Time // that a process was first seen without a lock
}

func (w *watch) drain(ctx context.Context, timeout time.Duration) error {
	began := w.db.now()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for quiet := 0; ; {
		holders, err := w.poll()
		if err != nil {
			return err
		}
		if quiet++; len(holders) > 0 {
			quiet = 0
		}
		if quiet == quietPolls {
			return nil
		}
		waited := w.db.now().Sub(began)
		if len(holders) > 0 && waited > timeout+killGrace {
			return upkeep.Errorf(upkeep.CodeConflict, "still used by %s", describeHolders(holders)).
				WithHint("End these processes and try again.")
		}
		for _, h := range holders {
			if waited > timeout || w.idle(h) {
				w.kill(h)
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// idle reports whether a process has been seen without a lock for so long that
// nobody is at work in it.
func (w *watch) idle(h holder) bool {
	if h.locks {
		delete(w.since, h.pid)
		return false
	}
	first, ok := w.since[h.pid]
	if !ok {
		w.since[h.pid] = w.db.now()
		return false
	}
	return w.db.now().Sub(first) >= idleAfter
}

// kill ends a process of our account. Of one that may not be ended the next
// poll tells.
func (w *watch) kill(h holder) {
	var st unix.Stat_t
	if h.pid <= 0 || unix.Stat(fmt.Sprintf("/proc/%d", h.pid), &st) != nil || st.Uid != uint32(os.Geteuid()) {
		return
	}
	if syscall.Kill(h.pid, syscall.SIGKILL) == nil {
		w.killed[h.pid] = true
	}
}

// poll returns the other processes that use any of the files.
func (w *watch) poll() ([]holder, error) {
	var holders []holder
	for _, file := range w.db.files {
		var st unix.Stat_t
		if err := unix.Stat(file, &st); errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
			continue
		} else if err != nil {
			return nil, &fs.PathError{Op: "stat", Path: file, Err: err}
		}
		locker, err := lockedBy(file)
		if err != nil {
			return nil, err
		}
		if locker != 0 {
			holders = append(holders, holder{pid: locker, locks: true, file: file})
		}
		for _, pid := range openedBy(file, &st) {
			if pid != locker {
				holders = append(holders, holder{pid: pid, file: file})
			}
		}
	}
	return holders, nil
}

// lockedBy returns the process that holds a lock of SQLite's on a file, 0 when
// none does, and -1 for one that cannot be told.
func lockedBy(file string) (pid int, err error) {
	f, err := os.OpenFile(file, os.O_RDWR|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrPermission) {
		f, err = os.Open(file)
	}
	if err != nil {
		return 0, err
	}
	// Closing it drops the locks that we have on the file ourselves: we have
	// none between two calls.
	defer func() { err = errors.Join(err, f.Close()) }()
	lock := lockRange(unix.F_WRLCK)
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, lock); err != nil {
		return 0, err
	}
	switch {
	case lock.Type == unix.F_UNLCK, lock.Pid == int32(os.Getpid()):
		return 0, nil
	case lock.Pid <= 0:
		return -1, nil
	}
	return int(lock.Pid), nil
}

// openedBy returns the other processes that have a file open, among those that
// we may look into: our own account's.
func openedBy(file string, st *unix.Stat_t) []int {
	var pids []int
	descriptors, _ := filepath.Glob("/proc/[0-9]*/fd/[0-9]*") // the pattern is valid
	for _, path := range descriptors {
		pid, err := strconv.Atoi(strings.Split(path, "/")[2])
		if err != nil || pid == os.Getpid() || slices.Contains(pids, pid) {
			continue
		}
		if link, err := os.Readlink(path); err != nil || filepath.Base(link) != filepath.Base(file) {
			continue // asking a file itself could take long
		}
		var of unix.Stat_t
		if unix.Stat(path, &of) == nil && of.Dev == st.Dev && of.Ino == st.Ino && of.Mode&unix.S_IFMT == unix.S_IFREG {
			pids = append(pids, pid)
		}
	}
	return pids
}

// describeHolders names the first few for an error, so that an operator can find them.
func describeHolders(holders []holder) string {
	var words []string
	for _, h := range holders[:min(len(holders), 5)] {
		command, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", h.pid))
		if err != nil {
			command = []byte("a process of another account")
		}
		words = append(words, fmt.Sprintf("%d (%s) on %s", h.pid, strings.TrimSpace(string(command)), h.file))
	}
	return strings.Join(words, ", ")
}
