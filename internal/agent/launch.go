package agent

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"upkeep"
	"upkeep/internal/agent/process"
)

// Launch says how to bring up the agent of a site on this host.
type Launch struct {
	Dir     string   // the agent's own folder
	Root    string   // the site's
	Command []string // of the guard, to which Dir and Root are added: "/proc/self/exe agent guard"
}

// Start returns a client of the site's agent, starting it as the owner of the
// site's root when none answers.
func Start(ctx context.Context, l Launch) (_ *Client, err error) {
	defer upkeep.Wrap(&err, "start the agent of %s", l.Root)
	owner, err := ownerOf(l.Root)
	if err != nil {
		return nil, err
	}
	if err := prepareFolder(l.Dir, owner); err != nil {
		return nil, err
	}
	client := NewClient(l.Dir)
	if owner != nil {
		client.owner = int(owner.Uid)
	}
	if answers(ctx, client) {
		return client, nil
	}
	if err := l.spawn(owner); err != nil {
		return nil, err
	}
	deadline := time.Now().Add(15 * time.Second)
	for !answers(ctx, client) {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if time.Now().After(deadline) {
			return nil, upkeep.Errorf(upkeep.CodeUnreachable, "no answer within 15 s").
				WithHint("See %s.", filepath.Join(l.Dir, "agent.log"))
		}
		time.Sleep(5 * time.Millisecond)
	}
	return client, nil
}

func answers(ctx context.Context, c *Client) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	status, err := c.Status(ctx, nil)
	return err == nil && status.Protocol == ProtocolVersion
}

// ownerOf returns the account that the agent of root must run as: nil when
// that is us.
func ownerOf(root string) (*syscall.Credential, error) {
	info, err := os.Stat(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, upkeep.Errorf(upkeep.CodeNotFound, "no folder %s", root).
			WithHint("Give the folder that holds the CMS.")
	}
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "%s is not a folder", root).WithHint("Give the folder that holds the CMS.")
	}
	st := info.Sys().(*syscall.Stat_t)
	self := os.Geteuid()
	switch {
	case int(st.Uid) == self && self != 0:
		return nil, nil
	case self != 0:
		return nil, upkeep.Errorf(upkeep.CodeUnauthorized, "%s belongs to another account", root).
			WithHint("Run upkeep as that account, or as root, which takes on the owner's rights.")
	case st.Uid == 0:
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "%s belongs to root", root).
			WithHint("Give the site an account of its own: chown -R www-data: %s. Upkeep never runs a site's code as root.", root)
	}
	return &syscall.Credential{Uid: st.Uid, Gid: st.Gid, Groups: groupsOf(st.Uid)}, nil
}

// groupsOf lists the groups of an account; one that has no name has none.
func groupsOf(uid uint32) []uint32 {
	account, err := user.LookupId(strconv.Itoa(int(uid)))
	if err != nil {
		return nil
	}
	ids, err := account.GroupIds()
	if err != nil {
		return nil
	}
	var groups []uint32
	for _, id := range ids {
		if n, err := strconv.ParseUint(id, 10, 32); err == nil {
			groups = append(groups, uint32(n))
		}
	}
	return groups
}

// prepareFolder makes dir, and gives it to the owner. Its parent lets every
// owner through to a folder that only it can enter, whatever our umask.
func prepareFolder(dir string, owner *syscall.Credential) error {
	parent := filepath.Dir(dir)
	if _, err := os.Lstat(parent); errors.Is(err, fs.ErrNotExist) {
		if err := errors.Join(os.MkdirAll(parent, 0o711), os.Chmod(parent, 0o711)); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if owner == nil {
		return nil
	}
	if err := passable(parent, owner); err != nil {
		return err
	}
	return give(dir, owner)
}

// give hands dir to the owner, for good: the folder above is ours, so what it
// says cannot be changed by a site. A root folder that has become another
// account's, or a link to one, would else have the agent of one site work with
// another's rights, and bring to the first what it read of the second.
func give(dir string, owner *syscall.Credential) error {
	had, err := stat(dir)
	if err != nil {
		return err
	}
	if had.Uid != uint32(os.Geteuid()) && had.Uid != owner.Uid {
		return upkeep.Errorf(upkeep.CodeConflict, "the site belonged to account %d and belongs to account %d now", had.Uid, owner.Uid).
			WithHint("If that is meant to be so: chown %d %s.", owner.Uid, dir)
	}
	if had.Uid == owner.Uid && had.Gid != owner.Gid && !slices.Contains(owner.Groups, owner.Gid) {
		owner.Gid = had.Gid // nor does a site choose a group that its account is not in
	}
	return os.Lchown(dir, int(owner.Uid), int(owner.Gid))
}

// passable makes sure that owner gets through every folder down to dir.
func passable(dir string, owner *syscall.Credential) error {
	for ; dir != "/" && dir != "."; dir = filepath.Dir(dir) {
		st, err := stat(dir)
		if err != nil {
			return err
		}
		needed := uint32(0o001)
		switch {
		case st.Uid == owner.Uid:
			needed = 0o100
		case st.Gid == owner.Gid || slices.Contains(owner.Groups, st.Gid):
			needed = 0o010
		}
		if st.Mode&needed == 0 {
			return upkeep.Errorf(upkeep.CodeInvalid, "the site's account cannot enter %s, where its agent is to be", dir).
				WithHint("Name another folder as \"agents\" in config.json, or: chmod o+x %s.", dir)
		}
	}
	return nil
}

// spawn starts the guard in a session of its own, so that it outlives us.
func (l *Launch) spawn(owner *syscall.Credential) error {
	args := append(l.Command[1:len(l.Command):len(l.Command)], l.Dir, l.Root)
	cmd := exec.Command(l.Command[0], args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: owner}
	if err := cmd.Start(); err != nil {
		return err
	}
	return cmd.Process.Release()
}

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
