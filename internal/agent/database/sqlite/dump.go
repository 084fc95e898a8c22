package sqlite

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"upkeep"
	"upkeep/internal/agent/database/dumpdir"
)

// format is how dumps of this package begin.
const format = "upkeep sqlite dump 1"

// entry is a file in a dump's index.
type entry struct {
	Path    string          `json:"path"`   // of the site's file
	Digest  string          `json:"digest"` // hex SHA-256 of all pages
	Size    int64           `json:"size"`
	Mode    uint32          `json:"mode"`
	Objects []upkeep.Object `json:"objects"`
}

// Dump writes the files into dir (created when missing, over an older dump) and
// returns their identity, in the order of manifests. progress may be nil; it is
// called with bytes. README.txt in dir says what is what.
func (db *DB) Dump(ctx context.Context, dir string, progress func(upkeep.Progress)) (_ []upkeep.Object, err error) {
	defer upkeep.Wrap(&err, "dump database %s to %s", db.files[0], dir)
	defer func() { err = translate(ctx, err) }()
	old, err := readIndex(dir)
	if err != nil {
		old = nil // of no use, and in nobody's way
	}
	if err := dumpdir.Open(dir, func(name string) bool { return slices.Contains([]string{"files", "text", "README.txt"}, name) }); err != nil {
		return nil, err
	}
	if err := keepCopies(dir, db.files); err != nil {
		return nil, err
	}
	var entries []entry
	var objects []upkeep.Object
	var done int64
	for i, file := range db.files {
		e, err := dumpFile(ctx, dir, i, file, old)
		if err != nil {
			return nil, err
		}
		entries, objects = append(entries, *e), append(objects, e.Objects...)
		if done += e.Size; progress != nil {
			progress(upkeep.Progress{Code: "dump", Unit: "bytes", Done: done, Total: done})
		}
	}
	err = dumpdir.WriteFile(filepath.Join(dir, "README.txt"), func(w *bufio.Writer) error {
		_, err := w.WriteString(readme)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = dumpdir.WriteIndex(dir, func(encode func(any) error) error {
		err := encode(dumpdir.Header{Format: format, Count: len(entries)})
		for i := range entries {
			err = errors.Join(err, encode(entries[i]))
		}
		return err
	})
	return sorted(objects), err
}

// SeesAll fails where a file cannot be read: missing, closed to the account, or
// no database.
func (db *DB) SeesAll(ctx context.Context) (err error) {
	defer upkeep.Wrap(&err, "look at database %s", db.files[0])
	defer func() { err = translate(ctx, err) }()
	for _, file := range db.files {
		c, err := openLive(ctx, file, readOnly)
		if err != nil {
			return err
		}
		_, err = describe(ctx, c)
		c.close()
		if err != nil {
			return err
		}
	}
	return nil
}

const readme = `Dump of the SQLite databases of one site by Upkeep.

files/ holds each database as it was, to the byte: copy it to the place that
the site's configuration names, without the number before its name, give it to
the site's account, and delete FILE-wal, FILE-shm and FILE-journal beside it,
if they are there.

text/ holds the same as SQL, a folder for each database, a file for each table.
With the sqlite3 client, into a file that does not exist yet:

    cat text/0-NAME/*.sql | sqlite3 NEWFILE

index.jsonl describes the files for Upkeep itself and is not needed.
`

// keepCopies deletes what an older dump has of files that are not asked for.
func keepCopies(dir string, files []string) error {
	copies, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil {
		return err
	}
	for _, path := range copies {
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		used := func(i int) bool { return name == copyName(i, files[i]) || name == textName(i, files[i]) }
		if slices.ContainsFunc(indices(files), used) {
			continue
		}
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}

func indices(files []string) []int {
	all := make([]int, len(files))
	for i := range all {
		all[i] = i
	}
	return all
}

// textName is the folder of a dump with the SQL of the file of that position.
func textName(i int, file string) string {
	return filepath.Join("text", fmt.Sprintf("%d-%s", i, filepath.Base(file)))
}

// dumpFile copies a file and writes it as SQL, unless an older dump says the
// same already.
func dumpFile(ctx context.Context, dir string, i int, file string, old []entry) (*entry, error) {
	img, err := takeImage(ctx, file, filepath.Join(dir, copyName(i, file)))
	if err != nil {
		return nil, err
	}
	e := &entry{Path: file, Digest: img.digest, Size: img.size, Mode: img.mode}
	if img.same && i < len(old) && old[i].Path == file && old[i].Digest == img.digest {
		e.Objects = old[i].Objects
		return e, nil
	}
	text := filepath.Join(dir, textName(i, file))
	if err := errors.Join(os.RemoveAll(text), os.MkdirAll(text, 0o700)); err != nil {
		return nil, err
	}
	e.Objects, err = writeText(ctx, img, text, i)
	return e, err
}

// texts writes the objects of one copied file as SQL.
type texts struct {
	*connection
	dir    string // "" writes nothing
	wide   bool
	number int
}

// writeText reads everything in a copy, writes it as SQL into dir when that is
// not "", and returns the identities.
func writeText(ctx context.Context, img *image, dir string, position int) (_ []upkeep.Object, err error) {
	c, err := openCopy(ctx, img.path)
	if err != nil {
		return nil, err
	}
	defer c.close()
	w := &texts{connection: c, dir: dir}
	before, after, wide, err := settings(ctx, c)
	if err != nil {
		return nil, err
	}
	w.wide = wide
	objects, err := describe(ctx, c)
	if err != nil {
		return nil, err
	}
	schema := &object{Object: upkeep.Object{Kind: kindSchema, Name: "settings"}}
	schema.seal(before, after)
	err = w.write(kindSchema, "settings", func(out *bufio.Writer) error { _, err := out.WriteString(before); return err })
	for _, o := range objects {
		if err == nil {
			err = w.object(ctx, o)
		}
	}
	if err == nil {
		err = w.write(kindSchema, "end", func(out *bufio.Writer) error { _, err := out.WriteString(after); return err })
	}
	if err != nil {
		return nil, err
	}
	found := []upkeep.Object{{Kind: kindFile, Name: filepath.Base(img.file), Definition: img.digest}}
	for _, o := range append(objects, schema) {
		o.Name = manifestName(position, img.file, o.Name)
		found = append(found, o.Object)
	}
	return found, nil
}

// write makes the next file of the text.
func (w *texts) write(kind, name string, fill func(*bufio.Writer) error) error {
	if w.dir == "" {
		return nil
	}
	w.number++
	// Not synced: nothing is restored from it here, and the vault reads what
	// the kernel has.
	return dumpdir.WriteUnsynced(filepath.Join(w.dir, fmt.Sprintf("%05d-%s-%s.sql", w.number, kind, fileName(name))), fill)
}

// fileName writes a name so that no shell and no file system minds it.
func fileName(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()[:min(b.Len(), 150)]
}

// object writes one, with its rows.
func (w *texts) object(ctx context.Context, o *object) error {
	if !o.hasRows() {
		return w.write(o.Kind, o.Name, func(out *bufio.Writer) error {
			_, err := out.WriteString(o.makes())
			return err
		})
	}
	if w.dir == "" {
		return w.rows(ctx, o, nil)
	}
	return w.write(o.Kind, o.Name, func(out *bufio.Writer) error {
		_, err := out.WriteString("PRAGMA foreign_keys = OFF;\nBEGIN;\n" + o.makes())
		return errors.Join(err, w.rows(ctx, o, out), func() error { _, err := out.WriteString("COMMIT;\n"); return err }())
	})
}

// makes returns the SQL that makes the object. A virtual table is entered
// without asking its module, whose own tables are dumped as they are.
func (o *object) makes() string {
	switch {
	case o.Name == "sqlite_sequence":
		return "DELETE FROM sqlite_sequence;\n" // there as soon as a table counts
	case strings.HasPrefix(o.Name, "sqlite_stat"):
		return "ANALYZE sqlite_schema;\nDELETE FROM sqlite_stat1;\n"
	case o.virtual:
		return "PRAGMA writable_schema = ON;\nINSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql) VALUES ('table', " +
			quote(o.Name) + ", " + quote(o.table) + ", 0, " + string(appendText(nil, o.create, false)) + ");\nPRAGMA writable_schema = OFF;\n"
	}
	if last := o.create[strings.LastIndexByte(o.create, '\n')+1:]; strings.Contains(last, "--") {
		return o.create + "\n;\n" // it may end in a comment
	}
	return o.create + ";\n"
}

// selection reads all rows. A plus hides how a column is declared: the library
// would make times of some.
func (w *texts) selection(o *object) string {
	var parts []string
	if o.rowid != "" {
		parts = append(parts, o.rowid)
	}
	for _, name := range o.columns {
		if w.wide {
			parts = append(parts, "typeof("+ident(name)+")", "CASE typeof("+ident(name)+") WHEN 'text' THEN CAST("+ident(name)+" AS BLOB) ELSE "+ident(name)+" END")
		} else {
			parts = append(parts, "+"+ident(name))
		}
	}
	return "SELECT " + strings.Join(parts, ",") + " FROM " + ident(o.Name) + " ORDER BY " + o.order
}

// insertion is what every row begins with. A row's number is written only where
// a column does not hold it.
func (o *object) insertion() string {
	names := make([]string, 0, len(o.columns)+1)
	if o.rowid != "" {
		names = append(names, o.rowid)
	}
	for _, name := range o.columns {
		names = append(names, ident(name))
	}
	return "INSERT INTO " + ident(o.Name) + " (" + strings.Join(names, ",") + ") VALUES ("
}

// rows writes every row as SQL and computes their identity. out may be nil.
func (w *texts) rows(ctx context.Context, o *object, out *bufio.Writer) (err error) {
	rows, err := w.QueryContext(ctx, w.selection(o))
	if err != nil {
		return upkeep.Causef("table %q: %w", o.Name, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	r := rowWriter{sum: sha256.New(), out: out, begin: o.insertion(), wide: w.wide, numbered: o.rowid != ""}
	for rows.Next() {
		values, err := scan(rows, len(columns))
		if err != nil {
			return err
		}
		if err := r.add(values); err != nil {
			return err
		}
		o.Rows++
	}
	o.Content = hex.EncodeToString(r.sum.Sum(nil))
	return rows.Err()
}

// rowWriter writes rows as SQL and hashes what it writes.
type rowWriter struct {
	sum            hash.Hash
	out            *bufio.Writer
	begin          string
	wide, numbered bool
	buf            []byte
}

func (r *rowWriter) add(values []any) error {
	r.buf = r.buf[:0]
	if r.numbered {
		r.buf = appendValue(r.buf, values[0], false)
		values = values[1:]
	}
	for i := 0; i < len(values); i++ {
		value := values[i]
		if r.wide {
			i++
			value = narrow(value, values[i])
		}
		if len(r.buf) > 0 {
			r.buf = append(r.buf, ',')
		}
		r.buf = appendValue(r.buf, value, r.wide)
	}
	r.buf = append(r.buf, ");\n"...)
	r.sum.Write(r.buf)
	if r.out == nil {
		return nil
	}
	_, err1 := r.out.WriteString(r.begin)
	_, err2 := r.out.Write(r.buf)
	return errors.Join(err1, err2)
}

// readIndex reads the index of a dump.
func readIndex(dir string) ([]entry, error) {
	var entries []entry
	err := dumpdir.ReadIndex(dir, format, func(decode func(any) error) error {
		for {
			var e entry
			if err := decode(&e); err != nil {
				if len(entries) > 0 && errors.Is(err, io.EOF) {
					return nil
				}
				return err
			}
			entries = append(entries, e)
		}
	})
	return entries, err
}
