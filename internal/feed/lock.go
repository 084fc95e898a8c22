package feed

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"upkeep"
)

const lockPoll = 20 * time.Millisecond

// lock takes the lock file at path, for this process and against others, and
// waits while someone else has it. The kernel lets go of it when a process
// dies, so a lock is never left behind.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	defer upkeep.Wrap(&err, "lock %s", path)
	ticker := time.NewTicker(lockPoll)
	defer ticker.Stop()
	for {
		f, err := tryLock(path)
		if err != nil {
			return nil, err
		}
		if f != nil {
			return func() { _ = f.Close() }, nil // closing lets go
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil, upkeep.Errorf(upkeep.CodeInterrupted, "stopped: %w", context.Cause(ctx))
		}
	}
}

// tryLock returns nil without an error when someone else has the lock.
func tryLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, diskError(err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, unix.EINTR) {
			return nil, nil
		}
		return nil, err
	}
	// Prune may have removed the file between open and flock: then the lock
	// is on a file that nobody else will find.
	mine, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	if there, err := os.Stat(path); err != nil || !os.SameFile(mine, there) {
		_ = f.Close()
		return nil, nil
	}
	return f, nil
}
