package vault

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/signal"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"upkeep"
)

const (
	lockRefresh = 5 * time.Minute
	lockStale   = 30 * time.Minute
	// lockLost is how long refreshing may fail before the lock counts as
	// lost, which is before others may take it for stale.
	lockLost  = lockStale - 2*lockRefresh
	lockRetry = 30 * time.Second // after a refresh that did not work
	lockWatch = time.Second
	lockPoll  = 250 * time.Millisecond
)

// lockFile is a file in locks/.
type lockFile struct {
	Time      time.Time `json:"time"`
	Exclusive bool      `json:"exclusive"`
	Hostname  string    `json:"hostname"`
	Username  string    `json:"username"`
	PID       int       `json:"pid"`
	UID       uint32    `json:"uid,omitempty"`
	GID       uint32    `json:"gid,omitempty"`
}

// heldLock is a lock of ours and the goroutine that refreshes it.
type heldLock struct {
	r       *Repository
	file    lockFile
	id      ID
	stop    context.CancelFunc
	done    chan struct{}
	hangups chan os.Signal
	release sync.Once

	orphaned bool // the lock of somebody who is gone was in the way
}

// Lock takes a shared lock, as everyone does who writes, and brings the index
// up to date. Many may hold one; nobody prunes meanwhile. It waits while
// another, such as restic prune, holds the repository exclusively, and gives
// CodeConflict naming it when ctx ends first. Work under the returned
// context: it ends when the lock is lost. release gives the lock back; it
// may be called more than once.
func (r *Repository) Lock(ctx context.Context) (held context.Context, release func(), err error) {
	return r.lock(ctx, false)
}

// LockAlone is Lock for who wants to be alone: nobody writes meanwhile.
func (r *Repository) LockAlone(ctx context.Context) (held context.Context, release func(), err error) {
	return r.lock(ctx, true)
}

func (r *Repository) lock(ctx context.Context, exclusive bool) (_ context.Context, _ func(), err error) {
	defer upkeep.Wrap(&err, "lock repository")
	l := &heldLock{r: r, done: make(chan struct{}), hangups: make(chan os.Signal, 1)}
	l.file = lockFile{Exclusive: exclusive, PID: os.Getpid(), UID: uint32(os.Getuid()), GID: uint32(os.Getgid())}
	l.file.Hostname, l.file.Username = whereAndWho()
	// restic sends SIGHUP to see whether the holder of a lock lives, which
	// would otherwise end this process: from before the lock file is there
	// until it is gone.
	signal.Notify(l.hangups, unix.SIGHUP)
	if err := l.acquire(ctx); err != nil {
		signal.Stop(l.hangups)
		return nil, nil, err
	}
	held, cancel := context.WithCancel(ctx)
	l.stop = cancel
	r.locks.Add(1)
	go l.keep(held)
	if err = r.refresh(ctx); err == nil && l.orphaned && !exclusive { // a prune removes what it is about
		err = r.Salvage(held)
	}
	if err != nil {
		l.unlock()
		return nil, nil, err
	}
	return held, l.unlock, nil
}

// acquire tries until the lock is ours or ctx ends.
func (l *heldLock) acquire(ctx context.Context) error {
	var inTheWay *lockFile
	for {
		other, err := l.try(ctx)
		if ctx.Err() != nil && inTheWay != nil {
			return inTheWay.conflict(ctx.Err())
		}
		if other == nil || err != nil {
			return err
		}
		inTheWay = other
		select {
		case <-ctx.Done():
			return inTheWay.conflict(ctx.Err())
		case <-time.After(lockPoll):
		}
	}
}

func (f *lockFile) conflict(cause error) error {
	return upkeep.Errorf(upkeep.CodeConflict, "repository is locked by process %d of %s on %s since %s: %w",
		f.PID, f.Username, f.Hostname, f.Time.Format(time.RFC3339), cause).
		WithHint("Wait for it to end, or run restic unlock when it no longer exists.")
}

