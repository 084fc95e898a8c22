// Package demo builds a private world of real servers and sites to try Upkeep on.
package demo

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
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

// maxSocketPath is what the kernel takes as the path of a unix socket.
const maxSocketPath = 107

// startLimit bounds how long a server may take to answer its first query;
// recovery after a kill is part of it.
const startLimit = 60 * time.Second

// MariaDBOptions says how a private MariaDB runs. The zero value is usable.
type MariaDBOptions struct {
	Account  string   // who runs it when we are root; "" is www-data
	Detached bool     // outlives this process; otherwise it dies with it
	Args     []string // further options of mariadbd, such as "--max-connections=500"
}

// MariaDB is a private server: its own data folder, a unix socket, no network.
// The operating-system user who started it is its administrator, without a
// password; others need the accounts made by CreateDatabase.
type MariaDB struct {
	Dir    string // holds data, log and pid file
	Socket string // absolute path

	opts   MariaDBOptions
	as     *syscall.Credential // nil when we are not root
	cmd    *exec.Cmd           // nil when another process started the server
	exited chan struct{}       // closed when cmd ended
	pid    int
}

// StartMariaDB starts a private MariaDB that keeps everything in dir
// (absolute, created when missing, reachable by the account) and returns when
// it answers a query. A server that a former call left running on dir is
// taken over. CodeNotFound, with a hint, when MariaDB is not installed;
// CodeUnreachable when it does not come up within a minute.
func StartMariaDB(ctx context.Context, dir string, opts MariaDBOptions) (_ *MariaDB, err error) {
	defer upkeep.Wrap(&err, "start mariadb in %s", dir)
	m := &MariaDB{Dir: dir, opts: opts}
	if m.as, err = credential(opts.Account); err != nil {
		return nil, err
	}
	if err := m.makeFolders(); err != nil {
		return nil, err
	}
	if m.pid = m.runningPID(); m.pid != 0 {
		return m, m.waitReady(ctx)
	}
	if _, err := os.Stat(filepath.Join(dir, "data", "mysql")); err != nil {
		if err := m.install(ctx); err != nil {
			return nil, err
		}
	}
	return m, m.Start(ctx)
}

