package agent

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"upkeep"
	"upkeep/internal/agent/wire"
	"upkeep/internal/cms"
	"upkeep/internal/vault"
)

const socketName = "agent.sock"

// viaDescriptor names a socket through an open folder: socket addresses hold
// 107 bytes, folders of sites can be longer.
func viaDescriptor(folder *os.File, name string) string {
	return fmt.Sprintf("/proc/self/fd/%d/%s", folder.Fd(), name)
}

// Client is the control plane's end of the protocol.
type Client struct {
	dial     func(ctx context.Context) (net.Conn, error)
	http     *http.Client
	owner    int                    // the account that the agent must run as
	held     *upkeep.InterventionID // that operations are for; nil for any
	progress func(upkeep.Progress)
	stop     context.CancelFunc // ends serving blobs
	glance   time.Duration      // between two looks whether the agent lives
}

// NewClient returns a client of the agent whose folder is dir on this host,
// and which runs as account owner.
func NewClient(dir string, owner int) *Client {
	c := NewDialClient(nil)
	c.owner = owner
	c.dial = func(ctx context.Context) (net.Conn, error) {
		folder, err := os.Open(dir)
		if err != nil {
			return nil, err
		}
		defer folder.Close()
		conn, err := (&net.Dialer{}).DialContext(ctx, "unix", viaDescriptor(folder, socketName))
		if err != nil {
			return nil, err
		}
		if err := ownedBy(conn, c.owner); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		return conn, nil
	}
	return c
}

// ownedBy makes sure that the other end runs as owner: the site's account can
// put a link to any socket in the place of its agent's.
func ownedBy(conn net.Conn, owner int) error {
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return err
	}
	var peer *unix.Ucred
	var asked error
	err = raw.Control(func(fd uintptr) {
		peer, asked = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(err, asked); err != nil {
		return err
	}
	if int(peer.Uid) != owner {
		return upkeep.Errorf(upkeep.CodeRefused, "account %d answers where account %d should", peer.Uid, owner)
	}
	return nil
}

// Hold makes every operation be refused when the agent works for another
// intervention than id by then.
func (c *Client) Hold(id upkeep.InterventionID) { c.held = &id }

// holdHeader carries the intervention that an operation is for.
const holdHeader = "Upkeep-Intervention"

// NewDialClient returns a client of the agent that dial connects to.
func NewDialClient(dial func(ctx context.Context) (net.Conn, error)) *Client {
	transport := &http.Transport{
		MaxIdleConns:    2,
		IdleConnTimeout: time.Minute,
	}
	c := &Client{dial: dial, http: &http.Client{Transport: transport}, progress: func(upkeep.Progress) {}, stop: func() {}, glance: clientGlance}
	transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return c.dial(ctx) }
	return c
}

// Dial opens a connection to the agent, for who carries it elsewhere.
func (c *Client) Dial(ctx context.Context) (net.Conn, error) { return c.dial(ctx) }

// OnProgress calls fn, from the goroutine of the call, while operations run.
func (c *Client) OnProgress(fn func(upkeep.Progress)) { c.progress = fn }

// Close lets go of the agent; what is open there stays open.
func (c *Client) Close() {
	c.stop()
	c.http.CloseIdleConnections()
}

// ask sends a request and decodes the result, reporting progress meanwhile.
func ask[R any](ctx context.Context, c *Client, op string, request any) (result R, err error) {
	ctx, stop := c.watch(ctx)
	defer stop()
	body, err := json.Marshal(request)
	if err != nil {
		return result, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://agent/"+op, strings.NewReader(string(body)))
	if err != nil {
		return result, err
	}
	if c.held != nil {
		r.Header.Set(holdHeader, c.held.String())
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return result, unreachable(ctx, op, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<10)) // only to explain the status
		return result, upkeep.Errorf(upkeep.CodeInternal, "agent %s: %s: %s", op, answer.Status, text)
	}
	lines := json.NewDecoder(io.LimitReader(answer.Body, maxAnswer))
	for {
		var line struct {
			Progress *upkeep.Progress `json:"progress"`
			Result   R                `json:"result"`
			Error    *upkeep.Error    `json:"error"`
		}
		if err := lines.Decode(&line); err != nil {
			return result, unreachable(ctx, op, err)
		}
		switch {
		case line.Progress != nil:
			c.progress(*line.Progress)
		case line.Error != nil:
			return result, line.Error
		default:
			_, _ = answer.Body.Read(make([]byte, 1)) // its end: the connection serves the next one too
			return line.Result, nil
		}
	}
}

