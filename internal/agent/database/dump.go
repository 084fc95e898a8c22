package database

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"upkeep"
	"upkeep/internal/agent/database/schema"
	"upkeep/internal/agent/database/session"
)

// Scan returns the identity of everything of the site in its database, in
// the order of manifests. For an unchanged database it equals what Dump
// returned.
func (db *DB) Scan(ctx context.Context) (_ []upkeep.Object, err error) {
	defer upkeep.Wrap(&err, "scan database %s", db.site.Name)
	snap, err := db.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer snap.close()
	err = snap.each(ctx, func(ctx context.Context, s *session.Session, o *schema.Object) error {
		found, err := read(ctx, s, o, func(*segment, []byte) error { return nil })
		o.Rows, o.Content = found.rows, found.digest
		return err
	})
	if err != nil {
		return nil, err
	}
	return snap.Manifest(), nil
}

// Dump writes the database into dir (created when missing, emptied of an
// older dump) and returns its identity, in the order of manifests. progress
// may be nil; it is called with bytes, by one goroutine at a time. Files can
// be imported by hand: README.txt in dir says how.
func (db *DB) Dump(ctx context.Context, dir string, progress func(upkeep.Progress)) (_ []upkeep.Object, err error) {
	defer upkeep.Wrap(&err, "dump database %s to %s", db.site.Name, dir)
	defer func() { err = session.Translate(ctx, err) }()
	if err := clearDump(dir); err != nil {
		return nil, err
	}
	version, err := db.Version(ctx)
	if err != nil {
		return nil, err
	}
	if err := db.SeesAll(ctx); err != nil {
		return nil, err
	}
	snap, err := db.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer snap.close()
	dw := &dumpWriter{dir: dir, progress: newMeter("dump", progress, snap.Catalogue), segments: map[*schema.Object][]segment{}}
	for i, o := range snap.Objects {
		o.File = o.FileName(i)
	}
	if err := snap.each(ctx, dw.table); err != nil {
		return nil, err
	}
	ix := &index{header: header{indexFormat, version, snap.Collation, len(snap.Objects)}}
	for _, o := range snap.Objects {
		if o.Kind != schema.KindTable && o.Kind != schema.KindSequence {
			if err := dw.program(o, snap.Collation); err != nil {
				return nil, err
			}
		}
		ix.objects = append(ix.objects, dumped{o, dw.segments[o]})
	}
	if err := writeFile(filepath.Join(dir, "README.txt"), func(w *bufio.Writer) error {
		_, err := w.WriteString(readme)
		return err
	}); err != nil {
		return nil, err
	}
	return snap.Manifest(), ix.write(dir)
}

// SeesAll fails with CodeUnauthorized where the account is not shown all that a
// dump must hold.
func (db *DB) SeesAll(ctx context.Context) error {
	s, err := db.session(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	return schema.NewDescriber(s, &db.site).SeesAll(ctx, db.site.Name, db.site.User)
}

const readme = `Dump of one site's database by Upkeep.

To import it by hand into an empty database, with the mariadb client, as an
account that has all rights on it (and may set another DEFINER, if the site
has views or programs of other accounts):

    cat *.sql | mariadb --max-allowed-packet=1G DATABASE

The files must be read in the order of their names, in one session. Rows are
written as raw bytes: do not open and save the files with an editor.
index.jsonl describes the files for Upkeep itself and is not needed.

A view of tables that were not there when this was written cannot be made
again by anybody: its file comes last, and the client stops there.
`

// clearDump makes dir an empty folder for a dump. It deletes only what a
// dump consists of, the index first: what is half deleted is no dump.
func clearDump(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(dir, indexName)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		switch name := e.Name(); {
		case filepath.Ext(name) == ".sql", name == "README.txt", name == indexName+".part":
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				return err
			}
		default:
			return upkeep.Errorf(upkeep.CodeConflict, "%s holds %q, which is not of a dump", dir, name).WithHint("Give an empty folder.")
		}
	}
	return nil
}

// dumpWriter writes the files of a dump.
type dumpWriter struct {
	dir      string
	progress *meter
	mu       sync.Mutex
	segments map[*schema.Object][]segment
}

