package agent

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"upkeep"
	"upkeep/internal/agent/process"
)

// Guard runs the agent as a child process and starts it again when it dies
// with a journal open, so that a killed agent leaves no site frozen.
func Guard(ctx context.Context, dir string, command []string) (err error) {
	defer upkeep.Wrap(&err, "guard %s", dir)
	if err := process.AdoptOrphans(); err != nil {
		return err
	}
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		cmd := exec.CommandContext(ctx, command[0], command[1:]...)
		cmd.Dir = "/"
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
		err := cmd.Run()
		process.EndOrphans() // what scripts of a killed agent started
		if err == nil || ctx.Err() != nil {
			return nil
		}
		if _, err := os.Stat(filepath.Join(dir, JournalName)); errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err != nil { // the folder cannot be entered: no agent ever could
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// Lock makes sure that one agent runs for dir. CodeConflict when another does.
// The lock ends with the process.
func Lock(dir string) (err error) {
	defer upkeep.Wrap(&err, "lock %s", dir)
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	err = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return upkeep.Errorf(upkeep.CodeConflict, "another agent is running")
	}
	return err
}

// OpenLog returns a logger that appends to agent.log in dir, starting anew
// when it has grown over 4 MB.
func OpenLog(dir string) (*slog.Logger, error) {
	path := filepath.Join(dir, "agent.log")
	if info, err := os.Stat(path); err == nil && info.Size() > 4<<20 {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, err
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return slog.New(slog.NewTextHandler(f, nil)), nil
}
