package archive

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"

	"github.com/restic/chunker"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"upkeep/internal/vault"
)

const (
	readers = 2
	savers  = 4
	// maxReadings is how often a file is read that keeps changing.
	maxReadings = 4
	// A saver asks for so many chunks, or so many bytes of them, at once.
	batchChunks = 128
	batchBytes  = 1 << 20
)

// content reads files, cuts them into chunks and hashes these, and stores
// what is missing where blobs is not nil. Readers cut; savers hash and store;
// memory is bounded by the chunks between them.
type content struct {
	blobs   vault.Blobs // nil to only hash
	options *Options
	totals  *totals
	jobs    chan *fileJob
	chunks  chan chunk
	buffers sync.Pool // *[]byte
}

// fileJob is a file to be read. done is called once, with the node filled in
// from the last reading; gone when there is no such file any more.
type fileJob struct {
	dir  *folder // held
	name string
	path string
	done func(n *node, state fileState, err error)
}

// fileState is how reading a file ended.
type fileState int

const (
	steady   fileState = iota // it did not change meanwhile
	unsteady                  // it did, every time
	gone                      // it is no longer there
	replaced                  // something that is no file took its place
)

// reading is one attempt to read a file. It is complete when the reader and
// every chunk have let go of it.
type reading struct {
	job     *fileJob
	node    node
	ids     []*vault.ID
	state   fileState
	waiting atomic.Int64
}

type chunk struct {
	of   *reading
	id   *vault.ID
	data *[]byte
}

func newContent(blobs vault.Blobs, options *Options, totals *totals) *content {
	return &content{
		blobs: blobs, options: options, totals: totals,
		jobs: make(chan *fileJob, 128), chunks: make(chan chunk, 8),
		buffers: sync.Pool{New: func() any { return new([]byte) }},
	}
}

// run works until jobs is closed and everything is stored.
func (c *content) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	var reading sync.WaitGroup
	for range readers {
		reading.Add(1)
		group.Go(func() error {
			defer reading.Done()
			return c.read(ctx)
		})
	}
	group.Go(func() error {
		reading.Wait()
		close(c.chunks)
		return nil
	})
	for range savers {
		group.Go(func() error { return c.save(ctx) })
	}
	return group.Wait()
}

func (c *content) read(ctx context.Context) error {
	cutter := chunker.New(nil, c.options.Polynomial)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case job, ok := <-c.jobs:
			if !ok {
				return nil
			}
			err := c.readFile(ctx, cutter, job)
			job.dir.drop()
			if err != nil {
				return err
			}
		}
	}
}

// readFile reads a file until it stays the same throughout. Errors of the
// file go to the job; what it returns ends the whole run.
func (c *content) readFile(ctx context.Context, cutter *chunker.Chunker, job *fileJob) error {
	for attempt := 1; ; attempt++ {
		r, err := c.readOnce(ctx, cutter, job)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		switch {
		case err != nil:
			job.done(nil, steady, err)
			return nil
		case r.state == gone || r.state == replaced:
			job.done(nil, r.state, nil)
			return nil
		case r.state == steady || attempt == maxReadings:
			r.release()
			return nil
		}
	}
}

// readOnce reads a file and sends its chunks on.
func (c *content) readOnce(ctx context.Context, cutter *chunker.Chunker, job *fileJob) (_ *reading, err error) {
	fd, err := job.dir.open(job.name)
	if errors.Is(err, unix.ENOENT) {
		return &reading{state: gone}, nil
	}
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENXIO) {
		return &reading{state: replaced}, nil // by a link or a socket
	}
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), job.name)
	defer func() { err = errors.Join(err, f.Close()) }()
	var before, after unix.Stat_t
	if err := unix.Fstat(fd, &before); err != nil {
		return nil, err
	}
	if kindOf(before.Mode) != typeFile {
		return &reading{state: replaced}, nil
	}
	r := &reading{job: job}
	r.node.fill(job.name, &before)
	r.waiting.Store(1)
	if r.node.xattrs, err = fileXattrs(fd); err != nil {
		return nil, err
	}
	size, err := c.cut(ctx, cutter, f, r)
	if err != nil {
		return nil, err
	}
	if err := unix.Fstat(fd, &after); err != nil {
		return nil, err
	}
	if size != after.Size || before.Size != after.Size || before.Mtim != after.Mtim || before.Ctim != after.Ctim {
		r.state = unsteady
	}
	r.node.size = uint64(size)
	return r, nil
}

