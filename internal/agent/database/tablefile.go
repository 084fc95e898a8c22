package database

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"

	"upkeep/internal/agent/database/schema"
	"upkeep/internal/agent/database/session"
)

// What stands in the file of a table between and behind its rows.
const (
	segmentEnd = ";\n"
	tableEnd   = "COMMIT;\nSET autocommit = 1;\n"
)

// tableFile is the file of a table or sequence in a dump. As long as what is
// added is what the file of an older dump says in the same place, nothing is
// written; from the first difference on it is written anew, what is before
// that copied.
type tableFile struct {
	dir      string
	name     string
	head     string // before the rows
	insert   string // before each segment
	end      int64  // of what was added
	segments []segment

	before []segment // of the older file; nil when it cannot be used
	older  *os.File

	file *os.File // nil while nothing differs
	out  *bufio.Writer
}

// newTableFile begins the file of o in the folder of a dump. old is the index
// of the dump that was there, or nil.
func newTableFile(dir string, o *schema.Object, old *index) *tableFile {
	f := &tableFile{
		dir: dir, name: o.File, head: o.Head(),
		insert: "INSERT INTO " + session.Ident(o.Name) + " " + o.ColumnList() + " VALUES\n",
	}
	f.end = int64(len(f.head))
	if old != nil {
		f.compareWith(old.find(o.Kind, o.Name))
	}
	return f
}

// compareWith takes an older file for a beginning, where it begins as this does.
func (f *tableFile) compareWith(was *dumped) {
	if was == nil {
		return
	}
	older, err := os.Open(filepath.Join(f.dir, was.File))
	if err != nil {
		return // then everything is written
	}
	lead := []byte(f.head)
	if len(was.segments) > 0 {
		lead = append(lead, f.insert...)
	}
	found := make([]byte, len(lead))
	if _, err := io.ReadFull(older, found); err != nil || !bytes.Equal(found, lead) {
		_ = older.Close() // it was only read
		return
	}
	f.older, f.before = older, was.segments
}

// add takes the next segment, and fills in where it is.
func (f *tableFile) add(seg *segment, body []byte) error {
	start, n := f.end, len(f.segments)
	seg.Offset = start + int64(len(f.insert))
	f.end = seg.Offset + seg.Length + int64(len(segmentEnd))
	f.segments = append(f.segments, *seg)
	if f.file == nil {
		if n < len(f.before) && f.before[n].Offset == seg.Offset && f.before[n].Hash == seg.Hash {
			return nil
		}
		if err := f.start(start); err != nil {
			return err
		}
	}
	_, _ = f.out.WriteString(f.insert) // an error stays with out
	_, _ = f.out.Write(body)
	_, err := f.out.WriteString(segmentEnd)
	return err
}

// start begins to write, after so many bytes that are those of the older file.
func (f *tableFile) start(same int64) (err error) {
	f.file, err = os.OpenFile(filepath.Join(f.dir, f.name+partSuffix), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	f.out = bufio.NewWriterSize(f.file, 256<<10)
	if f.older == nil {
		_, err = f.out.WriteString(f.head)
		return err
	}
	if _, err := f.older.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err = io.CopyN(f.file, f.older, same) // by the kernel, and not yet through out
	return err
}

// finish ends the file. kept says that the older one is it, under its name;
// otherwise the file is there under its name with partSuffix, synced.
func (f *tableFile) finish() (kept bool, err error) {
	if f.file == nil && f.same() {
		if f.older.Name() == filepath.Join(f.dir, f.name) {
			return true, nil
		}
		return false, os.Rename(f.older.Name(), filepath.Join(f.dir, f.name+partSuffix))
	}
	if f.file == nil {
		if err := f.start(f.end); err != nil {
			return false, err
		}
	}
	_, err = f.out.WriteString(tableEnd)
	return false, errors.Join(err, f.out.Flush(), f.file.Sync())
}

// same reports whether the older file says all that was added, and no more.
func (f *tableFile) same() bool {
	if f.older == nil || len(f.segments) != len(f.before) {
		return false
	}
	info, err := f.older.Stat()
	return err == nil && info.Size() == f.end+int64(len(tableEnd))
}

// close lets go of the files.
func (f *tableFile) close() error {
	_ = f.older.Close() // it was only read, if there was one
	if f.file == nil {
		return nil
	}
	return f.file.Close()
}
