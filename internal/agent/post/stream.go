package post

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/hashicorp/yamux"

	"upkeep"
	"upkeep/internal/agent"
)

// Greeting is the line that Serve begins with, without its end: whoever
// reached a host knows by it that it is this very program that answers there.
func Greeting(version string) string {
	return fmt.Sprintf("upkeep-post %d %s", agent.ProtocolVersion, version)
}

// Limits of what either end takes from the other.
const (
	maxLine    = 64 << 10         // bytes of a request, or of its answer
	answerTime = 60 * time.Second // for an answer; starting an agent and waiting for another to leave are within
	pulse      = 10 * time.Second // between signs of life, and for one to be answered
	window     = 1 << 20          // bytes of a connection that may be under way
)

// request is what a connection begins with: one line of JSON, answered by one.
type request struct {
	Op   string `json:"op"`
	Name string `json:"name,omitempty"`
	Root string `json:"root,omitempty"`

	Target Target `json:"target,omitzero"`
}

type answer struct {
	Result json.RawMessage `json:"result,omitempty"`
	Error  *upkeep.Error   `json:"error,omitempty"`
}

func settings() *yamux.Config {
	c := yamux.DefaultConfig()
	c.KeepAliveInterval, c.ConnectionWriteTimeout, c.StreamOpenTimeout = pulse, pulse, answerTime
	c.MaxStreamWindowSize = window
	c.LogOutput = io.Discard // what went wrong is told to who calls
	return c
}

// Serve answers for local on stream until the other end closes it, after it
// has written greeting and a line's end.
func Serve(ctx context.Context, stream io.ReadWriteCloser, greeting string, local *Local) error {
	if _, err := io.WriteString(stream, greeting+"\n"); err != nil {
		return err
	}
	session, err := yamux.Server(stream, settings())
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = session.Close() })
	defer stop()
	for {
		conn, err := session.Accept()
		if err != nil {
			return ctx.Err() // the other end has gone
		}
		go attend(ctx, conn, local)
	}
}

// attend answers the request that a connection begins with.
func attend(ctx context.Context, conn net.Conn, local *Local) {
	defer conn.Close()
	in := bufio.NewReaderSize(conn, maxLine)
	line, err := in.ReadSlice('\n')
	var r request
	if err == nil {
		err = json.Unmarshal(line, &r)
	}
	if err != nil {
		return // it speaks another language
	}
	var result any
	var through net.Conn
	if r.Op == "dial" {
		through, err = dial(ctx, local, r)
	} else {
		result, err = operate(ctx, local, r)
	}
	var a answer
	if err != nil {
		a.Error = upkeep.Told(err)
	} else if a.Result, err = json.Marshal(result); err != nil {
		return
	}
	if json.NewEncoder(conn).Encode(a) != nil {
		return
	}
	switch {
	case through != nil:
		pipe(through, conn, in)
	case r.Op == "scan" && err == nil:
		attendScan(ctx, conn, in, local)
	}
}

// pipe carries both ways until either end is closed.
func pipe(through, conn net.Conn, in io.Reader) {
	ended := make(chan struct{}, 2)
	go func() { _, _ = io.Copy(through, in); ended <- struct{}{} }()
	go func() { _, _ = io.Copy(conn, through); ended <- struct{}{} }()
	<-ended
	_, _ = through.Close(), conn.Close()
	<-ended
}

func dial(ctx context.Context, local *Local, r request) (net.Conn, error) {
	dir, err := local.folder(r.Name)
	if err != nil {
		return nil, err
	}
	st, err := lstat(dir)
	if err != nil {
		return nil, err
	}
	return agent.NewClient(dir, int(st.Uid)).Dial(ctx)
}

func operate(ctx context.Context, local *Local, r request) (any, error) {
	switch r.Op {
	case "start":
		client, err := local.Start(ctx, r.Name, r.Root)
		if err == nil {
			client.Close()
		}
		return nil, err
	case "find":
		return local.Find(ctx, r.Root)
	case "open":
		return local.Open(ctx, r.Name)
	case "sweep":
		return local.Sweep(ctx)
	case "make":
		return nil, local.Make(ctx, r.Target)
	case "describe":
		return Describe(ctx), nil
	case "leave":
		return nil, local.Leave(ctx)
	case "scan": // what to look for, and what was found, are longer than lines
		return nil, nil
	}
	return nil, upkeep.Errorf(upkeep.CodeInvalid, "operation %q", r.Op)
}

// Client starts agents on the host at the other end of a stream.
type Client struct{ session *yamux.Session }

