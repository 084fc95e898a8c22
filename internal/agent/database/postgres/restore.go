package postgres

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"upkeep"
	"upkeep/internal/agent/database/postgres/sqlstate"
)

// Restore gives the site's part of the database back the state of a dump, and
// touches only what differs: objects by their definitions, rows by segments.
// What belongs to neighbours is never touched. It is one transaction: cut off
// at any instant, it has changed nothing, and can be run again. It returns what
// the database then holds. progress may be nil.
//
// CodeUnauthorized when the account does not own what must be made again,
// CodeNotIdentical when what is read back at the end is not what the dump says,
// CodeDamaged when the dump itself does not read back.
func (db *DB) Restore(ctx context.Context, dir string, progress func(upkeep.Progress)) (_ []upkeep.Object, err error) {
	defer upkeep.Wrap(&err, "restore database %s from %s", db.site.Name, dir)
	defer func() { err = sqlstate.Translate(ctx, err) }()
	want, err := readIndex(dir)
	if err != nil {
		return nil, err
	}
	s, err := db.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	rs := &restorer{session: s, db: db, dir: dir, want: want, changed: map[string]bool{}, found: map[string][]segment{}, meter: &meter{tell: progress}}
	if err := s.exec(ctx, "BEGIN"); err != nil {
		return nil, err
	}
	if err := rs.run(ctx); err != nil {
		return nil, err
	}
	// What was reached is kept even when it is not all: it is nearer to the
	// original than what was there.
	return rs.verify(ctx)
}

