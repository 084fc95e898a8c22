package agent

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"upkeep"
	"upkeep/internal/agent/wire"
)

// Run serves the agent's socket until ctx ends or there has been nothing to
// do for the configured time. A journal that an earlier agent left is
// recovered first: undone when it was not committed, then thawed.
func (a *Agent) Run(ctx context.Context) (err error) {
	defer upkeep.Wrap(&err, "agent for %s", a.config.Root)
	listener, err := listen(a.config.Dir)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// Before anybody can ask for something that would hold it up.
	if err := a.recover(ctx); err != nil {
		a.config.Log.Error("recovery", "error", err)
	}
	server := &http.Server{Handler: a.routes(ctx), ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	guarded := make(chan error, 1)
	go func() { guarded <- a.guard(ctx) }()
	select {
	case err = <-served:
	case err = <-guarded:
	}
	cancel()
	shutdown, stop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer stop()
	return errors.Join(ignoreClosed(err), server.Shutdown(shutdown), a.memory.Save(a.path("memory")))
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// listen makes the agent's socket. The path may be longer than a socket
// address can hold, so the folder is reached through an open descriptor.
func listen(dir string) (net.Listener, error) {
	folder, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	if err := os.Remove(filepath.Join(dir, socketName)); err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: viaDescriptor(folder, socketName)})
	if err != nil {
		return nil, err
	}
	listener.SetUnlinkOnClose(false)
	return listener, os.Chmod(filepath.Join(dir, socketName), 0o600)
}

// routes lists every operation. Those that only look end when the caller
// goes away; those that change the site run to their end.
func (a *Agent) routes(life context.Context) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /status", look(a, a.opStatus))
	mux.HandleFunc("POST /alive", func(http.ResponseWriter, *http.Request) {}) // that it answers is the answer
	mux.HandleFunc("POST /detect", turn(a, look2(a.opDetect)))
	mux.HandleFunc("POST /inventory", turn(a, look2(a.opInventory)))
	mux.HandleFunc("POST /integrity", turn(a, look2(a.opIntegrity)))
	mux.HandleFunc("POST /propose", turn(a, look2(a.opPropose)))
	mux.HandleFunc("POST /open", change(a, life, a.opOpen))
	mux.HandleFunc("PUT /package/{sha256}", a.receivePackage)
	mux.HandleFunc("POST /stage", turn(a, look2(a.opStage)))
	mux.HandleFunc("POST /freeze", change(a, life, a.opFreeze))
	mux.HandleFunc("POST /read", turn(a, look2(a.opRead)))
	mux.HandleFunc("POST /apply", change(a, life, a.opApply))
	mux.HandleFunc("POST /readback", turn(a, look2(a.opReadBack)))
	mux.HandleFunc("POST /undo", change(a, life, a.opUndo))
	mux.HandleFunc("POST /commit", change(a, life, a.opCommit))
	mux.HandleFunc("POST /thaw", change(a, life, a.opThaw))
	mux.HandleFunc("POST /close", change(a, life, a.opClose))
	mux.HandleFunc("POST /restore", change(a, life, a.opRestore))
	mux.HandleFunc("POST /blobs", a.takeBlobs)
	mux.HandleFunc("POST /quit", look(a, a.opQuit))
	return a.alive(mux)
}

// alive notes every request as a sign of life from the control plane.
func (a *Agent) alive(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.sign()
		next.ServeHTTP(w, r)
		a.sign()
	})
}

func (a *Agent) sign() {
	a.mu.Lock()
	a.lastSign = a.config.Now()
	a.mu.Unlock()
}

// operation is one kind of request.
type operation[Q, R any] func(ctx context.Context, call *call, request Q) (R, error)

// call is one request under way.
type call struct {
	out     *json.Encoder
	flusher http.Flusher
	last    time.Time
}

// progress tells the caller how far the operation is, a few times a second.
func (c *call) progress(p upkeep.Progress) {
	if time.Since(c.last) < 200*time.Millisecond && p.Done != p.Total {
		return
	}
	c.last = time.Now()
	c.send(frame{Progress: &p})
}

// send writes one line. A caller that went away is noticed by its silence.
func (c *call) send(f frame) {
	_ = c.out.Encode(f)
	c.flusher.Flush()
}

// look serves an operation that needs no turn.
func look[Q, R any](a *Agent, op operation[Q, R]) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { serve(a, w, r, r.Context(), op) }
}