// cut sends the chunks of a file to the savers and returns its size. Small
// files are one chunk, as the chunker would have it.
func (c *content) cut(ctx context.Context, cutter *chunker.Chunker, f io.Reader, r *reading) (size int64, err error) {
	if r.node.size <= chunker.MinSize {
		buffer := c.buffer(int(r.node.size) + 1)
		n, err := io.ReadFull(f, *buffer)
		*buffer = (*buffer)[:n]
		switch {
		case errors.Is(err, io.EOF):
			c.buffers.Put(buffer)
			return 0, nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			return int64(n), c.send(ctx, r, buffer)
		case err != nil:
			return 0, err
		}
		// It grew. The next reading sees a larger file.
		return int64(n), c.send(ctx, r, buffer)
	}
	cutter.Reset(f, c.options.Polynomial)
	for {
		buffer := c.buffer(chunker.MinSize)
		piece, err := cutter.Next((*buffer)[:0])
		if errors.Is(err, io.EOF) {
			c.buffers.Put(buffer)
			return size, nil
		}
		if err != nil {
			return size, err
		}
		*buffer = piece.Data
		size += int64(len(piece.Data))
		if err := c.send(ctx, r, buffer); err != nil {
			return size, err
		}
	}
}

func (c *content) buffer(size int) *[]byte {
	buffer := c.buffers.Get().(*[]byte)
	if cap(*buffer) < size {
		*buffer = make([]byte, size, max(size, 16<<10))
	}
	*buffer = (*buffer)[:size]
	return buffer
}

func (c *content) send(ctx context.Context, r *reading, data *[]byte) error {
	id := new(vault.ID)
	r.ids = append(r.ids, id)
	r.waiting.Add(1)
	c.totals.read.Add(int64(len(*data)))
	select {
	case c.chunks <- chunk{r, id, data}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// release lets go of a reading; the last to do so completes the file.
func (r *reading) release() {
	if r.waiting.Add(-1) > 0 {
		return
	}
	r.node.content = make([]vault.ID, len(r.ids))
	for i, id := range r.ids {
		r.node.content[i] = *id
	}
	r.job.done(&r.node, r.state, nil)
}

// batch is chunks that are asked for and stored together.
type batch struct {
	ids  []vault.ID
	data []*[]byte
	size int
}

func (c *content) save(ctx context.Context) error {
	var b batch
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case piece, ok := <-c.chunks:
			if !ok {
				return c.flush(ctx, &b)
			}
			*piece.id = sha256.Sum256(*piece.data)
			id := *piece.id
			piece.of.release()
			if c.blobs == nil {
				c.buffers.Put(piece.data)
				continue
			}
			b.ids, b.data = append(b.ids, id), append(b.data, piece.data)
			if b.size += len(*piece.data); len(b.ids) < batchChunks && b.size < batchBytes {
				continue
			}
			if err := c.flush(ctx, &b); err != nil {
				return err
			}
		}
	}
}

// flush stores the chunks of a batch that are missing.
func (c *content) flush(ctx context.Context, b *batch) error {
	if len(b.ids) == 0 {
		return nil
	}
	missing, err := c.blobs.Missing(ctx, vault.DataBlob, b.ids)
	if err != nil {
		return err
	}
	for i, id := range b.ids {
		// Missing keeps the order, so that one pass pairs them.
		if len(missing) > 0 && missing[0] == id {
			missing = missing[1:]
			if err := c.blobs.Save(ctx, vault.DataBlob, id, *b.data[i]); err != nil {
				return err
			}
			c.totals.added.Add(int64(len(*b.data[i])))
			c.totals.blobs.Add(1)
		}
		c.buffers.Put(b.data[i])
	}
	b.ids, b.data, b.size = b.ids[:0], b.data[:0], 0
	return nil
}