// RestoreInto makes a dump's database anew in this one, which must be empty:
// CodeConflict otherwise.
func (db *DB) RestoreInto(ctx context.Context, dir string, progress func(upkeep.Progress)) (err error) {
	defer upkeep.Wrap(&err, "restore into database %s", db.site.Name)
	defer func() { err = sqlstate.Translate(ctx, err) }()
	s, err := db.connect(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	have, err := db.describe(ctx, s)
	if err != nil {
		return err
	}
	have = slices.DeleteFunc(have, func(o *object) bool { return o.Kind == kindSchema || o.Kind == kindExtension })
	if len(have) > 0 {
		return upkeep.Errorf(upkeep.CodeConflict, "database %s is not empty: %d objects", db.site.Name, len(have)).WithHint("Name an empty database.")
	}
	_, err = db.Restore(ctx, dir, progress)
	return err
}

// restorer is one restore.
type restorer struct {
	*session
	db      *DB
	dir     string
	want    catalogue
	have    catalogue
	changed map[string]bool      // tables by name, whose rows differ
	found   map[string][]segment // what they hold now
	meter   *meter
}

func (rs *restorer) run(ctx context.Context) (err error) {
	if rs.have, err = rs.db.describe(ctx, rs.session); err != nil {
		return err
	}
	if err := rs.compareRows(ctx); err != nil {
		return err
	}
	if err := rs.drop(ctx); err != nil {
		return err
	}
	// What went along with something that was dropped has to come back too.
	left, err := rs.db.describe(ctx, rs.session)
	if err != nil {
		return err
	}
	there := left.byRef()
	for _, o := range rs.want {
		if err := rs.bring(ctx, o, there[o.ref()]); err != nil {
			return upkeep.Causef("%s: %w", o.ref(), err)
		}
	}
	return nil
}

// compareRows reads the tables that are there as the dump defines them, and
// notes whose rows differ.
func (rs *restorer) compareRows(ctx context.Context) error {
	want := rs.want.byRef()
	for _, o := range rs.have {
		there := want[o.ref()]
		if there == nil || !o.hasRows() || there.Definition != o.Definition {
			continue
		}
		err := read(ctx, rs.session, o, func(seg *segment, _ []byte) error {
			rs.found[o.ref()] = append(rs.found[o.ref()], *seg)
			rs.meter.add(seg.Length)
			return nil
		})
		if err != nil {
			return err
		}
		if o.Kind == kindTable && o.Content != there.Content {
			rs.changed[o.Name] = true
		}
	}
	return nil
}

// drop removes what the dump does not have, what is defined otherwise, and what
// would act on rows that are changed back: triggers and rules of a table, and
// references from and to it.
func (rs *restorer) drop(ctx context.Context) error {
	want := rs.want.byRef()
	for _, o := range slices.Backward(rs.have) {
		there := want[o.ref()]
		active := o.Kind == kindTrigger || o.Kind == kindRule || o.Kind == kindForeign
		if there != nil && there.Definition == o.Definition && !(active && (rs.changed[o.Table] || rs.changed[o.Refers])) {
			continue
		}
		if o.Drop == "" {
			continue
		}
		if err := rs.exec(ctx, o.Drop); err != nil {
			return upkeep.Causef("drop %s: %w", o.ref(), err)
		}
	}
	return nil
}

// bring makes an object that is not there, or gives it its content back. have is
// what is there.
func (rs *restorer) bring(ctx context.Context, o, have *object) error {
	if have == nil || have.Definition != o.Definition {
		for _, statement := range o.Create {
			if err := rs.exec(ctx, statement); err != nil {
				return owned(err)
			}
		}
		if o.Kind == kindTable {
			return rs.copySegments(ctx, o, o.Segments)
		}
		have = nil
	}
	switch o.Kind {
	case kindSequence:
		return rs.exec(ctx, o.setval())
	case kindBlobs:
		return rs.blobs(ctx, o, have)
	case kindStored:
		if o.Empty || have != nil && rs.same(o) {
			return nil
		}
		return rs.exec(ctx, o.refresh())
	case kindTable:
		if rs.changed[o.Name] {
			return rs.repair(ctx, o)
		}
	}
	return nil
}

// owned says what to do about a right that is missing.
func owned(err error) error {
	if sqlstate.CodeOf(err) == upkeep.CodeUnauthorized {
		return upkeep.Errorf(upkeep.CodeUnauthorized, "make it again: %w", err).
			WithHint("Restore with an account that is a member of the owner, or has the right.")
	}
	return err
}

// same reports whether an object was found to hold what the dump says.
func (rs *restorer) same(o *object) bool {
	have := rs.have.find(o.ref())
	return have != nil && have.Content == o.Content
}

// blobs makes the large objects those of the dump.
func (rs *restorer) blobs(ctx context.Context, o, have *object) error {
	if have != nil && rs.same(o) {
		return nil
	}
	script := o.Drop + "; CREATE TEMPORARY TABLE upkeep_blobs (id oid, content bytea) ON COMMIT DROP"
	if err := rs.exec(ctx, script); err != nil {
		return err
	}
	if err := rs.copyIn(ctx, "COPY upkeep_blobs FROM STDIN", o, o.Segments); err != nil {
		return err
	}
	return rs.exec(ctx, makeBlobs+"; DROP TABLE upkeep_blobs")
}

// repair makes the rows of a table those of the dump. All deletions come before
// all insertions, so that a value of another unique key may have moved from one
// row to another.
func (rs *restorer) repair(ctx context.Context, o *object) error {
	if o.Key == nil { // no row can be found again
		if err := rs.exec(ctx, "TRUNCATE ONLY "+o.Name); err != nil {
			return err
		}
		return rs.copySegments(ctx, o, o.Segments)
	}
	var missing []segment
	for _, sp := range spans(o, rs.found[o.ref()]) {
		if err := rs.exec(ctx, "DELETE FROM ONLY "+o.Name+" WHERE "+sp.where); err != nil {
			return err
		}
		if sp.seg != nil {
			missing = append(missing, *sp.seg)
		}
	}
	return rs.copySegments(ctx, o, missing)
}

// span is a segment of the dump that a table does not hold as it is, and where
// the table's own rows of the same range are: after the last key of the segment
// before, up to its own last key.
type span struct {
	seg   *segment // nil for what lies behind the dump's last row
	where string
}

// spans returns where a table differs from the dump. A segment is untouched when
// the table has the same one right behind the same predecessor: then no row can
// lie between them.
func spans(o *object, now []segment) []span {
	at := map[string]int{} // by hash: keys are part of it, so no two are equal
	for i := range now {
		at[now[i].Hash] = i
	}
	var found []span
	before := -1 // where the segment before is, or -2 when it is not there
	var after []string
	for i := range o.Segments {
		seg := &o.Segments[i]
		here, ok := at[seg.Hash]
		if !ok {
			here = -2
		}
		if !ok || here != before+1 {
			found = append(found, span{seg, o.between(after, seg.Last)})
		}
		before, after = here, seg.Last
	}
	if before != len(now)-1 {
		found = append(found, span{nil, o.between(after, nil)})
	}
	return found
}

// between is the condition for keys above after and up to last; nil is no bound.
func (o *object) between(after, last []string) string {
	terms := []string{"true"}
	bound := func(operator string, key []string) {
		values := make([]string, len(key))
		for i, value := range key {
			values[i] = literal(value) + "::" + o.Key[i].Type
		}
		terms = append(terms, "ROW("+o.keyNames()+") "+operator+" ROW("+strings.Join(values, ",")+")")
	}
	if after != nil {
		bound(">", after)
	}
	if last != nil {
		bound("<=", last)
	}
	return strings.Join(terms, " AND ")
}

func (rs *restorer) copySegments(ctx context.Context, o *object, segments []segment) error {
	return rs.copyIn(ctx, o.copyIn(), o, segments)
}

// copyIn reads segments of the dump, each checked, into the server.
func (rs *restorer) copyIn(ctx context.Context, statement string, o *object, segments []segment) error {
	if len(segments) == 0 {
		return nil
	}
	file, err := os.Open(filepath.Join(rs.dir, o.File))
	if err != nil {
		return upkeep.Errorf(upkeep.CodeDamaged, "the dump has lost a file: %w", err)
	}
	defer file.Close()
	in := &dumpReader{file: file, segments: segments, tell: rs.meter.add}
	_, err = rs.CopyFrom(ctx, in, statement)
	if in.err != nil { // the server only knows that it was told to stop
		return in.err
	}
	return err
}

// dumpReader gives the rows of segments, one after the other.
type dumpReader struct {
	file     *os.File
	segments []segment
	body     bytes.Reader
	tell     func(int64)
	err      error
}

// Read gives rows that are what the dump's index says, or fails.
func (r *dumpReader) Read(p []byte) (int, error) {
	for r.body.Len() == 0 {
		if len(r.segments) == 0 {
			return 0, io.EOF
		}
		seg := r.segments[0]
		r.segments = r.segments[1:]
		body := make([]byte, min(seg.Length, 1<<30))
		_, err := r.file.ReadAt(body, seg.Offset)
		if sum := sha256.Sum256(body); err != nil || hex.EncodeToString(sum[:]) != seg.Hash {
			r.err = upkeep.Errorf(upkeep.CodeDamaged, "%s at %d: not as it was written", filepath.Base(r.file.Name()), seg.Offset)
			return 0, r.err
		}
		r.tell(seg.Length)
		r.body.Reset(body)
	}
	return r.body.Read(p)
}

// verify reads everything back, commits, and compares. Tables that were found
// identical and not touched are not read a second time: what acts on rows is
// gone while others change.
func (rs *restorer) verify(ctx context.Context) ([]upkeep.Object, error) {
	after, err := rs.db.describe(ctx, rs.session)
	if err != nil {
		return nil, err
	}
	before := rs.have.byRef()
	for _, o := range after {
		if !o.hasRows() {
			continue
		}
		known := before[o.ref()]
		want := rs.want.find(o.ref())
		if o.Kind == kindTable && known != nil && want != nil && known.Definition == o.Definition && known.Content == want.Content {
			o.Rows, o.Content = known.Rows, known.Content
			continue
		}
		if err := read(ctx, rs.session, o, only); err != nil {
			return nil, err
		}
	}
	if err := rs.exec(ctx, "COMMIT"); err != nil {
		return nil, err
	}
	wanted := upkeep.Manifest{Tables: rs.want.manifest()}
	differences := wanted.Compare(&upkeep.Manifest{Tables: after.manifest()})
	if len(differences) == 0 {
		return after.manifest(), nil
	}
	var words []string
	for _, d := range differences[:min(len(differences), 10)] {
		words = append(words, d.Path+": "+d.Change)
	}
	return after.manifest(), upkeep.Errorf(upkeep.CodeNotIdentical, "%d differences to the dump: %s", len(differences), strings.Join(words, "; ")).
		WithHint("Run the restore again; if it stays so, import the dump by hand as its README.txt says.")
}
