package postgres

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"upkeep"
	"upkeep/internal/agent/database/dumpdir"
	"upkeep/internal/agent/database/postgres/sqlstate"
)

// format is how dumps of this package begin.
const format = "upkeep postgresql dump 1"

// Scan returns the identity of everything of the site in its database, in the
// order of manifests. For an unchanged database it equals what Dump returned.
func (db *DB) Scan(ctx context.Context) (_ []upkeep.Object, err error) {
	defer upkeep.Wrap(&err, "scan database %s", db.site.Name)
	defer func() { err = sqlstate.Translate(ctx, err) }()
	snap, err := db.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer snap.close()
	err = snap.each(ctx, func(ctx context.Context, s *session, o *object) error { return read(ctx, s, o, only) })
	return snap.manifest(), err
}

// Dump writes the database into dir (created when missing, emptied of an older
// dump) and returns its identity, in the order of manifests. progress may be
// nil; it is called with bytes, by one goroutine at a time. Files can be
// imported by hand: README.txt in dir says how.
func (db *DB) Dump(ctx context.Context, dir string, progress func(upkeep.Progress)) (_ []upkeep.Object, err error) {
	defer upkeep.Wrap(&err, "dump database %s to %s", db.site.Name, dir)
	defer func() { err = sqlstate.Translate(ctx, err) }()
	ofDump := func(name string) bool { return name == "README.txt" || filepath.Ext(name) == ".sql" }
	if err := dumpdir.Clear(dir, ofDump); err != nil {
		return nil, err
	}
	snap, err := db.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer snap.close()
	m := &meter{tell: progress}
	for i, o := range snap.catalogue {
		if o.hasRows() && o.Kind != kindSequence {
			o.File = fileName(i, o)
		}
		m.now.Total += o.size
	}
	err = snap.each(ctx, func(ctx context.Context, s *session, o *object) error {
		if o.Kind == kindSequence {
			return o.keep(ctx, s)
		}
		return writeRows(ctx, s, o, dir, m)
	})
	if err != nil {
		return nil, err
	}
	if err := writeDefinitions(dir, snap.catalogue); err != nil {
		return nil, err
	}
	err = dumpdir.WriteIndex(dir, func(encode func(any) error) error {
		err := encode(dumpdir.Header{Format: format, Version: snap.version, Count: len(snap.catalogue)})
		for _, o := range snap.catalogue {
			err = errors.Join(err, encode(o))
		}
		return err
	})
	return snap.manifest(), err
}

