package sftp

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"sync/atomic"
	"time"

	"github.com/pkg/sftp"

	"upkeep"
)

// Dial connects to where an SFTP server speaks.
type Dial func(ctx context.Context) (io.ReadWriteCloser, error)

// idleTime is how long the server may say nothing while it is asked something.
const idleTime = 30 * time.Second

// line is the connection to a server. Whoever has the turn may connect anew.
type line struct {
	dial Dial
	turn chan struct{}
	now  *session // nil before the first use and after it broke
}

// session is one connection.
type session struct {
	client *sftp.Client
	stream *watched
}

// use has do work with the connection. It does not wait for a server that says
// nothing, nor when ctx ends: do then goes on for itself, until its connection
// ends.
func use[T any](ctx context.Context, l *line, do func(*sftp.Client) (T, error)) (T, error) {
	var none T
	s, err := l.connect(ctx)
	if err != nil {
		return none, err
	}
	type answer struct {
		result T
		err    error
	}
	done := s.stream.watch()
	answered := make(chan answer, 1)
	go func() {
		defer done()
		result, err := do(s.client)
		answered <- answer{result, err}
	}()
	select {
	case a := <-answered:
		if a.err != nil && (s.stream.broken.Load() || broke(a.err)) {
			l.drop(s)
			return none, unreachable(a.err)
		}
		return a.result, explained(a.err)
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// do is use for what has no result.
func (l *line) do(ctx context.Context, work func(*sftp.Client) error) error {
	_, err := use(ctx, l, func(client *sftp.Client) (struct{}, error) { return struct{}{}, work(client) })
	return err
}

func (l *line) connect(ctx context.Context) (*session, error) {
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-l.turn }()
	if l.now != nil && !l.now.stream.broken.Load() {
		return l.now, nil
	}
	stream, err := l.dial(ctx)
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	w := &watched{ReadWriteCloser: stream}
	done := w.watch()
	defer done()
	client, err := sftp.NewClientPipe(w, w, sftp.UseConcurrentWrites(true))
	if err != nil {
		_ = stream.Close() // the error says more
		return nil, unreachable(err)
	}
	l.now = &session{client, w}
	return l.now, nil
}

// drop closes a connection that broke, unless another has done so.
func (l *line) drop(s *session) {
	_ = s.stream.Close() // it is broken
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	if l.now == s {
		l.now = nil
	}
}

// watched is a stream that is closed when the other side says nothing for too
// long although it is asked.
type watched struct {
	io.ReadWriteCloser
	heard  atomic.Int64 // when the other side last said something
	asked  atomic.Int64 // requests under way
	broken atomic.Bool
}

// Read notes that something was heard.
func (w *watched) Read(b []byte) (int, error) {
	n, err := w.ReadWriteCloser.Read(b)
	w.heard.Store(time.Now().UnixNano())
	if err != nil {
		w.broken.Store(true)
	}
	return n, err
}

// watch watches until done is called.
func (w *watched) watch() (done func()) {
	if w.asked.Add(1) == 1 {
		w.heard.Store(time.Now().UnixNano())
	}
	ended := make(chan struct{})
	go func() {
		tick := time.NewTicker(idleTime / 10)
		defer tick.Stop()
		for {
			select {
			case <-ended:
				return
			case <-tick.C:
			}
			if time.Since(time.Unix(0, w.heard.Load())) > idleTime {
				w.broken.Store(true)
				_ = w.Close() // whoever reads from it is told
				return
			}
		}
	}()
	return func() {
		w.asked.Add(-1)
		close(ended)
	}
}

// broke reports whether an error is of the connection, not of what was asked.
func broke(err error) bool {
	return errors.Is(err, sftp.ErrSSHFxConnectionLost) || errors.Is(err, sftp.ErrSSHFxNoConnection) || errors.Is(err, io.ErrClosedPipe)
}

func unreachable(err error) error {
	return upkeep.Errorf(upkeep.CodeUnreachable, "the connection to the storage broke: %w", err).
		WithHint("Is it up? upkeep vault check tells when it is again.")
}

// explained gives an error of the server its code.
func explained(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return upkeep.Errorf(upkeep.CodeUnauthorized, "the storage does not let us: %w", err).
			WithHint("May the login make and write the vault's folder there?")
	}
	return err
}

// little is what is left of a file system when it counts as full.
const little = 1 << 20

// noSpace gives a full disk its code: the protocol itself only says that
// something failed.
func noSpace(client *sftp.Client, folder string, err error) error {
	stat, statErr := client.StatVFS(folder)
	if statErr != nil || stat.Frsize*stat.Bavail > little {
		return err
	}
	return upkeep.Errorf(upkeep.CodeNoSpace, "vault: %w", err).
		WithHint("Free space where the vault is kept, or prune it.")
}
