package postgres

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash/fnv"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"upkeep"
	"upkeep/internal/agent/database/postgres/sqlstate"
)

// Segment sizes, in bytes as COPY writes. Between the bounds the keys decide.
const (
	segmentMin  = 32 << 10
	segmentMean = 64 << 10 // beyond the minimum, on average
	segmentMax  = 256 << 10
)

// segment is a run of rows in a table's order.
type segment struct {
	Rows   int64    `json:"r"`
	Hash   string   `json:"h"`           // hex SHA-256 of the rows
	Last   []string `json:"k,omitempty"` // the last row's key
	Offset int64    `json:"o"`           // of the rows in the dump's file
	Length int64    `json:"n"`
}

// reading takes the rows of an object, one a line, apart into segments. It is
// what COPY writes to.
type reading struct {
	object *object
	emit   func(seg *segment, body []byte) error

	body    []byte // of the open segment
	line    int    // where its last line, not ended yet, begins
	seen    int    // up to where line ends were looked for
	rows    int64
	total   int64
	content []byte // the hashes of the segments so far
}

// read reads the content of an object into it, and calls emit for each segment;
// the body is only valid during the call.
func read(ctx context.Context, s *session, o *object, emit func(*segment, []byte) error) error {
	r := &reading{object: o, emit: emit}
	if _, err := s.CopyTo(ctx, r, "COPY ("+o.selection()+") TO STDOUT"); err != nil {
		return upkeep.Causef("%s: %w", o.ref(), err)
	}
	if err := r.cut(); err != nil {
		return err
	}
	sum := sha256.Sum256(r.content)
	o.Rows, o.Content = r.total, hex.EncodeToString(sum[:])
	return nil
}

// only reads for the identity alone.
func only(*segment, []byte) error { return nil }

// Write takes what COPY gives: a line at a time, as the protocol has it, but
// nothing here relies on that.
func (r *reading) Write(p []byte) (int, error) {
	r.body = append(r.body, p...)
	for {
		end := bytes.IndexByte(r.body[r.seen:], '\n')
		if end < 0 {
			r.seen = len(r.body)
			return len(p), nil
		}
		r.seen += end + 1
		if err := r.row(r.body[r.line:r.seen]); err != nil {
			return 0, err
		}
	}
}

// row counts a line, and closes the segment where its key says so.
func (r *reading) row(line []byte) error {
	r.rows++
	last := r.line
	r.line = r.seen
	if r.seen < segmentMin {
		return nil
	}
	mark := line
	if r.object.Key != nil {
		mark = []byte(strings.Join(r.object.keyOf(line), "\x00"))
	}
	if r.seen < segmentMax && !boundary(mark, len(line)) {
		return nil
	}
	rest := slices.Clone(r.body[r.seen:])
	r.body = r.body[:r.seen]
	if err := r.cutAt(last); err != nil {
		return err
	}
	r.body = append(r.body, rest...)
	return nil
}

// cut closes the last segment.
func (r *reading) cut() error {
	if r.rows == 0 {
		return nil
	}
	return r.cutAt(bytes.LastIndexByte(r.body[:len(r.body)-1], '\n') + 1)
}

// cutAt closes the segment, whose last row begins there.
func (r *reading) cutAt(last int) error {
	sum := sha256.Sum256(r.body)
	r.content = append(r.content, sum[:]...)
	seg := &segment{Rows: r.rows, Hash: hex.EncodeToString(sum[:]), Length: int64(len(r.body))}
	if r.object.Key != nil {
		seg.Last = r.object.keyOf(r.body[last:])
	}
	r.total += r.rows
	err := r.emit(seg, r.body)
	r.body, r.rows, r.line, r.seen = r.body[:0], 0, 0, 0
	return err
}

// boundary decides by a row's key alone whether a segment may end after it,
// with a chance that grows with the row's length: an edit moves no boundary but
// those near it.
func boundary(key []byte, length int) bool {
	sum := fnv.New32a()
	sum.Write(key)
	h := uint64(sum.Sum32())
	h = (h ^ h>>15) * 0x2c1b3c6d & 0xffffffff
	return h < uint64(length)*((1<<32)/segmentMean)
}

