// Package listen is where the API is answered: a unix socket that only its owner
// reaches, a local address, the memory of the process.
package listen

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"upkeep"
)

// SocketName is the name of the unix socket in the state folder.
const SocketName = "upkeep.sock"

// Unix listens on a socket that only the owner reaches: mode 0600 in a
// folder of mode 0700. A socket that a dead server left is replaced.
// CodeConflict when a server answers on it already.
func Unix(ctx context.Context, path string) (_ net.Listener, err error) {
	defer upkeep.Wrap(&err, "listen on %s", path)
	dir := filepath.Dir(path)
	if err := PrivateFolder(dir); err != nil {
		return nil, err
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		conn.Close()
		return nil, upkeep.Errorf(upkeep.CodeConflict, "a server is running").WithHint("Stop it first, or use it.")
	case errors.Is(err, syscall.ECONNREFUSED):
		if err := removeSocket(path); err != nil {
			return nil, err
		}
	}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	// The folder already keeps others out between these two calls.
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// ours are the files that say whose a state folder is.
var ours = [...]string{"upkeep.db", "config.json"}

// PrivateFolder makes a state folder, and keeps others out of one that is
// ours. It takes no rights from a folder that holds something else: somebody
// named it by mistake, and others may need it.
func PrivateFolder(dir string) (err error) {
	defer upkeep.Wrap(&err, "state folder %s", dir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return upkeep.Errorf(upkeep.CodeInvalid, "%w", err).WithHint("Name another folder with --state.")
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	isOurs := len(entries) == 0
	for _, entry := range entries {
		isOurs = isOurs || slices.Contains(ours[:], entry.Name())
	}
	if !isOurs {
		return upkeep.Errorf(upkeep.CodeConflict, "it holds something else, and others may enter it").
			WithHint("Name a folder of its own with --state.")
	}
	return os.Chmod(dir, 0o700)
}

// removeSocket removes path if it is a socket; whatever else bears its name
// is not ours.
func removeSocket(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if info.Mode().Type() != os.ModeSocket {
		return upkeep.Errorf(upkeep.CodeConflict, "not a socket").WithHint("Move the file away.")
	}
	return os.Remove(path)
}

// Local listens on a TCP address of this machine. The API does not
// speak TLS itself; CodeInvalid for an address others could reach.
func Local(ctx context.Context, address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "listen on %q: want HOST:PORT", address)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "listen on %q: not a loopback address", address).
			WithHint("Listen on 127.0.0.1 and put a TLS proxy in front.")
	}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, upkeep.Errorf(upkeep.CodeConflict, "listen on %s: %w", address, err)
	}
	return l, nil
}

// Serve answers h on l until ctx ends, then gives running requests the grace
// to finish. It closes l.
func Serve(ctx context.Context, l net.Listener, h http.Handler, grace time.Duration) error {
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    1 << 16,
		BaseContext:       func(net.Listener) context.Context { return base },
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	timeout, stop := context.WithTimeout(base, grace)
	defer stop()
	err := server.Shutdown(timeout)
	if errors.Is(err, context.DeadlineExceeded) {
		cancel() // streams that never end by themselves
		err = server.Close()
	}
	if serr := <-ended; !errors.Is(serr, http.ErrServerClosed) {
		return serr
	}
	return err
}

// Memory is a listener within the process: what dials it talks to the same
// handlers as over a socket, with nothing on the file system.
type Memory struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// NewMemory returns an open listener.
func NewMemory() *Memory {
	return &Memory{conns: make(chan net.Conn), closed: make(chan struct{})}
}

// Dial connects to the listener.
func (m *Memory) Dial(ctx context.Context) (net.Conn, error) {
	server, client := net.Pipe()
	select {
	case m.conns <- server:
		return client, nil
	case <-m.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept waits for a connection.
func (m *Memory) Accept() (net.Conn, error) {
	select {
	case conn := <-m.conns:
		return conn, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept and Dial.
func (m *Memory) Close() error {
	m.once.Do(func() { close(m.closed) })
	return nil
}

// Addr names the listener in logs.
func (m *Memory) Addr() net.Addr { return memoryAddr{} }

type memoryAddr struct{}

func (memoryAddr) Network() string { return "memory" }
func (memoryAddr) String() string  { return "memory" }
