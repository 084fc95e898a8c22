// Package content reads the files of a site, cuts them into chunks where their
// bytes say so, and stores the chunks that a vault does not have yet.
package content

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
	"golang.org/x/sync/semaphore"
	"golang.org/x/sys/unix"

	"upkeep/internal/vault"
	"upkeep/internal/vault/archive/folder"
	"upkeep/internal/vault/archive/node"
)

const (
	readers = 2
	savers  = 3
	// underWay bounds the bytes of chunks between readers and the vault. It has
	// room for what the savers gather and for one more chunk of the largest.
	underWay = 24 << 20
	// chunkRoom is what most chunks have room in without growing.
	chunkRoom = 2 << 20
	// maxReadings is how often a file is read that keeps changing.
	maxReadings = 4
	// A saver asks for so many chunks, or so many bytes of them, at once.
	batchChunks = 128
	batchBytes  = 1 << 20
)

// Reader reads files, cuts them into chunks and hashes these, and stores
// what is missing where blobs is not nil. Readers cut; savers hash and store;
// memory is bounded by the chunks between them.
type Reader struct {
	blobs      vault.Blobs // nil to only hash
	polynomial chunker.Pol
	counters   *Counters
	jobs       chan *Job
	chunks     chan chunk
	underWay   *semaphore.Weighted
	buffers    sync.Pool // *[]byte
}

// Job is a file to be read. dir is let go of afterwards. done is called once, with the node filled in
// from the last reading; gone when there is no such file any more.
type Job struct {
	Dir  *folder.Folder // held
	Name string
	Done func(n *node.Node, state State, err error)
}

// State is how reading a file ended.
type State int

const (
	Steady   State = iota // it did not change meanwhile
	Unsteady              // it did, every time
	Gone                  // it is no longer there
	Replaced              // something that is no file took its place
)

// reading is one attempt to read a file. It is complete when the reader and
// every chunk have let go of it.
type reading struct {
	job     *Job
	node    node.Node
	ids     []*vault.ID
	state   State
	waiting atomic.Int64
}

// chunk is a piece of a file on its way to a saver.
type chunk struct {
	of   *reading
	id   *vault.ID
	data *[]byte
}

// Counters counts what was done so far. They may be read at any time.
type Counters struct {
	Read  atomic.Int64 // bytes of files
	Added atomic.Int64 // bytes of chunks that were missing
	Blobs atomic.Int64 // number of those
}

// New returns a reader of files that stores into blobs, or only hashes
// when that is nil.
func New(blobs vault.Blobs, polynomial chunker.Pol, counters *Counters) *Reader {
	return &Reader{
		blobs: blobs, polynomial: polynomial, counters: counters,
		jobs: make(chan *Job, 128), chunks: make(chan chunk, 8), underWay: semaphore.NewWeighted(underWay),
		buffers: sync.Pool{New: func() any { return new([]byte) }},
	}
}

// Add has a file read. When ctx ends before a reader is free, it returns its
// error, lets go of the folder, and done is not called.
func (c *Reader) Add(ctx context.Context, job *Job) error {
	select {
	case c.jobs <- job:
		return nil
	case <-ctx.Done():
		job.Dir.Drop()
		return ctx.Err()
	}
}

// Finish says that no file follows.
func (c *Reader) Finish() { close(c.jobs) }

// LetGo closes, after run and finish, the folders of files that an error left
// unread.
func (c *Reader) LetGo() {
	for job := range c.jobs {
		job.Dir.Drop()
	}
}

// Run works until finish is called and everything is stored.
func (c *Reader) Run(ctx context.Context) error {
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

// read is one of the readers. Each has its own chunker: one cannot be shared.
func (c *Reader) read(ctx context.Context) error {
	cutter := chunker.New(nil, c.polynomial)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case job, ok := <-c.jobs:
			if !ok {
				return nil
			}
			err := c.readFile(ctx, cutter, job)
			job.Dir.Drop()
			if err != nil {
				return err
			}
		}
	}
}