// watch returns a context that ends when the agent gives no sign of life: one
// that hangs, or was stopped by its account, must not keep a worker for good.
func (c *Client) watch(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		tick := time.NewTicker(c.glance)
		defer tick.Stop()
		for missed := 0; missed < patienceOfClients; {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if missed++; c.lives(ctx) {
				missed = 0
			}
		}
		cancel(upkeep.Errorf(upkeep.CodeUnreachable, "the agent does not answer any more"))
	}()
	return ctx, func() { cancel(nil) }
}

// How often a client looks whether its agent lives, and how often in vain.
const (
	clientGlance      = 15 * time.Second
	patienceOfClients = 3
)

// lives reports whether the agent answers at all.
func (c *Client) lives(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, c.glance)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://agent/alive", nil)
	if err != nil {
		return false
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return false
	}
	return answer.Body.Close() == nil
}

// maxAnswer bounds what an agent, which is in the hands of the site's account,
// may answer to one operation.
const maxAnswer = 64 << 20

func unreachable(ctx context.Context, op string, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return upkeep.Errorf(upkeep.CodeUnreachable, "agent %s: %w", op, err)
}

// Status asks how things stand.
func (c *Client) Status(ctx context.Context, known *cms.Database) (*Status, error) {
	return ask[*Status](ctx, c, "status", StatusRequest{Database: known})
}

// Detect asks which CMS is at the root.
func (c *Client) Detect(ctx context.Context) (*cms.Layout, error) {
	return ask[*cms.Layout](ctx, c, "detect", Nothing{})
}

// Inventory takes the inventory.
func (c *Client) Inventory(ctx context.Context) (*Survey, error) {
	return ask[*Survey](ctx, c, "inventory", Nothing{})
}

// Integrity compares components with what was published.
func (c *Client) Integrity(ctx context.Context, originals map[string]upkeep.Original) ([]upkeep.Finding, error) {
	return ask[[]upkeep.Finding](ctx, c, "integrity", IntegrityRequest{Originals: originals})
}

// Propose returns a patch for what the site is deployed from.
func (c *Client) Propose(ctx context.Context, updates []upkeep.Update) (string, error) {
	return ask[string](ctx, c, "propose", ProposeRequest{Updates: updates})
}

// Open begins an intervention.
func (c *Client) Open(ctx context.Context, request OpenRequest) error {
	_, err := ask[Nothing](ctx, c, "open", request)
	return err
}

// Send uploads the package at path, whose SHA-256 is sum.
func (c *Client) Send(ctx context.Context, path, sum string) (err error) {
	defer upkeep.Wrap(&err, "send package %s", filepath.Base(path))
	ctx, stop := c.watch(ctx)
	defer stop()
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://agent/package/"+sum, f)
	if err != nil {
		return err
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return unreachable(ctx, "package", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusNoContent {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<10)) // only to explain the status
		return upkeep.Errorf(upkeep.CodeRefused, "%s", text)
	}
	return nil
}

// Stage unpacks and checks a package that was sent.
func (c *Client) Stage(ctx context.Context, request StageRequest) (*StageResult, error) {
	return ask[*StageResult](ctx, c, "stage", request)
}

