// Package pace bounds how many bytes a second go over a line, and lets all of
// them pass while somebody is in a hurry.
package pace

import (
	"context"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// piece is how many bytes wait for their turn together. It bounds how far the
// pace of a second is passed.
const piece = 16 << 10

// Pace bounds a line. One that is nil bounds nothing. Its methods may be called
// concurrently.
type Pace struct {
	limit *rate.Limiter // nil: none

	mu      sync.Mutex
	hurried int           // how many are in a hurry
	hurry   chan struct{} // closed while somebody is
}

// New returns a pace of so many bytes a second; 0 is as fast as it goes.
func New(perSecond int64) *Pace {
	p := &Pace{hurry: make(chan struct{})}
	if perSecond > 0 {
		p.limit = rate.NewLimiter(rate.Limit(perSecond), piece)
	}
	return p
}

// Wait returns when n bytes may go.
func (p *Pace) Wait(ctx context.Context, n int) error {
	if p == nil || p.limit == nil {
		return ctx.Err()
	}
	for n > 0 {
		next := min(n, piece)
		n -= next
		p.mu.Lock()
		hurry := p.hurry
		p.mu.Unlock()
		select {
		case <-hurry:
			return ctx.Err()
		default:
		}
		timer := time.NewTimer(p.limit.ReserveN(time.Now(), next).Delay())
		select {
		case <-timer.C:
		case <-hurry:
			timer.Stop()
			return ctx.Err()
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
	return ctx.Err()
}

// Hurry lifts the bound for everybody, also for those who wait already: what
// is before the hurried one in the line would hold it up. done puts it back,
// and may be called more than once.
func (p *Pace) Hurry() (done func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hurried++; p.hurried == 1 {
		close(p.hurry)
	}
	return sync.OnceFunc(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.hurried--; p.hurried == 0 {
			p.hurry = make(chan struct{})
		}
	})
}

// Hurried reports whether somebody is in a hurry.
func (p *Pace) Hurried() bool {
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hurried > 0
}

// Conn bounds what is written to a connection.
func (p *Pace) Conn(conn net.Conn) net.Conn { return &pacedConn{Conn: conn, pace: p} }

// Stream bounds what is written to a stream.
func (p *Pace) Stream(stream io.ReadWriteCloser) io.ReadWriteCloser {
	return &pacedStream{ReadWriteCloser: stream, pace: p}
}

type pacedConn struct {
	net.Conn
	pace *Pace
}

func (c *pacedConn) Write(b []byte) (int, error) { return c.pace.write(c.Conn, b) }

type pacedStream struct {
	io.ReadWriteCloser
	pace *Pace
}

func (s *pacedStream) Write(b []byte) (int, error) { return s.pace.write(s.ReadWriteCloser, b) }

// write writes piece by piece, each when its turn has come.
func (p *Pace) write(w io.Writer, b []byte) (written int, err error) {
	if p == nil || p.limit == nil {
		return w.Write(b)
	}
	for len(b) > 0 {
		next := b[:min(len(b), piece)]
		if err := p.Wait(context.Background(), len(next)); err != nil {
			return written, err
		}
		n, err := w.Write(next)
		if written += n; err != nil {
			return written, err
		}
		b = b[len(next):]
	}
	return written, nil
}