// table writes the file of a table or sequence.
func (dw *dumpWriter) table(ctx context.Context, s *session.Session, o *schema.Object) error {
	var segments []segment
	err := writeFile(filepath.Join(dw.dir, o.File), func(w *bufio.Writer) error {
		offset, err := writeHead(w, o)
		if err != nil {
			return err
		}
		insert := "INSERT INTO " + session.Ident(o.Name) + " " + o.ColumnList() + " VALUES\n"
		found, err := read(ctx, s, o, func(seg *segment, body []byte) error {
			seg.Offset = offset + int64(len(insert))
			offset = seg.Offset + seg.Length + int64(len(";\n"))
			segments = append(segments, *seg)
			dw.progress.add(seg.Length)
			_, err1 := w.WriteString(insert)
			_, err2 := w.Write(body)
			_, err3 := w.WriteString(";\n")
			return errors.Join(err1, err2, err3)
		})
		if err != nil {
			return err
		}
		o.Rows, o.Content = found.rows, found.digest
		_, err = w.WriteString("COMMIT;\nSET autocommit = 1;\n")
		return err
	})
	dw.mu.Lock()
	defer dw.mu.Unlock()
	dw.segments[o] = segments
	return err
}

// writeHead writes what comes before a table's rows and returns its length.
func writeHead(w *bufio.Writer, o *schema.Object) (int64, error) {
	head := fmt.Sprintf("-- %s %q\n", o.Kind, o.Name)
	for _, set := range session.Settings {
		head += set + ";\n"
	}
	create := string(o.Create)
	if o.Counter > 0 {
		create += fmt.Sprintf(";\nALTER TABLE %s AUTO_INCREMENT = %d", session.Ident(o.Name), o.Counter)
	}
	head += "SET SESSION unique_checks = 0;\nSET NAMES utf8mb4;\n" + strings.Join(o.Drop(), ";\n") + ";\n" + create + ";\nSET NAMES binary;\nSET autocommit = 0;\n"
	n, err := w.WriteString(head)
	return int64(n), err
}

// program writes the file of an object without rows.
func (dw *dumpWriter) program(o *schema.Object, collation string) error {
	return writeFile(filepath.Join(dw.dir, o.File), func(w *bufio.Writer) error {
		fmt.Fprintf(w, "-- %s %q\n", o.Kind, o.Name)
		for _, set := range session.Settings {
			fmt.Fprintf(w, "%s;\n", set)
		}
		end := delimiter(o.Create)
		fmt.Fprintf(w, "DELIMITER %s\n", end)
		for _, statement := range append(o.Drop(), o.Statements(collation)...) {
			fmt.Fprintf(w, "%s\n%s\n", statement, end)
		}
		_, err := w.WriteString("DELIMITER ;\n")
		return err
	})
}

// delimiter returns a mark that the text does not contain.
func delimiter(text []byte) string {
	for n := 0; ; n++ {
		mark := ";;"
		if n > 0 {
			mark = fmt.Sprintf("$%d$", n)
		}
		if !bytes.Contains(text, []byte(mark)) {
			return mark
		}
	}
}

// writeFile creates a file, lets fill write it, and syncs it.
func writeFile(path string, fill func(*bufio.Writer) error) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 256<<10)
	if err := fill(w); err != nil {
		return err
	}
	return errors.Join(w.Flush(), f.Sync())
}

// meter adds up progress from several goroutines.
type meter struct {
	mu   sync.Mutex
	now  upkeep.Progress
	tell func(upkeep.Progress)
}

// newMeter expects as much as the server estimates for the catalogue. tell may
// be nil.
func newMeter(code string, tell func(upkeep.Progress), c *schema.Catalogue) *meter {
	m := &meter{now: upkeep.Progress{Code: code, Unit: "bytes"}, tell: tell}
	for _, o := range c.Objects {
		m.now.Total += o.Size
	}
	return m
}

// add notes n more bytes. The total is the server's estimate and grows when
// there is more.
func (m *meter) add(n int64) {
	if m.tell == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now.Done += n
	m.now.Total = max(m.now.Total, m.now.Done)
	m.tell(m.now)
}