// SeesAll fails with CodeUnauthorized where the account may not read a table, and
// with CodeRefused where the database holds what cannot be made again.
func (db *DB) SeesAll(ctx context.Context) (err error) {
	defer upkeep.Wrap(&err, "look at database %s", db.site.Name)
	defer func() { err = sqlstate.Translate(ctx, err) }()
	s, err := db.connect(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.exec(ctx, "BEGIN READ ONLY"); err != nil {
		return err
	}
	if err := db.lock(ctx, s); err != nil {
		return err
	}
	_, err = db.describe(ctx, s)
	return err
}

const readme = `Dump of one site's PostgreSQL database by Upkeep.

To import it by hand into an empty database of the same encoding, with the psql
client, as an account that owns the database (and is a member of the accounts
that own what is in it):

    cat *.sql | psql -X -q -v ON_ERROR_STOP=1 DATABASE

The files must be read in the order of their names, in one session. Rows are
written as raw bytes: do not open and save the files with an editor.
index.jsonl describes the files for Upkeep itself and is not needed.
`

// fileName is the file of an object: names sort in the order of import, and
// hold nothing that a shell or a file system would mind.
func fileName(position int, o *object) string {
	var b strings.Builder
	for _, c := range []byte(o.Name) {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '.' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return fmt.Sprintf("%05d-%s-%s.sql", position+1, strings.ReplaceAll(o.Kind, " ", "_"), b.String()[:min(b.Len(), 150)])
}

// keep reads the one row of a sequence, and keeps it with the object.
func (o *object) keep(ctx context.Context, s *session) error {
	return read(ctx, s, o, func(seg *segment, body []byte) error {
		seg.Last = strings.Split(strings.TrimSuffix(string(body), "\n"), "\t")
		o.Segments = []segment{*seg}
		return nil
	})
}

// setval is the statement that gives a sequence its position.
func (o *object) setval() string {
	last := o.Segments[0].Last
	return fmt.Sprintf("SELECT pg_catalog.setval(%s, %s, %s)", literal(o.Name), last[0], literal(last[1]))
}

// writeRows writes the file of a table or a stored view, whose rows come from
// its query again, or of the large objects.
func writeRows(ctx context.Context, s *session, o *object, dir string, m *meter) error {
	return dumpdir.WriteFile(filepath.Join(dir, o.File), func(w *bufio.Writer) error {
		var head string
		for _, statement := range o.Create {
			head += statement + ";\n"
		}
		switch o.Kind {
		case kindStored:
			head += o.refresh() + ";\n"
			_, err := w.WriteString(head)
			return errors.Join(err, read(ctx, s, o, only))
		case kindTable:
			head += o.copyIn() + ";\n"
		case kindBlobs:
			head += "CREATE TEMPORARY TABLE upkeep_blobs (id oid, content bytea);\nCOPY upkeep_blobs FROM STDIN;\n"
		}
		n, err := w.WriteString(head)
		offset := int64(n)
		if err != nil {
			return err
		}
		err = read(ctx, s, o, func(seg *segment, body []byte) error {
			seg.Offset = offset
			offset += seg.Length
			o.Segments = append(o.Segments, *seg)
			m.add(seg.Length)
			_, err := w.Write(body)
			return err
		})
		if err != nil {
			return err
		}
		end := "\\.\n"
		if o.Kind == kindBlobs {
			end += makeBlobs + ";\nDROP TABLE upkeep_blobs;\n"
		}
		_, err = w.WriteString(end)
		return err
	})
}

// makeBlobs makes large objects of what was copied in.
const makeBlobs = "SELECT pg_catalog.lo_from_bytea(id, content) FROM upkeep_blobs ORDER BY id"

// refresh fills a stored view.
func (o *object) refresh() string { return "REFRESH MATERIALIZED VIEW " + o.Name }

// writeDefinitions writes what has no file yet: the settings, and what has no
// rows. What follows on each other goes into one file: a site has hundreds.
func writeDefinitions(dir string, objects catalogue) error {
	err := dumpdir.WriteFile(filepath.Join(dir, "README.txt"), text(readme))
	if err == nil {
		err = dumpdir.WriteFile(filepath.Join(dir, "00000-settings.sql"), text(settings))
	}
	for i := 0; i < len(objects) && err == nil; {
		if objects[i].File != "" {
			i++
			continue
		}
		first, script := i, ""
		for ; i < len(objects) && objects[i].File == ""; i++ {
			o := objects[i]
			script += "-- " + strings.ReplaceAll(o.ref(), "\n", " ") + "\n"
			for _, statement := range o.Create {
				script += statement + "\n;\n"
			}
			if o.Kind == kindSequence {
				script += o.setval() + ";\n"
			}
		}
		err = dumpdir.WriteFile(filepath.Join(dir, fmt.Sprintf("%05d-definitions.sql", first+1)), text(script))
	}
	return err
}

func text(s string) func(*bufio.Writer) error {
	return func(w *bufio.Writer) error { _, err := w.WriteString(s); return err }
}

// readIndex reads the index of a dump. It trusts nothing it reads: a dump may
// come back from a vault that others can write to.
func readIndex(dir string) (catalogue, error) {
	var objects catalogue
	err := dumpdir.ReadIndex(dir, format, func(decode func(any) error) error {
		for {
			o := &object{}
			if err := decode(o); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
			if o.File != "" {
				if err := dumpdir.Local(o.File); err != nil {
					return err
				}
			}
			for _, c := range o.Key {
				if !slices.Contains(o.Columns, c.Name) || c.At < 0 || c.At >= len(o.Columns) {
					return upkeep.Errorf(upkeep.CodeDamaged, "%s: key of no column", o.ref())
				}
			}
			if o.Kind == kindSequence && (len(o.Segments) != 1 || len(o.Segments[0].Last) != 2) {
				return upkeep.Errorf(upkeep.CodeDamaged, "%s: no position", o.ref())
			}
			objects = append(objects, o)
		}
	})
	return objects, err
}

// meter adds up progress from several goroutines.
type meter struct {
	mu   sync.Mutex
	now  upkeep.Progress
	tell func(upkeep.Progress)
}

// add notes n more bytes. The total is an estimate and grows when there is more.
func (m *meter) add(n int64) {
	if m.tell == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now.Code, m.now.Unit = "dump", "bytes"
	m.now.Done += n
	m.now.Total = max(m.now.Total, m.now.Done)
	m.tell(m.now)
}