// keyOf returns the values of a line's key.
func (o *object) keyOf(line []byte) []string {
	cells := bytes.Split(bytes.TrimSuffix(line, []byte{'\n'}), []byte{'\t'})
	values := make([]string, len(o.Key))
	for i, c := range o.Key {
		values[i] = plain(cells[c.At])
	}
	return values
}

// unescapes is what COPY writes behind a backslash.
var unescapes = strings.NewReplacer(`\\`, `\`, `\b`, "\b", `\f`, "\f", `\n`, "\n", `\r`, "\r", `\t`, "\t", `\v`, "\v")

// plain undoes what COPY did to a value.
func plain(cell []byte) string {
	if bytes.IndexByte(cell, '\\') < 0 {
		return string(cell)
	}
	return unescapes.Replace(string(cell))
}

// readers is how many connections read rows at the same time.
const readers = 2

// snapshot is one state of the database, seen by several connections.
type snapshot struct {
	catalogue
	workers []*session
	version string
}

// snapshot opens one. Tables are locked as a reader does, so that nobody changes
// a definition while it is read.
func (db *DB) snapshot(ctx context.Context) (_ *snapshot, err error) {
	snap := &snapshot{}
	defer func() {
		if err != nil {
			snap.close()
		}
	}()
	begin := "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
	for range readers {
		s, err := db.connect(ctx)
		if err != nil {
			return nil, err
		}
		snap.workers = append(snap.workers, s)
		if err := s.exec(ctx, begin); err != nil {
			return nil, err
		}
		if len(snap.workers) > 1 {
			continue
		}
		name, err := s.table(ctx, "SELECT pg_export_snapshot()")
		if err != nil {
			return nil, err
		}
		begin += "; SET TRANSACTION SNAPSHOT " + literal(name[0][0])
	}
	first := snap.workers[0]
	snap.version = first.ParameterStatus("server_version")
	if err := db.lock(ctx, first); err != nil {
		return nil, err
	}
	snap.catalogue, err = db.describe(ctx, first)
	return snap, err
}

// lock keeps others from changing the definition of any table.
func (db *DB) lock(ctx context.Context, s *session) error {
	rows, err := s.table(ctx, "SELECT format('%I.%I', n.nspname, c.relname), c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND "+
		db.schemas()+" AND "+notOfExtension("pg_class", "c"))
	if err != nil {
		return err
	}
	var names []string
	for _, row := range rows {
		if db.site.Has(row[1]) {
			names = append(names, row[0])
		}
	}
	if len(names) == 0 {
		return nil
	}
	err = s.exec(ctx, "LOCK TABLE "+strings.Join(names, ", ")+" IN ACCESS SHARE MODE")
	if code := sqlstate.CodeOf(err); err != nil && code == upkeep.CodeInternal {
		return upkeep.Errorf(upkeep.CodeConflict, "tables are being created or dropped: %w", err).WithHint("%s", sqlstate.Hint(upkeep.CodeConflict))
	}
	return err
}

// close ends all connections.
func (snap *snapshot) close() {
	for _, s := range snap.workers {
		s.close()
	}
}

// each calls do for every object with rows, several at a time, the largest
// first.
func (snap *snapshot) each(ctx context.Context, do func(context.Context, *session, *object) error) error {
	objects := slices.DeleteFunc(slices.Clone(snap.catalogue), func(o *object) bool { return !o.hasRows() })
	slices.SortStableFunc(objects, func(a, b *object) int { return int(min(max(b.size-a.size, -1), 1)) })
	queue := make(chan *object, len(objects))
	for _, o := range objects {
		queue <- o
	}
	close(queue)
	group, ctx := errgroup.WithContext(ctx)
	for _, s := range snap.workers {
		group.Go(func() error {
			for o := range queue {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				if err := do(ctx, s, o); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}
