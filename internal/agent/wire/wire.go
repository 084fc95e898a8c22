// Package wire carries a vault's blobs between the control plane, which has
// the repository, and the agent, which reads and restores files, over any
// connection. Requests are numbered, so that many are under way at once.
package wire

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net"
	"sync"

	"golang.org/x/sync/semaphore"

	"upkeep"
	"upkeep/internal/vault"
)

// maxFrame bounds a frame: the largest chunk restic's format knows is 8 MiB,
// a folder with very many names can be larger.
const maxFrame = 64 << 20

// maxHeld bounds the requests that are held at once: a host that lies about
// their size, or sends the largest, has no more of our memory than others.
const maxHeld = maxFrame + 32<<20

type op byte

const (
	opMissing op = 1 + iota
	opSave
	opLoad
	opOK
	opError
)

// frame is [length u32][op u8][number u32][payload].
type frame struct {
	op      op
	number  uint32
	payload []byte
}

const frameHead = 5

// readFrame asks grant for the memory before it takes it.
func readFrame(r io.Reader, grant func(size int64) error) (frame, error) {
	var head [4 + frameHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return frame{}, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size < frameHead || size > maxFrame {
		return frame{}, upkeep.Errorf(upkeep.CodeRefused, "frame of %d bytes", size)
	}
	if err := grant(int64(size)); err != nil {
		return frame{}, err
	}
	f := frame{op: op(head[4]), number: binary.BigEndian.Uint32(head[5:]), payload: make([]byte, size-frameHead)}
	_, err := io.ReadFull(r, f.payload)
	return f, err
}

// writer sends whole frames from many goroutines.
type writer struct {
	mu   sync.Mutex
	conn net.Conn
}

func (w *writer) send(o op, number uint32, parts ...[]byte) error {
	size := frameHead
	for _, part := range parts {
		size += len(part)
	}
	head := make([]byte, 4+frameHead)
	binary.BigEndian.PutUint32(head, uint32(size))
	head[4] = byte(o)
	binary.BigEndian.PutUint32(head[5:], number)
	buffers := append(net.Buffers{head}, parts...)
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err := buffers.WriteTo(w.conn)
	return err
}

// Serve answers requests on conn from blobs until the other side closes it or
// ctx ends. It closes conn.
func Serve(ctx context.Context, conn net.Conn, blobs vault.Blobs) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	defer conn.Close()

	out := &writer{conn: conn}
	in := bufio.NewReaderSize(conn, 1<<20)
	slots, held := make(chan struct{}, 8), semaphore.NewWeighted(maxHeld)
	var answering sync.WaitGroup
	defer answering.Wait()
	for {
		request, err := readFrame(in, func(size int64) error { return held.Acquire(ctx, size) })
		if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
			return ctx.Err()
		}
		if err != nil {
			return err
		}
		slots <- struct{}{}
		answering.Go(func() {
			defer func() { <-slots }()
			defer held.Release(int64(len(request.payload)) + frameHead)
			answer, err := handle(ctx, blobs, request)
			if err == nil {
				err = out.send(opOK, request.number, answer)
			} else {
				err = out.send(opError, request.number, encodeError(err))
			}
			if err != nil {
				conn.Close() // the reading loop ends with it
			}
		})
	}
}

func handle(ctx context.Context, blobs vault.Blobs, f frame) ([]byte, error) {
	if len(f.payload) < 1 {
		return nil, upkeep.Errorf(upkeep.CodeRefused, "empty request")
	}
	t, rest := vault.BlobType(f.payload[0]), f.payload[1:]
	switch f.op {
	case opMissing:
		ids, err := decodeIDs(rest)
		if err != nil {
			return nil, err
		}
		missing, err := blobs.Missing(ctx, t, ids)
		return encodeIDs(missing), err
	case opSave:
		id, data, err := splitID(rest)
		if err != nil {
			return nil, err
		}
		return nil, blobs.Save(ctx, t, id, data)
	case opLoad:
		id, _, err := splitID(rest)
		if err != nil {
			return nil, err
		}
		return blobs.Load(ctx, t, id)
	}
	return nil, upkeep.Errorf(upkeep.CodeRefused, "unknown request %d", f.op)
}

// Client is the agent's side of a connection: it implements vault.Blobs.
type Client struct {
	out     *writer
	mu      sync.Mutex
	next    uint32
	waiting map[uint32]chan frame
	broken  error
}