// Over returns a client that uses stream, which it owns from now on. The
// greeting was read already.
func Over(stream io.ReadWriteCloser) (*Client, error) {
	c := settings()
	c.AcceptBacklog = 16 // the host has nothing to ask for; it also bounds how many of ours wait to be taken
	session, err := yamux.Client(stream, c)
	return &Client{session}, err
}

// Close ends all connections. What is open at agents stays open.
func (c *Client) Close() error { return c.session.Close() }

// Alive reports whether the host can still be asked. It is told false at most
// 20 seconds after the host has gone silent.
func (c *Client) Alive() bool { return !c.session.IsClosed() }

// connect begins a connection with a request and takes the answer.
func (c *Client) connect(ctx context.Context, r request) (_ *stream, result json.RawMessage, err error) {
	conn, err := c.session.Open()
	if err != nil {
		return nil, nil, gone(r.Op, err)
	}
	s := &stream{Conn: conn, in: bufio.NewReaderSize(conn, maxLine)}
	defer func() {
		if err != nil {
			_ = conn.Close() // its error says less
		}
	}()
	if err := conn.SetDeadline(time.Now().Add(answerTime)); err != nil {
		return nil, nil, gone(r.Op, err)
	}
	ended := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) }) // reading and writing fail
	defer ended()
	if err := json.NewEncoder(conn).Encode(r); err != nil {
		return nil, nil, gone(r.Op, err)
	}
	line, err := s.in.ReadSlice('\n')
	if ctx.Err() != nil {
		return nil, nil, ctx.Err()
	}
	if errors.Is(err, bufio.ErrBufferFull) {
		return nil, nil, upkeep.Errorf(upkeep.CodeRefused, "the host answered %s with more than %d bytes", r.Op, maxLine)
	}
	if err != nil {
		return nil, nil, gone(r.Op, err)
	}
	var a answer
	if err := json.Unmarshal(line, &a); err != nil {
		return nil, nil, upkeep.Errorf(upkeep.CodeRefused, "the host answered %s with what is no answer", r.Op)
	}
	if a.Error != nil {
		return nil, nil, a.Error
	}
	return s, a.Result, conn.SetDeadline(time.Time{})
}

func gone(op string, err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, yamux.ErrTimeout) {
		return upkeep.Errorf(upkeep.CodeUnreachable, "the host did not answer %s within %s", op, answerTime)
	}
	return upkeep.Errorf(upkeep.CodeUnreachable, "the connection to the host broke")
}

// stream reads first what came with the answer.
type stream struct {
	net.Conn
	in *bufio.Reader
}

// Read reads through the buffer.
func (s *stream) Read(p []byte) (int, error) { return s.in.Read(p) }

// call is connect for a request that ends with its answer.
func call[R any](ctx context.Context, c *Client, r request) (result R, err error) {
	s, raw, err := c.connect(ctx, r)
	if err != nil {
		return result, err
	}
	if err := s.Close(); err != nil {
		return result, gone(r.Op, err)
	}
	if err := json.Unmarshal(raw, &result); err != nil {
		return result, upkeep.Errorf(upkeep.CodeRefused, "the host answered %s with what is no answer", r.Op)
	}
	return result, nil
}

// Start is Local.Start there.
func (c *Client) Start(ctx context.Context, name, root string) (_ *agent.Client, err error) {
	if _, err := call[any](ctx, c, request{Op: "start", Name: name, Root: root}); err != nil {
		return nil, err
	}
	return agent.NewDialClient(func(ctx context.Context) (net.Conn, error) {
		s, _, err := c.connect(ctx, request{Op: "dial", Name: name})
		if err != nil {
			return nil, err
		}
		return s, nil
	}), nil
}

// Find is Local.Find there.
func (c *Client) Find(ctx context.Context, root string) (*Found, error) {
	found, err := call[Found](ctx, c, request{Op: "find", Root: root})
	return &found, err
}

// Open is Local.Open there.
func (c *Client) Open(ctx context.Context, name string) (bool, error) {
	return call[bool](ctx, c, request{Op: "open", Name: name})
}

// Sweep is Local.Sweep there.
func (c *Client) Sweep(ctx context.Context) ([]string, error) {
	return call[[]string](ctx, c, request{Op: "sweep"})
}

// Make is Local.Make there.
func (c *Client) Make(ctx context.Context, t Target) error {
	_, err := call[any](ctx, c, request{Op: "make", Target: t})
	return err
}

// Describe is Describe there.
func (c *Client) Describe(ctx context.Context) (*Description, error) {
	d, err := call[Description](ctx, c, request{Op: "describe"})
	return &d, err
}

// Leave is Local.Leave there.
func (c *Client) Leave(ctx context.Context) error {
	_, err := call[any](ctx, c, request{Op: "leave"})
	return err
}
