package database

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/hex"
	"slices"
	"strconv"

	"upkeep"
	"upkeep/internal/agent/database/schema"
	"upkeep/internal/agent/database/session"
)

// Segment sizes, in bytes of SQL. Between the bounds the keys decide.
const (
	segmentMin  = 32 << 10
	segmentMean = 64 << 10 // beyond the minimum, on average
	segmentMax  = 256 << 10
)

// segment is a run of rows in a table's order, small enough to be one INSERT.
type segment struct {
	Rows   int64    `json:"r"`
	Hash   string   `json:"h"`           // hex SHA-256 of the rows as SQL
	Last   [][]byte `json:"k,omitempty"` // the last row's key, each part as SQL
	Offset int64    `json:"o"`           // of the rows in the dump's file
	Length int64    `json:"n"`
}

// reading is a table being read into segments.
type reading struct {
	table *schema.Object
	forms []schema.Form
	key   []int // positions of the key's columns
	emit  func(seg *segment, body []byte) error

	body    []byte // rows of the open segment
	rows    int64
	last    []byte // key of the last row, its parts separated by NUL
	total   int64
	content []byte // the hashes of the segments so far, hashed at the end
}

// content is what a reading of a table found.
type content struct {
	rows   int64
	digest string
}

// read reads the rows of a table and calls emit for each segment; the body
// is only valid during the call.
func read(ctx context.Context, s *session.Session, o *schema.Object, emit func(*segment, []byte) error) (content, error) {
	r := newReading(o, emit)
	if o.HasRows() && len(o.Columns) > 0 {
		if err := s.Each(ctx, o.Selection(""), r.add); err != nil {
			return content{}, upkeep.Causef("table %q: %w", o.Name, err)
		}
		if err := r.cut(); err != nil {
			return content{}, err
		}
	}
	sum := sha256.Sum256(r.content)
	return content{r.total, hex.EncodeToString(sum[:])}, nil
}

// newReading resolves forms and key columns once, not for every cell of
// millions.
func newReading(o *schema.Object, emit func(*segment, []byte) error) *reading {
	r := &reading{table: o, emit: emit}
	for _, c := range o.Columns {
		r.forms = append(r.forms, c.Form())
	}
	for _, name := range o.Key {
		r.key = append(r.key, slices.IndexFunc(o.Columns, func(c schema.Column) bool { return c.Name == name }))
	}
	return r
}

// add appends a row to the open segment, and closes it where the key says so.
func (r *reading) add(row []driver.Value) error {
	start := len(r.body)
	if r.rows > 0 {
		r.body = append(r.body, ",\n"...)
	}
	r.body = r.appendRow(r.body, row)
	length := len(r.body) - start
	if length >= segmentMax && r.rows > 0 {
		// It fits into a statement of its own, as it once did, and perhaps
		// into none that has more.
		large := bytes.Clone(r.body[start+len(",\n"):])
		r.body = r.body[:start]
		if err := r.cut(); err != nil {
			return err
		}
		r.body, length = append(r.body, large...), len(large)
	}
	r.rows++
	r.last = r.last[:0]
	for _, i := range r.key {
		r.last = append(appendKey(r.last, r.table.Columns[i], r.forms[i], row[i]), 0)
	}
	if len(r.body) < segmentMin {
		return nil
	}
	mark := r.last
	if r.key == nil {
		mark = r.body[len(r.body)-min(length, 256):]
	}
	if len(r.body) < segmentMax && !boundary(mark, length) {
		return nil
	}
	return r.cut()
}

// cut closes the open segment.
func (r *reading) cut() error {
	if r.rows == 0 {
		return nil
	}
	sum := sha256.Sum256(r.body)
	r.content = append(r.content, sum[:]...)
	seg := &segment{Rows: r.rows, Hash: hex.EncodeToString(sum[:]), Length: int64(len(r.body))}
	for part := range bytes.SplitSeq(bytes.TrimSuffix(r.last, []byte{0}), []byte{0}) {
		if r.key != nil {
			seg.Last = append(seg.Last, bytes.Clone(part))
		}
	}
	r.total += r.rows
	err := r.emit(seg, r.body)
	r.body, r.rows = r.body[:0], 0
	return err
}

// boundary decides by a row's key alone whether a segment may end after it,
// with a chance that grows with the row's length: an edit moves no boundary
// but those near it. The hash is FNV-1a with a final mix.
func boundary(key []byte, length int) bool {
	h := uint64(14695981039346656037)
	for _, c := range key {
		h = (h ^ uint64(c)) * 1099511628211
	}
	h ^= h >> 29
	h *= 0xbf58476d1ce4e5b9
	h ^= h >> 32
	return h&0xffffffff < uint64(length)*((1<<32)/segmentMean)
}

// appendRow writes a row as one tuple of an INSERT.
func (r *reading) appendRow(b []byte, row []driver.Value) []byte {
	b = append(b, '(')
	for i, cell := range row {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendCell(b, r.forms[i], cell)
	}
	return append(b, ')')
}

// appendCell writes a value so that, read by a connection whose character set
// is binary, it gives the same bytes.
func appendCell(b []byte, f schema.Form, cell driver.Value) []byte {
	switch v := cell.(type) {
	case nil:
		return append(b, "NULL"...)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case uint64:
		return strconv.AppendUint(b, v, 10)
	case float64:
		return strconv.AppendFloat(b, v, 'e', -1, 64)
	case float32:
		return strconv.AppendFloat(b, float64(v), 'e', -1, 32)
	case []byte:
		switch f {
		case schema.FormNumber, schema.FormOrdinal, schema.FormReal:
			return append(b, v...)
		case schema.FormASCII:
			b = append(b, "_ascii"...)
		}
		return session.AppendQuoted(b, v)
	}
	return session.AppendQuoted(b, []byte(session.Text(cell)))
}

// appendKey writes a value so that comparing it with its column goes by the
// column's own collation.
func appendKey(b []byte, c schema.Column, f schema.Form, cell driver.Value) []byte {
	if v, ok := cell.([]byte); ok && f == schema.FormText && c.Charset != "" {
		b = append(append(b, '_'), c.Charset...)
		return session.AppendQuoted(b, v)
	}
	return appendCell(b, f, cell)
}