// try makes the lock file and looks for others after, so that of two who try
// at once at least one sees the other. It returns the lock in the way.
func (l *heldLock) try(ctx context.Context) (*lockFile, error) {
	if other, err := l.conflict(ctx); other != nil || err != nil {
		return other, err
	}
	if err := l.write(ctx); err != nil {
		return nil, err
	}
	other, err := l.conflict(ctx)
	if other != nil || err != nil {
		err = errors.Join(err, l.remove(ctx, l.id))
		l.id = ID{}
	}
	return other, err
}

func (l *heldLock) write(ctx context.Context) error {
	l.file.Time = l.r.Clock()
	text, err := json.Marshal(&l.file)
	if err != nil {
		return err
	}
	l.id, err = l.r.saveFile(ctx, locksFolder, text)
	return err
}

// remove works after ctx has ended too: a lock must not stay behind.
func (l *heldLock) remove(ctx context.Context, id ID) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	return l.r.storage.Remove(ctx, fileName(locksFolder, id))
}

// conflict returns a lock of another that forbids ours. Stale ones are
// removed on the way.
func (l *heldLock) conflict(ctx context.Context) (*lockFile, error) {
	ids, err := l.r.listIDs(ctx, locksFolder)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if id == l.id {
			continue
		}
		other, err := l.r.loadLock(ctx, id)
		if err != nil {
			return nil, err
		}
		if other == nil {
			continue
		}
		if other.stale(l.r.Clock(), l.file.Hostname) {
			if err := l.remove(ctx, id); err != nil {
				return nil, err
			}
			l.orphaned = true
			continue
		}
		if l.file.Exclusive || other.Exclusive {
			return other, nil
		}
	}
	return nil, nil
}

// loadLock returns nil for a lock that is gone or was never wholly written.
func (r *Repository) loadLock(ctx context.Context, id ID) (*lockFile, error) {
	info, err := r.storage.Stat(ctx, fileName(locksFolder, id))
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	text, err := r.loadFile(ctx, locksFolder, id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	file := &lockFile{}
	return file, json.Unmarshal(text, file)
}

// stale reports whether whoever made the lock is surely gone: not refreshed
// for half an hour, or a process of this machine that does not exist.
func (f *lockFile) stale(now time.Time, host string) bool {
	if now.Sub(f.Time) > lockStale {
		return true
	}
	if host == "" || f.Hostname != host {
		return false
	}
	return errors.Is(unix.Kill(f.PID, 0), unix.ESRCH)
}

// keep refreshes the lock until it is given back or lost.
func (l *heldLock) keep(ctx context.Context) {
	defer close(l.done)
	// Timers stand still while a machine sleeps, the clock goes on: it is
	// looked at often, so that little is written under a lock that was lost.
	ticker := time.NewTicker(lockWatch)
	defer ticker.Stop()
	tried := l.file.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := l.r.Clock()
		if now.Sub(l.file.Time) > lockLost {
			l.stop()
			return
		}
		if now.Sub(l.file.Time) >= lockRefresh && now.Sub(tried) >= lockRetry {
			tried = now
			l.refreshOnce(ctx)
		}
	}
}

// refreshOnce replaces the lock file by a newer one. Where that does not
// work the old one still stands and the next tick tries again, until lockLost.
func (l *heldLock) refreshOnce(ctx context.Context) {
	old, since := l.id, l.file.Time
	if err := l.write(ctx); err != nil {
		l.id, l.file.Time = old, since
		return
	}
	if err := l.remove(ctx, old); err != nil {
		return // it becomes stale by itself
	}
}

func (l *heldLock) unlock() {
	l.release.Do(func() {
		l.stop()
		<-l.done
		l.r.locks.Add(-1)
		// Nobody could act on an error here: the lock becomes stale with
		// this process at the latest.
		_ = l.remove(context.Background(), l.id)
		signal.Stop(l.hangups)
	})
}
