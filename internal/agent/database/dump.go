package database

import (
	"context"
	"errors"
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

// Dump writes the database into dir (created when missing) and returns its
// identity, in the order of manifests. Every row is read, but what an older
// dump in dir says already, byte for byte, is not written again: the files of
// tables that have not changed stay as they are. progress may be nil; it is
// called with bytes, by one goroutine at a time. Files can be imported by hand:
// README.txt in dir says how.
func (db *DB) Dump(ctx context.Context, dir string, progress func(upkeep.Progress)) (_ []upkeep.Object, err error) {
	defer upkeep.Wrap(&err, "dump database %s to %s", db.site.Name, dir)
	defer func() { err = session.Translate(ctx, err) }()
	old, err := openDump(dir)
	if err != nil {
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
	dw := &dumpWriter{dir: dir, old: old, progress: newMeter("dump", progress, snap.Catalogue), segments: map[*schema.Object][]segment{}, kept: map[string]bool{}}
	for i, o := range snap.Objects {
		o.File = o.FileName(i)
	}
	if err := snap.each(ctx, dw.table); err != nil {
		return nil, err
	}
	if err := dw.settle(); err != nil {
		return nil, err
	}
	ix := &index{header: header{indexFormat, version, snap.Collation, len(snap.Objects)}}
	for _, o := range snap.Objects {
		if o.Kind != schema.KindTable && o.Kind != schema.KindSequence {
			if err := writeFile(filepath.Join(dir, o.File), o.Script(snap.Collation)); err != nil {
				return nil, err
			}
		}
		ix.objects = append(ix.objects, dumped{o, dw.segments[o]})
	}
	if err := writeFile(filepath.Join(dir, "README.txt"), readme); err != nil {
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

// partSuffix ends the names of files whose place in the dump is not free yet.
const partSuffix = ".part"

// openDump makes dir a folder that a dump can be written into, and returns the
// index of the dump that it holds, nil when it holds no complete one. The index
// is removed: from now on the folder is no dump.
func openDump(dir string) (*index, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !ofDump(e.Name()) {
			return nil, upkeep.Errorf(upkeep.CodeConflict, "%s holds %q, which is not of a dump", dir, e.Name()).WithHint("Give an empty folder.")
		}
	}
	old, err := readIndex(dir)
	if code := upkeep.CodeOf(err); err != nil && code != upkeep.CodeNotFound && code != upkeep.CodeDamaged {
		return nil, err // otherwise it is of no use, and in nobody's way
	}
	if err := os.Remove(filepath.Join(dir, indexName)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return old, nil
}

// ofDump reports whether a dump, or one that was cut off, consists of files of

// ofDump reports whether dumps, whole or cut off, have files of that name.
func ofDump(name string) bool {
	name = strings.TrimSuffix(name, partSuffix)
	return name == indexName || name == "README.txt" || filepath.Ext(name) == ".sql"
}

// dumpWriter writes the files of a dump.
type dumpWriter struct {
	dir      string
	old      *index // nil when there is none
	progress *meter
	mu       sync.Mutex
	segments map[*schema.Object][]segment
	kept     map[string]bool // files that stay where they are
}

// table writes the file of a table or sequence.
func (dw *dumpWriter) table(ctx context.Context, s *session.Session, o *schema.Object) (err error) {
	f := newTableFile(dw.dir, o, dw.old)
	defer func() { err = errors.Join(err, f.close()) }()
	found, err := read(ctx, s, o, func(seg *segment, body []byte) error {
		dw.progress.add(seg.Length)
		return f.add(seg, body)
	})
	if err != nil {
		return err
	}
	o.Rows, o.Content = found.rows, found.digest
	kept, err := f.finish()
	dw.mu.Lock()
	defer dw.mu.Unlock()
	dw.segments[o] = f.segments
	dw.kept[o.File] = kept
	return err
}

// settle removes files of the older dump that say nothing true any more, and
// what one that was cut off left, and gives the new ones their names.
func (dw *dumpWriter) settle() error {
	fresh := map[string]bool{}
	for o := range dw.segments {
		if !dw.kept[o.File] {
			fresh[o.File+partSuffix] = true
		}
	}
	entries, err := os.ReadDir(dw.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !dw.kept[e.Name()] && !fresh[e.Name()] {
			if err := os.Remove(filepath.Join(dw.dir, e.Name())); err != nil {
				return err
			}
		}
	}
	for name := range fresh {
		path := filepath.Join(dw.dir, name)
		if err := os.Rename(path, strings.TrimSuffix(path, partSuffix)); err != nil {
			return err
		}
	}
	return nil
}

// writeFile creates a file with a text, synced.
func writeFile(path, text string) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close())
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