// handler is an operation with its types hidden.
type handler func(a *Agent, w http.ResponseWriter, r *http.Request, ctx context.Context)

func look2[Q, R any](op operation[Q, R]) handler {
	return func(a *Agent, w http.ResponseWriter, r *http.Request, ctx context.Context) { serve(a, w, r, ctx, op) }
}

// turn serves an operation when no other runs; it ends with its caller.
func turn(a *Agent, h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, end := a.begin(r.Context())
		defer end()
		h(a, w, r, ctx)
	}
}

// change serves an operation that goes on when its caller goes away.
func change[Q, R any](a *Agent, life context.Context, op operation[Q, R]) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, end := a.begin(life)
		defer end()
		serve(a, w, r, ctx, op)
	}
}

// begin takes the turn and makes the operation one that the guard can end.
func (a *Agent) begin(parent context.Context) (context.Context, func()) {
	a.turn.Lock()
	a.adoptKnown()
	ctx, cancel := context.WithCancelCause(parent)
	a.mu.Lock()
	a.running = cancel
	a.mu.Unlock()
	return ctx, func() {
		a.mu.Lock()
		a.running = nil
		a.lastSign = a.config.Now()
		a.mu.Unlock()
		cancel(nil)
		a.turn.Unlock()
	}
}

func serve[Q, R any](a *Agent, w http.ResponseWriter, r *http.Request, ctx context.Context, op operation[Q, R]) {
	var request Q
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	c := &call{out: json.NewEncoder(w), flusher: w.(http.Flusher)}
	result, err := operate(a, r, func() (R, error) { return op(ctx, c, request) })
	if err != nil {
		if cause := context.Cause(ctx); cause != nil && upkeep.CodeOf(cause) == upkeep.CodeInterrupted {
			err = cause
		}
		a.config.Log.Warn("operation", "path", r.URL.Path, "error", err)
		c.send(frame{Error: upkeep.Told(spaced(err))})
		return
	}
	c.send(frame{Result: result})
}

// spaced gives a full disk its code and the next step, whichever act met it.
func spaced(err error) error {
	if (errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)) && upkeep.HintOf(err) == "" {
		return upkeep.Errorf(upkeep.CodeNoSpace, "%w", err).WithHint("Free some space on this file system, then try again.")
	}
	return err
}

// operate runs op unless it is meant for another intervention than the one
// that is open: a worker that slept through its own must not touch the next.
func operate[R any](a *Agent, r *http.Request, op func() (R, error)) (R, error) {
	held := r.Header.Get(holdHeader)
	switch r.URL.Path {
	case "/status", "/quit", "/detect", "/inventory", "/integrity", "/open":
		held = ""
	}
	if s, err := a.current(); err == nil && held != "" && held != s.opened.Intervention.String() {
		var none R
		return none, upkeep.Errorf(upkeep.CodeConflict, "the site is in the hands of another intervention")
	}
	return op()
}

// takeBlobs turns the connection into the one the vault is reached by.
func (a *Agent) takeBlobs(w http.ResponseWriter, r *http.Request) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		conn.Close()
		return
	}
	// Known before it is confirmed: the caller uses it at once.
	client := wire.NewClient(&bufferedConn{Conn: conn, in: buffered.Reader})
	a.mu.Lock()
	before := a.blobs
	a.blobs = client
	a.mu.Unlock()
	if _, err := io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: upkeep-blobs\r\nConnection: Upgrade\r\n\r\n"); err != nil {
		client.Close()
	}
	if before != nil {
		before.Close()
	}
}

// bufferedConn reads first what the HTTP reader took already.
type bufferedConn struct {
	net.Conn
	in *bufio.Reader
}

// Read reads through the buffer.
func (c *bufferedConn) Read(p []byte) (int, error) { return c.in.Read(p) }

// receivePackage stores an upload under its SHA-256, which is checked.
func (a *Agent) receivePackage(w http.ResponseWriter, r *http.Request) {
	sum := r.PathValue("sha256")
	if len(sum) != 64 || strings.Trim(sum, "0123456789abcdef") != "" {
		http.Error(w, "not a sha256", http.StatusBadRequest)
		return
	}
	if err := a.storePackage(r.Body, sum); err != nil {
		a.config.Log.Warn("package", "sha256", sum, "error", err)
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
