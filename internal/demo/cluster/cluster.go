// Package cluster runs a private PostgreSQL: its own data folder, a unix socket,
// no network. Any local account may connect as any of its roles.
package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"upkeep"
	"upkeep/internal/cms"
)

// startLimit bounds how long a server may take to answer, or to end.
const startLimit = 60 * time.Second

// Cluster is a private server. It dies with the process that started it.
type Cluster struct {
	Dir string // holds data, log and socket

	as     *syscall.Credential // nil when we are not root
	cmd    *exec.Cmd
	exited chan struct{}
}

// Start starts a private PostgreSQL that keeps everything in dir (absolute,
// created when missing, reachable by account, with a short path: the socket is
// in it) and returns when it answers. When we are root, account runs it; ""
// is www-data. CodeNotFound, with a hint, when PostgreSQL is not installed.
func Start(ctx context.Context, dir, account string) (_ *Cluster, err error) {
	defer upkeep.Wrap(&err, "start postgresql in %s", dir)
	c := &Cluster{Dir: dir}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if os.Geteuid() == 0 {
		if c.as, err = credential(account); err != nil {
			return nil, err
		}
		if err := os.Chown(dir, int(c.as.Uid), int(c.as.Gid)); err != nil {
			return nil, err
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "data")); err != nil {
		out, err := c.command(ctx, "initdb", "-D", filepath.Join(dir, "data"), "-A", "trust", "-U", "admin", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync").CombinedOutput()
		if err != nil {
			return nil, upkeep.Errorf(upkeep.CodeUnreachable, "initdb: %s: %w", bytes.TrimSpace(out), err).
				WithHint("Install it: apt-get install postgresql")
		}
	}
	return c, c.Start(ctx)
}

// Start starts a stopped or killed server again and waits until it answers.
func (c *Cluster) Start(ctx context.Context) (err error) {
	defer upkeep.Wrap(&err, "start postgres")
	if err := os.Remove(filepath.Join(c.Dir, "data", "postmaster.pid")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	// A killed server loses nothing that reached the kernel.
	c.cmd = c.command(context.Background(), "postgres", "-D", filepath.Join(c.Dir, "data"), "-k", c.Dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=50")
	log, err := os.OpenFile(filepath.Join(c.Dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	c.cmd.Stdout, c.cmd.Stderr = log, log
	c.cmd.SysProcAttr.Pdeathsig = syscall.SIGQUIT
	if err := c.cmd.Start(); err != nil {
		return err
	}
	c.exited = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) { _ = cmd.Wait(); close(done) }(c.cmd, c.exited)
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		_, err := c.Exec(ctx, "postgres", "SELECT 1")
		if err == nil {
			return nil
		}
		select {
		case <-c.exited:
			return upkeep.Errorf(upkeep.CodeUnreachable, "it ended at once").WithHint("Read %s.", filepath.Join(c.Dir, "log"))
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Stop ends the server at once, in good order.
func (c *Cluster) Stop(ctx context.Context) error { return c.end(ctx, syscall.SIGINT) }

// Kill ends the server and what it started with SIGKILL, as a crash would.
func (c *Cluster) Kill(ctx context.Context) error { return c.end(ctx, syscall.SIGKILL) }

func (c *Cluster) end(ctx context.Context, signal syscall.Signal) error {
	pid := c.cmd.Process.Pid
	doomed := []int{pid}
	if signal == syscall.SIGKILL {
		// Its children, each in a session of its own, would go on for a while and
		// hold on to shared memory.
		list, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid)) // it may have ended
		for child := range strings.FieldsSeq(string(list)) {
			if n, err := strconv.Atoi(child); err == nil {
				doomed = append(doomed, n)
			}
		}
	}
	for _, pid := range doomed {
		if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	select {
	case <-c.exited:
		return nil
	case <-ctx.Done():
		return upkeep.Errorf(upkeep.CodeConflict, "postgres %d does not end: %w", pid, ctx.Err())
	}
}

// Exec runs a script as the administrator with the psql client, and returns rows
// without headings.
func (c *Cluster) Exec(ctx context.Context, name, script string) (string, error) {
	return c.ExecAs(ctx, "admin", name, script)
}

// ExecAs is Exec as another role.
func (c *Cluster) ExecAs(ctx context.Context, role, name, script string) (string, error) {
	cmd := exec.CommandContext(ctx, program("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", c.Dir, "-U", role, "-d", name)
	cmd.Stdin = strings.NewReader(script)
	var out, errout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errout
	if err := cmd.Run(); err != nil {
		return "", upkeep.Errorf(upkeep.CodeUnreachable, "psql: %s: %w", strings.TrimSpace(errout.String()), err)
	}
	return out.String(), nil
}

// CreateDatabase makes an empty database name (lower case, digits, underscores)
// that belongs to a role of the same name, and returns how a site reaches it.
func (c *Cluster) CreateDatabase(ctx context.Context, name string) (*cms.Database, error) {
	_, err := c.Exec(ctx, "postgres", fmt.Sprintf("CREATE ROLE %[1]s LOGIN;\nCREATE DATABASE %[1]s OWNER %[1]s;\n", name))
	return &cms.Database{Engine: "postgresql", Socket: c.Dir, User: name, Name: name}, err
}

// Dump returns a whole database as pg_dump writes it, without its owners.
func (c *Cluster) Dump(ctx context.Context, name string) (string, error) {
	cmd := exec.CommandContext(ctx, program("pg_dump"), "-h", c.Dir, "-U", "admin", "--no-owner", "--no-privileges", name)
	var out, errout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errout
	if err := cmd.Run(); err != nil {
		return "", upkeep.Errorf(upkeep.CodeUnreachable, "pg_dump: %s: %w", strings.TrimSpace(errout.String()), err)
	}
	return out.String(), nil
}

// command runs a program of the server's, as the account.
func (c *Cluster) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program(name), args...)
	cmd.Dir = c.Dir
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.as, Setsid: true}
	return cmd
}

// program finds a program where Debian keeps the newest server's, or in PATH.
func program(name string) string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name) // the pattern is valid
	if len(found) == 0 {
		return name
	}
	return found[len(found)-1]
}

func credential(account string) (*syscall.Credential, error) {
	if account == "" {
		account = "www-data"
	}
	u, err := user.Lookup(account)
	if err != nil {
		return nil, upkeep.Errorf(upkeep.CodeNotFound, "account %q: %w", account, err).WithHint("Name an existing unprivileged account.")
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}