// Start starts a stopped or killed server again and waits until it answers.
func (m *MariaDB) Start(ctx context.Context) (err error) {
	defer upkeep.Wrap(&err, "start mariadbd")
	binary, err := lookServer("mariadbd")
	if err != nil {
		return err
	}
	if err := os.Remove(m.Socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	args := append([]string{
		"--no-defaults", "--datadir=" + filepath.Join(m.Dir, "data"), "--tmpdir=" + filepath.Join(m.Dir, "tmp"),
		"--socket=" + m.Socket, "--pid-file=" + m.pidFile(), "--log-error=" + m.logFile(),
		"--skip-networking", "--skip-log-bin", "--innodb-buffer-pool-size=128M", "--innodb-log-file-size=96M",
		// Each commit reaches the kernel, so that a killed server loses nothing;
		// only a machine that loses power would.
		"--innodb-flush-log-at-trx-commit=2",
		// The kernel's cache stands in for a large pool of the server's own.
		"--innodb-flush-method=fsync",
	}, m.opts.Args...)
	cmd := exec.Command(binary, args...) // not bound to ctx: it bounds the start, not the server
	cmd.Dir = m.Dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: m.as, Setsid: true}
	if !m.opts.Detached {
		cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	m.cmd, m.pid, m.exited = cmd, cmd.Process.Pid, make(chan struct{})
	go func(done chan struct{}) { _ = cmd.Wait(); close(done) }(m.exited)
	return m.waitReady(ctx)
}

// Stop shuts the server down in good order. One that does not run is not an error.
func (m *MariaDB) Stop(ctx context.Context) error { return m.end(ctx, syscall.SIGTERM) }

// Kill ends the server with SIGKILL, as a crash would, and waits for its end.
func (m *MariaDB) Kill(ctx context.Context) error { return m.end(ctx, syscall.SIGKILL) }

// Restart stops the server in good order and starts it again.
func (m *MariaDB) Restart(ctx context.Context) error {
	if err := m.Stop(ctx); err != nil {
		return err
	}
	return m.Start(ctx)
}

// Remove stops the server and deletes everything it kept.
func (m *MariaDB) Remove(ctx context.Context) error {
	if err := m.Stop(ctx); err != nil {
		return err
	}
	if filepath.Dir(m.Socket) != m.Dir {
		if err := os.RemoveAll(filepath.Dir(m.Socket)); err != nil {
			return err
		}
	}
	return os.RemoveAll(m.Dir)
}

// PID returns the server's process, 0 when it does not run.
func (m *MariaDB) PID() int { return m.pid }

// Exec runs SQL as the administrator with the mariadb client, in database
// name ("" for none), and returns tab-separated rows without headings.
func (m *MariaDB) Exec(ctx context.Context, name, script string) (string, error) {
	args := []string{"--no-defaults", "--socket=" + m.Socket, "--user=" + administrator(),
		"--batch", "--skip-column-names", "--default-character-set=utf8mb4", "--binary-mode"}
	if name != "" {
		args = append(args, "--database="+name)
	}
	cmd := exec.CommandContext(ctx, "mariadb", args...)
	cmd.Stdin = strings.NewReader(script)
	var out, errout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errout
	if err := cmd.Run(); err != nil {
		return "", upkeep.Errorf(upkeep.CodeUnreachable, "mariadb client: %s: %w", strings.TrimSpace(errout.String()), err)
	}
	return out.String(), nil
}

// CreateDatabase makes an empty database name (letters, digits, underscores)
// and an account of the same name with a random password and all rights on
// it, and returns how a site reaches it.
func (m *MariaDB) CreateDatabase(ctx context.Context, name string) (*cms.Database, error) {
	db := &cms.Database{Engine: "mariadb", Socket: m.Socket, User: name, Password: rand.Text(), Name: name, Charset: "utf8mb4"}
	_, err := m.Exec(ctx, "", fmt.Sprintf("CREATE DATABASE `%[1]s` CHARACTER SET utf8mb4;\n"+
		"CREATE USER `%[1]s`@localhost IDENTIFIED BY '%[2]s';\n"+
		"GRANT ALL ON `%[1]s`.* TO `%[1]s`@localhost;\n", name, db.Password))
	if err != nil {
		return nil, err
	}
	return db, nil
}

// Admin returns how the administrator reaches database name.
func (m *MariaDB) Admin(name string) *cms.Database {
	return &cms.Database{Engine: "mariadb", Socket: m.Socket, User: administrator(), Name: name, Charset: "utf8mb4"}
}

// Log returns what the server wrote to its error log.
func (m *MariaDB) Log() string {
	text, _ := os.ReadFile(m.logFile()) // no log yet reads as an empty one
	return string(text)
}

func (m *MariaDB) pidFile() string { return filepath.Join(m.Dir, "mariadbd.pid") }
func (m *MariaDB) logFile() string { return filepath.Join(m.Dir, "mariadbd.log") }

func (m *MariaDB) makeFolders() error {
	for _, dir := range []string{m.Dir, filepath.Join(m.Dir, "data"), filepath.Join(m.Dir, "tmp")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if m.as != nil {
			if err := os.Chown(dir, int(m.as.Uid), int(m.as.Gid)); err != nil {
				return err
			}
		}
	}
	if err := os.Chmod(filepath.Join(m.Dir, "data"), 0o700); err != nil {
		return err
	}
	if err := m.reachable(); err != nil {
		return err
	}
	m.Socket = filepath.Join(m.Dir, "mariadbd.sock")
	if len(m.Socket) <= maxSocketPath {
		return nil
	}
	// A socket's path is short by law of the kernel. The folder's inode names
	// it, so that a later call finds the same one.
	info, err := os.Stat(m.Dir)
	if err != nil {
		return err
	}
	short := filepath.Join("/tmp", fmt.Sprintf("upkeep-db-%x", info.Sys().(*syscall.Stat_t).Ino))
	if err := os.Mkdir(short, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	if m.as != nil {
		if err := os.Lchown(short, int(m.as.Uid), int(m.as.Gid)); err != nil {
			return err
		}
	}
	m.Socket = filepath.Join(short, "mariadbd.sock")
	return nil
}

// reachable checks that the account can walk down to dir: a server that
// cannot says so only in a log it cannot write.
func (m *MariaDB) reachable() error {
	if m.as == nil {
		return nil
	}
	for dir := filepath.Dir(m.Dir); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if st := info.Sys().(*syscall.Stat_t); info.Mode()&0o001 == 0 && st.Uid != m.as.Uid {
			return upkeep.Errorf(upkeep.CodeInvalid, "%s is closed to the account that runs the server (uid %d)", dir, m.as.Uid).
				WithHint("Choose a folder below /var/tmp, or allow passage with chmod o+x %s.", dir)
		}
		if dir == "/" {
			return nil
		}
	}
}

func (m *MariaDB) install(ctx context.Context) (err error) {
	defer upkeep.Wrap(&err, "mariadb-install-db")
	binary, err := lookServer("mariadb-install-db")
	if err != nil {
		return err
	}
	// System tables are loaded into a folder of their own name only at the
	// end, so that an interrupted installation is not taken for a whole one.
	data := filepath.Join(m.Dir, "data")
	if err := os.RemoveAll(data); err != nil {
		return err
	}
	if err := m.makeFolders(); err != nil {
		return err
	}
	half := filepath.Join(m.Dir, "tmp", "half")
	if err := os.RemoveAll(half); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, binary, "--no-defaults", "--datadir="+half, "--skip-test-db",
		"--skip-name-resolve", "--auth-root-authentication-method=socket", "--auth-root-socket-user="+administrator())
	cmd.Dir = m.Dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: m.as}
	cmd.Env = append(os.Environ(), "TMPDIR="+filepath.Join(m.Dir, "tmp"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return upkeep.Errorf(upkeep.CodeUnreachable, "%s: %w", bytes.TrimSpace(out), err)
	}
	if err := os.Remove(data); err != nil {
		return err
	}
	return os.Rename(half, data)
}

