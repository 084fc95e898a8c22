// Package dumpdir keeps the folder of a dump: files that are synced when they
// are written, and an index that is written last, so that a folder without one
// is no dump.
package dumpdir

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"upkeep"
)

// IndexName is the file that says what a dump holds.
const IndexName = "index.jsonl"

// Clear makes dir an empty folder for a dump. It is removed with all that it
// holds, so dir must be ours; but only a folder that is empty, or of which
// known recognises every name: CodeConflict otherwise. The index goes first:
// what is half deleted is no dump.
func Clear(dir string, known func(name string) bool) error {
	if err := Open(dir, known); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// Open makes dir a folder that a dump can be written into, over an older one.
// Its index is removed: from now on the folder is no dump.
func Open(dir string, known func(name string) bool) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if name := e.Name(); name != IndexName && name != IndexName+".part" && !known(name) {
			return upkeep.Errorf(upkeep.CodeConflict, "%s holds %q, which is not of a dump", dir, name).WithHint("Give an empty folder.")
		}
	}
	if err := os.Remove(filepath.Join(dir, IndexName)); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// WriteFile creates a file, lets fill write it, and syncs it.
func WriteFile(path string, fill func(*bufio.Writer) error) error {
	return write(path, fill, (*os.File).Sync)
}

// WriteUnsynced creates a file and lets fill write it.
func WriteUnsynced(path string, fill func(*bufio.Writer) error) error {
	return write(path, fill, func(*os.File) error { return nil })
}

func write(path string, fill func(*bufio.Writer) error, finish func(*os.File) error) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 256<<10)
	if err := fill(w); err != nil {
		return err
	}
	return errors.Join(w.Flush(), finish(f))
}

// WriteIndex puts the index in place in one step, with one line of JSON for
// each value that lines gives. A power cut leaves either none or all of it.
func WriteIndex(dir string, lines func(encode func(any) error) error) error {
	part := filepath.Join(dir, IndexName+".part")
	err := WriteFile(part, func(w *bufio.Writer) error { return lines(json.NewEncoder(w).Encode) })
	if err != nil {
		return err
	}
	if err := os.Rename(part, filepath.Join(dir, IndexName)); err != nil {
		return err
	}
	return SyncDir(dir)
}

// ReadIndex gives the lines of a dump's index, of that format, to read one
// after the other. CodeNotFound when dir holds no complete dump, CodeDamaged
// when the index does not read back.
func ReadIndex(dir, format string, read func(decode func(any) error) error) error {
	f, err := os.Open(filepath.Join(dir, IndexName))
	if errors.Is(err, os.ErrNotExist) {
		return upkeep.Errorf(upkeep.CodeNotFound, "%s holds no complete dump", dir)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	decode := json.NewDecoder(bufio.NewReader(f)).Decode
	var first Header
	if err := decode(&first); err == nil && first.Format != format {
		return upkeep.Errorf(upkeep.CodeInvalid, "dump %s is of %q, not of %q", dir, first.Format, format).
			WithHint("The site's database is of another engine now: import the dump by hand as its README.txt says.")
	} else if err != nil {
		return upkeep.Errorf(upkeep.CodeDamaged, "index of dump %s: %w", dir, err)
	}
	if err := read(decode); err != nil {
		return upkeep.Errorf(upkeep.CodeDamaged, "index of dump %s: %w", dir, err)
	}
	return nil
}

// Header is the first line of an index.
type Header struct {
	Format  string `json:"format"`
	Version string `json:"version"` // of the server or library that was read
	Count   int    `json:"count"`   // of the objects
}

// SyncDir makes names in a folder survive a power cut, as Sync does content.
func SyncDir(dir string) (err error) {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return d.Sync()
}

// Local refuses the name of a file that leads out of a dump: a dump may come
// back from a vault that others can write to.
func Local(name string) error {
	if !filepath.IsLocal(name) {
		return upkeep.Errorf(upkeep.CodeRefused, "file %q leads out of the dump", name)
	}
	return nil
}
