// Package post starts agents on a host and connects to them: Local on this
// machine; Serve and Client carry the same over a stream to another one, with
// any number of connections to agents side by side.
package post

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"upkeep"
	"upkeep/internal/agent"
)

// Examination is how the names of agents begin that look at a folder which is
// no site yet.
const Examination = "examination-"

// Local starts agents on this machine.
type Local struct {
	Dir   string   // of the agents' folders, one a name
	Guard []string // command that guards an agent, to which folder and root are added
	// Program is what agents run from, as agent.Program tells it. Agents of
	// another one make room as soon as nothing is open in their hands; "" lets
	// any stay.
	Program string
	// Scanner is the command of what looks through one account's folders.
	Scanner []string
}

// folder returns where the agent named name is. Names come over the wire.
func (p *Local) folder(name string) (string, error) {
	if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return "", upkeep.Errorf(upkeep.CodeInvalid, "agent name %q", name)
	}
	return filepath.Join(p.Dir, name), nil
}

// Found is a folder that may hold a site.
type Found struct {
	Root  string `json:"root"`  // without links
	Owner uint32 `json:"owner"` // account
}

// Find looks for a folder. CodeNotFound when there is none.
func (p *Local) Find(_ context.Context, root string) (*Found, error) {
	real, err := filepath.EvalSymlinks(filepath.Clean(root))
	if err != nil {
		return nil, upkeep.Errorf(upkeep.CodeNotFound, "no folder %s", root).WithHint("Give the folder that holds the CMS.")
	}
	st, err := lstat(real)
	if err != nil {
		return nil, err
	}
	return &Found{Root: real, Owner: st.Uid}, nil
}

// Open reports whether the agent named name has a journal: something is under
// way at its site, or was left by an agent that died.
func (p *Local) Open(_ context.Context, name string) (bool, error) {
	dir, err := p.folder(name)
	if err != nil {
		return false, err
	}
	_, err = os.Stat(filepath.Join(dir, agent.JournalName))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Sweep removes what agents of old examinations left, and returns the names
// of those that have a journal.
func (p *Local) Sweep(ctx context.Context) (open []string, err error) {
	entries, err := os.ReadDir(p.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		name := entry.Name()
		if has, oerr := p.Open(ctx, name); oerr == nil && has {
			open = append(open, name)
			continue
		}
		info, serr := entry.Info()
		if strings.HasPrefix(name, Examination) && serr == nil && time.Since(info.ModTime()) > time.Hour {
			err = errors.Join(err, os.RemoveAll(filepath.Join(p.Dir, name)))
		}
	}
	return open, err
}

// Target is a folder that a backup of the site at Root is restored into.
type Target struct {
	Dir  string `json:"dir"`
	Root string `json:"root"`
}

// Make makes a folder, where the owner of the site may not, and gives it to
// the owner. CodeConflict when it holds something, CodeNotFound where the
// folder above is not there.
func (p *Local) Make(_ context.Context, t Target) error {
	if entries, err := os.ReadDir(t.Dir); err == nil && len(entries) > 0 {
		return upkeep.Errorf(upkeep.CodeConflict, "%s is not empty", t.Dir).WithHint("Name a folder that does not exist yet.")
	}
	if _, err := os.Stat(filepath.Dir(t.Dir)); err != nil {
		return upkeep.Errorf(upkeep.CodeNotFound, "no folder %s", filepath.Dir(t.Dir)).WithHint("Make it first.")
	}
	if err := os.Mkdir(t.Dir, 0o700); err != nil || os.Geteuid() != 0 {
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	}
	owner, err := os.Stat(t.Root)
	if err != nil {
		return err
	}
	// What is given is the folder that was made, not what somebody put there.
	made, err := os.OpenFile(t.Dir, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	st := owner.Sys().(*syscall.Stat_t)
	return errors.Join(made.Chown(int(st.Uid), int(st.Gid)), made.Close())
}

// Leave ends every agent. CodeConflict while something is open in the hands
// of one.
func (p *Local) Leave(ctx context.Context) error {
	open, err := p.Sweep(ctx)
	if err != nil {
		return err
	}
	if len(open) > 0 {
		return upkeep.Errorf(upkeep.CodeConflict, "something is under way at site %s", strings.Join(open, ", ")).
			WithHint("Wait for its end.")
	}
	entries, err := os.ReadDir(p.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, entry := range entries {
		dir := filepath.Join(p.Dir, entry.Name())
		st, serr := lstat(dir)
		if serr != nil {
			continue // gone meanwhile
		}
		client := agent.NewClient(dir, int(st.Uid))
		if client.Quit(ctx) != nil {
			continue // none runs
		}
		err = errors.Join(err, until(ctx, func() bool {
			_, err := ask(ctx, client)
			return err != nil
		}))
		client.Close()
	}
	return err
}
