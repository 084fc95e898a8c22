package upkeeptest

import (
	"bytes"
	"crypto/rand"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"upkeep/internal/web"
)

// Host is an OpenSSH server on this machine that a Program adopts: on a port
// of its own, with its own host key and a login of its own, behind a Link.
type Host struct {
	*Link
	Dir    string
	Login  string // account; "root" is the machine's
	Config string // of ssh, which names the key that gets in
	server *exec.Cmd
	port   int // of the server itself
}

// Login is who a host is entered as.
type Login string

// The logins: the machine's root; an account made for the test, which may
// become root by sudo; one that may not.
const (
	AsRoot   Login = "root"
	AsSudoer Login = "sudoer"
	AsOwner  Login = "owner"
)

// NewHost starts a server with a login.
func NewHost(t testing.TB, login Login) *Host {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can have others log in")
	}
	dir, err := os.MkdirTemp("", "upkeep-sshd-")
	if err != nil {
		t.Fatal(err)
	}
	h := &Host{Dir: dir, Login: "root", Config: filepath.Join(dir, "ssh_config")}
	t.Cleanup(func() {
		h.Stop()
		_ = os.RemoveAll(dir) // in a folder for what is temporary
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if login != AsRoot {
		h.Login = account(t, login == AsSudoer)
	}
	for _, name := range []string{"host", "login"} {
		runHere(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, name))
	}
	if h.port, err = freePort(); err != nil {
		t.Fatal(err)
	}
	h.Start(t)
	if h.Link, err = NewLink(net.JoinHostPort("127.0.0.1", strconv.Itoa(h.port))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Link.Close)
	text := "IdentityFile " + filepath.Join(dir, "login") + "\nIdentitiesOnly yes\nIdentityAgent none\n"
	if err := os.WriteFile(h.Config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return h
}

// account makes an account that can log in, with a home of its own, for the
// test. One with sudo may become root without a password.
func account(t testing.TB, sudo bool) string {
	t.Helper()
	name := "upkt-" + strings.ToLower(rand.Text()[:12])
	runHere(t, "useradd", "--create-home", "--home-dir", filepath.Join("/home", name), "--shell", "/bin/sh", "--password", "*", name)
	rules := filepath.Join("/etc/sudoers.d", name)
	t.Cleanup(func() {
		for _, pid := range Processes("/home/" + name + "/") {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended by itself
		}
		runHere(t, "userdel", "--remove", "--force", name)
		_ = os.Remove(rules) // there or not
	})
	if !sudo {
		return name
	}
	if err := os.WriteFile(rules, []byte(name+" ALL=(root) NOPASSWD: /bin/sh\n"), 0o440); err != nil {
		t.Fatal(err)
	}
	return name
}

// runHere runs a program of the machine. Those that change accounts want to be
// alone, and to be asked again when they are not.
func runHere(t testing.TB, name string, args ...string) {
	t.Helper()
	Eventually(t, time.Minute, name+" to have its turn", func() bool {
		out, err := exec.Command(name, args...).CombinedOutput()
		if err != nil && strings.Contains(string(out), "try again later") {
			return false
		}
		if err != nil && !strings.Contains(string(out), "mail spool") {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		return true
	})
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return listener.Addr().(*net.TCPAddr).Port, listener.Close()
}

// Start starts the server.
func (h *Host) Start(t testing.TB) {
	t.Helper()
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil { // what privileges are separated in
		t.Fatal(err)
	}
	config := filepath.Join(h.Dir, "sshd_config")
	lines := []string{"Port " + strconv.Itoa(h.port), "ListenAddress 127.0.0.1", "HostKey " + filepath.Join(h.Dir, "host"),
		"AuthorizedKeysFile " + filepath.Join(h.Dir, "login.pub"), "PidFile none", "UsePAM no", "StrictModes no",
		"Subsystem sftp internal-sftp", "PasswordAuthentication no", "PermitRootLogin yes", "MaxStartups 100", "LogLevel VERBOSE"}
	if err := os.WriteFile(config, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.server = exec.Command("/usr/sbin/sshd", "-D", "-E", filepath.Join(h.Dir, "log"), "-f", config)
	h.server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := h.server.Start(); err != nil {
		t.Fatal(err)
	}
	Eventually(t, 20*time.Second, "sshd to listen", func() bool {
		conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(h.port)))
		if err != nil {
			return false
		}
		return conn.Close() == nil
	})
}

// Stop ends the server. Its sessions go on.
func (h *Host) Stop() {
	if h.server != nil {
		_ = h.server.Process.Kill() // it may have ended by itself
		_ = h.server.Wait()
		h.server = nil
	}
}

// KillSessions kills the processes of the server that hold connections.
func (h *Host) KillSessions(t testing.TB) {
	t.Helper()
	for _, pid := range Children(h.server.Process.Pid) {
		for _, below := range Children(pid) { // the one that works with the account's rights
			Kill(t, below)
		}
		Kill(t, pid)
	}
}

// Rekey gives the server another host key, as somebody in between would have.
func (h *Host) Rekey(t testing.TB) {
	t.Helper()
	h.Stop()
	for _, name := range []string{"host", "host.pub"} {
		if err := os.Remove(filepath.Join(h.Dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	runHere(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(h.Dir, "host"))
	h.Start(t)
}

// URL is the address of the host, through its link.
func (h *Host) URL() string { return "ssh://" + h.Login + "@" + h.Addr() }

// Fingerprint is what the machine itself says of its key.
func (h *Host) Fingerprint(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("ssh-keygen", "-lf", filepath.Join(h.Dir, "host.pub")).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.Fields(out)[1])
}

// AdoptHost adds a host to the program under the name "web1", with the
// fingerprint that the machine itself says.
func (p *Program) AdoptHost(t testing.TB, h *Host, flags ...string) *web.Host {
	t.Helper()
	if err := os.MkdirAll(p.State, 0o700); err != nil {
		t.Fatal(err)
	}
	Configure(t, p, "ssh_config", h.Config)
	host := JSON[web.Host](t, p, append([]string{"host", "add", h.URL(), "--name", "web1", "--fingerprint", h.Fingerprint(t)}, flags...)...)
	folder := Place(t, h, &host)
	p.folder = folder
	t.Cleanup(func() {
		for _, pid := range Processes("agent", folder) {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended by itself
		}
		if err := os.RemoveAll(folder); err != nil {
			t.Errorf("remove what is on the host: %v", err)
		}
		_ = os.Remove(filepath.Dir(folder)) // unless another test has something there
	})
	return &host
}

// Place is our folder on a host.
func Place(t testing.TB, h *Host, host *web.Host) string {
	t.Helper()
	if h.Login == "root" || host.Sudo {
		return filepath.Join("/var/lib/upkeep-agent", host.Mark)
	}
	return filepath.Join("/home", h.Login, ".upkeep", host.Mark)
}

// Link carries connections to an address until it is cut or stalls.
type Link struct {
	listener net.Listener
	to       string

	mu      sync.Mutex
	turned  *sync.Cond
	stalled bool
	down    bool
	open    map[net.Conn]struct{}
	carried atomic.Int64
}

// NewLink returns a link to an address.
func NewLink(to string) (*Link, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &Link{listener: listener, to: to, open: map[net.Conn]struct{}{}}
	l.turned = sync.NewCond(&l.mu)
	go l.serve()
	return l, nil
}

// Addr is where the link is entered, host:port.
func (l *Link) Addr() string { return l.listener.Addr().String() }

// Carried is how many bytes went through, both ways.
func (l *Link) Carried() int64 { return l.carried.Load() }

func (l *Link) serve() {
	for {
		in, err := l.listener.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", l.to)
		if err != nil {
			_ = in.Close()
			continue
		}
		l.mu.Lock()
		if l.down {
			_, _ = in.Close(), out.Close()
		}
		l.open[in], l.open[out] = struct{}{}, struct{}{}
		l.mu.Unlock()
		go l.carry(in, out)
		go l.carry(out, in)
	}
}

func (l *Link) carry(from, to net.Conn) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		l.mu.Lock()
		for l.stalled {
			l.turned.Wait()
		}
		l.mu.Unlock()
		l.carried.Add(int64(n))
		if _, werr := to.Write(buffer[:n]); err != nil || werr != nil {
			break
		}
	}
	_, _ = from.Close(), to.Close()
	l.mu.Lock()
	delete(l.open, from)
	delete(l.open, to)
	l.mu.Unlock()
}

// Cut ends all connections, and those that come while it is down.
func (l *Link) Cut(down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = down
	for conn := range l.open {
		_ = conn.Close() // closed twice is closed
	}
}

// Stall stops or goes on carrying; nobody is told.
func (l *Link) Stall(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stalled = on
	l.turned.Broadcast()
}

// Close ends the link.
func (l *Link) Close() {
	_ = l.listener.Close() // closed twice is closed
	l.Stall(false)
	l.Cut(true)
}