func (m *MariaDB) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if conn, err := net.Dial("unix", m.Socket); err == nil {
			_ = conn.Close() // only asked whether somebody listens
			if _, err := m.Exec(ctx, "", "SELECT 1;"); err == nil {
				return nil
			}
		}
		select {
		case <-m.exited:
			m.pid = 0
			return upkeep.Errorf(upkeep.CodeUnreachable, "mariadbd ended at once: %s", lastLines(m.Log(), 5)).
				WithHint("Read %s.", m.logFile())
		case <-ctx.Done():
			return upkeep.Errorf(upkeep.CodeUnreachable, "mariadbd does not answer on %s: %w", m.Socket, ctx.Err()).
				WithHint("Read %s.", m.logFile())
		case <-tick.C:
		}
	}
}

func (m *MariaDB) end(ctx context.Context, sig syscall.Signal) error {
	if m.pid == 0 || (m.cmd == nil && m.runningPID() != m.pid) {
		m.pid = 0
		return nil
	}
	if err := syscall.Kill(m.pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signal mariadbd %d: %w", m.pid, err)
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for m.cmd != nil || m.runningPID() == m.pid {
		select {
		case <-m.exited:
			m.cmd, m.pid = nil, 0
			return nil
		case <-ctx.Done():
			return upkeep.Errorf(upkeep.CodeConflict, "mariadbd %d does not end: %w", m.pid, ctx.Err())
		case <-tick.C:
		}
	}
	m.pid = 0
	return nil
}

// runningPID returns the process that serves dir, 0 when there is none. A
// number from a stale pid file may belong to a stranger by now: the process
// must be a mariadbd on our data folder.
func (m *MariaDB) runningPID() int {
	text, err := os.ReadFile(m.pidFile())
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || !bytes.Contains(line, []byte("\x00--datadir="+filepath.Join(m.Dir, "data")+"\x00")) {
		return 0
	}
	return pid
}

// credential returns the account a server runs as, nil when we are not root
// and run it ourselves.
func credential(account string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	if account == "" {
		account = "www-data"
	}
	u, err := user.Lookup(account)
	if err != nil {
		return nil, upkeep.Errorf(upkeep.CodeNotFound, "account %q: %w", account, err).
			WithHint("Name an existing unprivileged account.")
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

func administrator() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "root"
}

// lookServer finds a program in PATH or where Debian keeps servers, which is
// not in everybody's PATH.
func lookServer(name string) (string, error) {
	for _, candidate := range []string{name, "/usr/sbin/" + name, "/usr/local/sbin/" + name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path, nil
		}
	}
	return "", upkeep.Errorf(upkeep.CodeNotFound, "%s is not installed", name).
		WithHint("Install it: apt-get install mariadb-server")
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], " | ")
}