// readFile reads a file until it stays the same throughout. Errors of the
// file go to the job; what it returns ends the whole run.
func (c *Reader) readFile(ctx context.Context, cutter *chunker.Chunker, job *Job) error {
	for attempt := 1; ; attempt++ {
		r, err := c.readOnce(ctx, cutter, job)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		switch {
		case err != nil:
			job.Done(nil, Steady, err)
			return nil
		case r.state == Gone || r.state == Replaced:
			job.Done(nil, r.state, nil)
			return nil
		case r.state == Steady || attempt == maxReadings:
			r.release()
			return nil
		}
	}
}

// readOnce reads a file and sends its chunks on.
func (c *Reader) readOnce(ctx context.Context, cutter *chunker.Chunker, job *Job) (_ *reading, err error) {
	fd, err := job.Dir.OpenFile(job.Name)
	if errors.Is(err, unix.ENOENT) {
		return &reading{state: Gone}, nil
	}
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENXIO) {
		return &reading{state: Replaced}, nil // by a link or a socket
	}
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), job.Name)
	defer func() { err = errors.Join(err, f.Close()) }()
	var before, after unix.Stat_t
	if err := unix.Fstat(fd, &before); err != nil {
		return nil, err
	}
	if folder.KindOf(before.Mode) != folder.TypeFile {
		return &reading{state: Replaced}, nil
	}
	r := &reading{job: job}
	r.node.Fill(job.Name, &before)
	r.waiting.Store(1)
	if r.node.Xattrs, err = folder.Xattrs(fd); err != nil {
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
		r.state = Unsteady
	}
	r.node.Size = uint64(size)
	return r, nil
}

// cut sends the chunks of a file to the savers and returns its size. Small
// files are one chunk, as the chunker would have it.
func (c *Reader) cut(ctx context.Context, cutter *chunker.Chunker, f io.Reader, r *reading) (size int64, err error) {
	if r.node.Size <= chunker.MinSize {
		buffer := c.buffer(int(r.node.Size) + 1)
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
	cutter.Reset(f, c.polynomial)
	for {
		buffer := c.buffer(chunkRoom)
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

// buffer returns a buffer of that length from the pool. Chunks are megabytes;
// making each anew would keep the collector busy.
func (c *Reader) buffer(size int) *[]byte {
	buffer := c.buffers.Get().(*[]byte)
	if cap(*buffer) < size {
		*buffer = make([]byte, size, max(size, 16<<10))
	}
	*buffer = (*buffer)[:size]
	return buffer
}

// send hands a chunk to the savers. Its ID is filled in by them, later; the
// reading holds the place for it.
func (c *Reader) send(ctx context.Context, r *reading, data *[]byte) error {
	if err := c.underWay.Acquire(ctx, int64(len(*data))); err != nil {
		return err
	}
	id := new(vault.ID)
	r.ids = append(r.ids, id)
	r.waiting.Add(1)
	c.counters.Read.Add(int64(len(*data)))
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
	r.node.Content = make([]vault.ID, len(r.ids))
	for i, id := range r.ids {
		r.node.Content[i] = *id
	}
	r.job.Done(&r.node, r.state, nil)
}

// done lets go of a chunk.
func (c *Reader) done(data *[]byte) {
	c.underWay.Release(int64(len(*data)))
	c.buffers.Put(data)
}

// batch is chunks that are asked for and stored together.
type batch struct {
	ids  []vault.ID
	data []*[]byte
	size int
}

// save is one of the savers. It lets go of the file as soon as the hash is
// known: storing the chunk need not have ended for the node to be complete.
func (c *Reader) save(ctx context.Context) error {
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
				c.done(piece.data)
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
func (c *Reader) flush(ctx context.Context, b *batch) error {
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
			c.counters.Added.Add(int64(len(*b.data[i])))
			c.counters.Blobs.Add(1)
		}
		c.done(b.data[i])
	}
	b.ids, b.data, b.size = b.ids[:0], b.data[:0], 0
	return nil
}