// Freeze closes the gate and drains.
func (c *Client) Freeze(ctx context.Context, drain upkeep.Duration) (*Frozen, error) {
	return ask[*Frozen](ctx, c, "freeze", FreezeRequest{Drain: drain})
}

// Read makes a backup into the blobs served by ServeBlobs.
func (c *Client) Read(ctx context.Context, request ReadRequest) (*ReadResult, error) {
	return ask[*ReadResult](ctx, c, "read", request)
}

// Apply puts the staged updates in place and migrates.
func (c *Client) Apply(ctx context.Context, refs []string) error {
	_, err := ask[Nothing](ctx, c, "apply", ApplyRequest{Refs: refs})
	return err
}

// ReadBack checks what Apply did.
func (c *Client) ReadBack(ctx context.Context, refs []string) ([]upkeep.Check, error) {
	return ask[[]upkeep.Check](ctx, c, "readback", ApplyRequest{Refs: refs})
}

// Undo gives back the secured state. The proof is nil when nothing had been
// changed.
func (c *Client) Undo(ctx context.Context) (*upkeep.Identity, error) {
	return ask[*upkeep.Identity](ctx, c, "undo", Nothing{})
}

// Commit keeps the changes.
func (c *Client) Commit(ctx context.Context) error {
	_, err := ask[Nothing](ctx, c, "commit", Nothing{})
	return err
}

// Thaw opens the gate.
func (c *Client) Thaw(ctx context.Context) error {
	_, err := ask[Nothing](ctx, c, "thaw", Nothing{})
	return err
}

// Finish closes the journal and removes what the intervention needed.
func (c *Client) Finish(ctx context.Context) error {
	_, err := ask[Nothing](ctx, c, "close", Nothing{})
	return err
}

// Quit ends the agent as soon as nothing is open.
func (c *Client) Quit(ctx context.Context) error {
	_, err := ask[Nothing](ctx, c, "quit", Nothing{})
	return err
}

// Restore brings back a backup.
func (c *Client) Restore(ctx context.Context, request RestoreRequest) (*RestoreResult, error) {
	return ask[*RestoreResult](ctx, c, "restore", request)
}

// ServeBlobs connects the agent to the vault until Close or the end of ctx.
func (c *Client) ServeBlobs(ctx context.Context, blobs vault.Blobs) (err error) {
	defer upkeep.Wrap(&err, "connect the vault")
	conn, err := c.dial(ctx)
	if err != nil {
		return unreachable(ctx, "blobs", err)
	}
	in, err := c.upgrade(ctx, conn)
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	c.stop()
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stop = stop
	go func() {
		// How it ended shows in the call that needed the blobs.
		_ = wire.Serve(serving, &bufferedConn{Conn: conn, in: in}, blobs)
	}()
	return nil
}

// maxHead bounds what an agent may say before blobs go to and fro.
const maxHead = 64 << 10

// upgrade makes conn one that blobs are asked for on. What was read of it
// beyond the answer is in the reader returned.
func (c *Client) upgrade(ctx context.Context, conn net.Conn) (*bufio.Reader, error) {
	ended := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) }) // reading and writing fail
	defer ended()
	if err := conn.SetDeadline(time.Now().Add(c.glance)); err != nil {
		return nil, err
	}
	if _, err := io.WriteString(conn, "POST /blobs HTTP/1.1\r\nHost: agent\r\nConnection: Upgrade\r\nUpgrade: upkeep-blobs\r\nContent-Length: 0\r\n\r\n"); err != nil {
		return nil, unreachable(ctx, "blobs", err)
	}
	head := &io.LimitedReader{R: conn, N: maxHead}
	in := bufio.NewReaderSize(head, maxHead)
	answer, err := http.ReadResponse(in, nil)
	if err != nil {
		return nil, unreachable(ctx, "blobs", err)
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		return nil, upkeep.Errorf(upkeep.CodeUnreachable, "agent answered %s", answer.Status)
	}
	head.N = math.MaxInt64
	return in, conn.SetDeadline(time.Time{})
}