var _ vault.Blobs = (*Client)(nil)

// NewClient starts using conn, which it owns from now on.
func NewClient(conn net.Conn) *Client {
	c := &Client{out: &writer{conn: conn}, waiting: map[uint32]chan frame{}}
	go c.receive(bufio.NewReaderSize(conn, 1<<20))
	return c
}

// Close ends the connection; calls under way fail.
func (c *Client) Close() error { return c.out.conn.Close() }

// Err says why the connection can be used no more, nil while it can.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.broken
}

func (c *Client) receive(in io.Reader) {
	for {
		answer, err := readFrame(in, func(int64) error { return nil })
		if err != nil {
			c.fail(err)
			return
		}
		c.mu.Lock()
		waiting, ok := c.waiting[answer.number]
		delete(c.waiting, answer.number)
		c.mu.Unlock()
		if ok {
			waiting <- answer
		}
	}
}

func (c *Client) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.broken = upkeep.Errorf(upkeep.CodeUnreachable, "vault connection: %w", err)
	for number, waiting := range c.waiting {
		close(waiting)
		delete(c.waiting, number)
	}
}

func (c *Client) ask(ctx context.Context, o op, parts ...[]byte) ([]byte, error) {
	waiting := make(chan frame, 1)
	c.mu.Lock()
	if c.broken != nil {
		c.mu.Unlock()
		return nil, c.broken
	}
	c.next++
	number := c.next
	c.waiting[number] = waiting
	c.mu.Unlock()

	if err := c.out.send(o, number, parts...); err != nil {
		c.fail(err)
		return nil, upkeep.Errorf(upkeep.CodeUnreachable, "vault connection: %w", err)
	}
	select {
	case answer, ok := <-waiting:
		if !ok {
			c.mu.Lock()
			defer c.mu.Unlock()
			return nil, c.broken
		}
		if answer.op == opError {
			return nil, decodeError(answer.payload)
		}
		return answer.payload, nil
	case <-ctx.Done():
		c.mu.Lock()
		delete(c.waiting, number)
		c.mu.Unlock()
		return nil, ctx.Err()
	}
}

// Missing asks which of ids are not stored.
func (c *Client) Missing(ctx context.Context, t vault.BlobType, ids []vault.ID) ([]vault.ID, error) {
	answer, err := c.ask(ctx, opMissing, []byte{byte(t)}, encodeIDs(ids))
	if err != nil {
		return nil, err
	}
	return decodeIDs(answer)
}

// Save sends a blob.
func (c *Client) Save(ctx context.Context, t vault.BlobType, id vault.ID, data []byte) error {
	_, err := c.ask(ctx, opSave, []byte{byte(t)}, id[:], data)
	return err
}

// Load fetches a blob.
func (c *Client) Load(ctx context.Context, t vault.BlobType, id vault.ID) ([]byte, error) {
	return c.ask(ctx, opLoad, []byte{byte(t)}, id[:])
}

func encodeIDs(ids []vault.ID) []byte {
	b := make([]byte, 0, len(ids)*len(vault.ID{}))
	for _, id := range ids {
		b = append(b, id[:]...)
	}
	return b
}

func decodeIDs(b []byte) ([]vault.ID, error) {
	const size = len(vault.ID{})
	if len(b)%size != 0 {
		return nil, upkeep.Errorf(upkeep.CodeRefused, "%d bytes are not whole ids", len(b))
	}
	ids := make([]vault.ID, len(b)/size)
	for i := range ids {
		copy(ids[i][:], b[i*size:])
	}
	return ids, nil
}

func splitID(b []byte) (id vault.ID, rest []byte, err error) {
	if len(b) < len(id) {
		return id, nil, upkeep.Errorf(upkeep.CodeRefused, "request without an id")
	}
	copy(id[:], b)
	return id, b[len(id):], nil
}

func encodeError(err error) []byte {
	text, err := json.Marshal(upkeep.Told(err))
	if err != nil { // strings always encode
		return []byte(`{"code":"internal"}`)
	}
	return text
}

func decodeError(text []byte) error {
	var told upkeep.Error
	if err := json.Unmarshal(text, &told); err != nil {
		return upkeep.Errorf(upkeep.CodeRefused, "unreadable error from the other side: %w", err)
	}
	return &told
}
