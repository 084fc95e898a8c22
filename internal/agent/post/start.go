package post

import (
	"context"
	"errors"
	"io/fs"
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
	"upkeep/internal/agent"
)

// patience is how long an agent may take to answer after its start, or to
// leave when another program takes its place.
const patience = 15 * time.Second

// Start returns a client of the agent named name, of the site at root. It
// starts it as the owner of root when none answers, and in the place of one of
// another program that has nothing open. CodeConflict when that one has and
// does not understand us.
func (p *Local) Start(ctx context.Context, name, root string) (_ *agent.Client, err error) {
	defer upkeep.Wrap(&err, "start the agent of %s", root)
	dir, err := p.folder(name)
	if err != nil {
		return nil, err
	}
	owner, err := ownerOf(root)
	if err != nil {
		return nil, err
	}
	if err := prepareFolder(dir, owner); err != nil {
		return nil, err
	}
	account := os.Geteuid()
	if owner != nil {
		account = int(owner.Uid)
	}
	client := agent.NewClient(dir, account)
	ready, err := p.serves(ctx, client)
	if err != nil {
		return nil, err
	}
	if ready {
		return client, nil
	}
	if err := p.spawn(dir, root, owner); err != nil {
		return nil, err
	}
	err = until(ctx, func() bool {
		status, err := ask(ctx, client)
		return err == nil && status.Protocol == agent.ProtocolVersion
	})
	if upkeep.CodeOf(err) == upkeep.CodeUnreachable {
		return nil, upkeep.Errorf(upkeep.CodeUnreachable, "no answer within %s", patience).
			WithHint("See %s.", filepath.Join(dir, "agent.log"))
	}
	return client, err
}

// serves reports whether an agent answers that can be worked with. One of
// another program leaves, unless something is open in its hands.
func (p *Local) serves(ctx context.Context, client *agent.Client) (bool, error) {
	status, err := ask(ctx, client)
	switch {
	case err != nil:
		return false, nil // none, or one that cannot be talked to
	case status.Protocol == agent.ProtocolVersion && (status.Open || p.Program == "" || status.Program == "" || status.Program == p.Program):
		return true, nil
	case status.Open:
		return false, upkeep.Errorf(upkeep.CodeConflict, "an agent of another version of upkeep, which speaks protocol %d and not %d, has intervention %s open",
			status.Protocol, agent.ProtocolVersion, status.Intervention).
			WithHint("It thaws the site by itself at the deadline; then try again. To go on with the intervention, install that version again.")
	}
	if err := client.Quit(ctx); err != nil {
		return false, nil // it ended just now
	}
	return false, until(ctx, func() bool {
		_, err := ask(ctx, client)
		return err != nil
	})
}

// until waits for what comes soon. CodeUnreachable when it does not.
func until(ctx context.Context, done func() bool) error {
	for deadline := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Now().After(deadline) {
			return upkeep.Errorf(upkeep.CodeUnreachable, "no answer within %s", patience)
		}
	}
	return nil
}

func ask(ctx context.Context, c *agent.Client) (*agent.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return c.Status(ctx, nil)
}

func lstat(path string) (unix.Stat_t, error) {
	var st unix.Stat_t
	err := unix.Lstat(path, &st)
	return st, err
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

// groupOf is the first group of an account, the one of its number where it has
// no name.
func groupOf(uid uint32) uint32 {
	if account, err := user.LookupId(strconv.Itoa(int(uid))); err == nil {
		if n, err := strconv.ParseUint(account.Gid, 10, 32); err == nil {
			return uint32(n)
		}
	}
	return uid
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
	had, err := lstat(dir)
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
		st, err := lstat(dir)
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
func (p *Local) spawn(dir, root string, owner *syscall.Credential) error {
	args := append(p.Guard[1:len(p.Guard):len(p.Guard)], dir, root)
	cmd := exec.Command(p.Guard[0], args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: owner}
	if err := cmd.Start(); err != nil {
		return err
	}
	return cmd.Process.Release()
}
