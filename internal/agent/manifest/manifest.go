// Package manifest writes manifests as backups hold them, and reads them.
package manifest

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"

	"upkeep"
	"upkeep/internal/agent/place"
)

// Name is what the file is called in its folder.
const Name = "manifest.jsonl"

// Write makes dir anew with the manifest in it: one entry or object a line,
// entries first. It is on the disk then.
func Write(dir string, m *upkeep.Manifest) (err error) {
	defer upkeep.Wrap(&err, "write manifest")
	if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, Name), os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(f, 1<<20)
	enc := json.NewEncoder(out)
	for i := range m.Entries {
		err = errors.Join(err, enc.Encode(line{Entry: &m.Entries[i]}))
	}
	for i := range m.Tables {
		err = errors.Join(err, enc.Encode(line{Object: &m.Tables[i]}))
	}
	return errors.Join(err, out.Flush(), f.Sync(), f.Close(), place.SyncDir(dir), place.SyncDir(filepath.Dir(dir)))
}

type line struct {
	Entry  *upkeep.Entry  `json:"entry,omitempty"`
	Object *upkeep.Object `json:"object,omitempty"`
}

// Read reads the manifest in dir.
func Read(dir string) (_ *upkeep.Manifest, err error) {
	defer upkeep.Wrap(&err, "read manifest")
	f, err := os.Open(filepath.Join(dir, Name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Decode(f)
}

// Decode reads a manifest as backups hold it: one line of JSON for
// each path and each object of the database.
func Decode(r io.Reader) (*upkeep.Manifest, error) {
	m := &upkeep.Manifest{}
	for dec := json.NewDecoder(bufio.NewReaderSize(r, 1<<20)); ; {
		var next line
		if err := dec.Decode(&next); errors.Is(err, io.EOF) {
			return m, nil
		} else if err != nil {
			return nil, err
		}
		if next.Entry != nil {
			m.Entries = append(m.Entries, *next.Entry)
		}
		if next.Object != nil {
			m.Tables = append(m.Tables, *next.Object)
		}
	}
}
