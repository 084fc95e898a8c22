package database

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"

	"upkeep"
	"upkeep/internal/agent/database/schema"
	"upkeep/internal/agent/place"
)

// indexName is the file of a dump that says what its other files hold. It is
// written last: a folder without it is no dump.
const indexName = "index.jsonl"

const indexFormat = "upkeep database dump 1"

// header is the first line of an index.
type header struct {
	Format    string `json:"format"`
	Version   string `json:"version"` // of the server
	Collation string `json:"collation"`
	Objects   int    `json:"objects"`
}

// entry is an object in an index, followed by so many lines of segments.
type entry struct {
	*schema.Object
	Segments int `json:"segments,omitempty"`
}

// dumped is an object as a dump holds it.
type dumped struct {
	*schema.Object
	segments []segment
}

// index is what a dump holds, in order of creation.
type index struct {
	header
	objects []dumped
}

// write puts the index in place in one step, synced: a power cut leaves either
// no index, which is no dump, or all of it.
func (ix *index) write(dir string) (err error) {
	f, err := os.OpenFile(filepath.Join(dir, indexName+partSuffix), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriter(f)
	enc := json.NewEncoder(w)
	if err := enc.Encode(&ix.header); err != nil {
		return err
	}
	for _, d := range ix.objects {
		if err := enc.Encode(entry{d.Object, len(d.segments)}); err != nil {
			return err
		}
		for i := range d.segments {
			if err := enc.Encode(&d.segments[i]); err != nil {
				return err
			}
		}
	}
	if err := errors.Join(w.Flush(), f.Sync()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), filepath.Join(dir, indexName)); err != nil {
		return err
	}
	return place.SyncDir(dir)
}

// readIndex reads the index of a dump. CodeNotFound when dir holds no complete
// one, CodeDamaged when it does not read back.
func readIndex(dir string) (*index, error) {
	f, err := os.Open(filepath.Join(dir, indexName))
	if errors.Is(err, os.ErrNotExist) {
		return nil, upkeep.Errorf(upkeep.CodeNotFound, "%s holds no complete dump", dir)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	ix, err := decodeIndex(f)
	if err != nil {
		return nil, upkeep.Errorf(upkeep.CodeDamaged, "index of dump %s: %w", dir, err)
	}
	return ix, nil
}

// decodeIndex trusts nothing it reads: a dump may come back from a vault that
// others can write to, and its file names are opened later.
func decodeIndex(r io.Reader) (*index, error) {
	dec := json.NewDecoder(bufio.NewReader(r))
	ix := &index{}
	if err := dec.Decode(&ix.header); err != nil {
		return nil, err
	}
	if ix.Format != indexFormat {
		return nil, upkeep.Errorf(upkeep.CodeDamaged, "format %q is not known", ix.Format)
	}
	for range ix.Objects {
		e := entry{Object: &schema.Object{}}
		if err := dec.Decode(&e); err != nil {
			return nil, err
		}
		if e.File != "" && !filepath.IsLocal(e.File) {
			return nil, upkeep.Errorf(upkeep.CodeRefused, "file %q leads out of the dump", e.File)
		}
		d := dumped{Object: e.Object}
		for range e.Segments {
			var s segment
			if err := dec.Decode(&s); err != nil {
				return nil, err
			}
			d.segments = append(d.segments, s)
		}
		ix.objects = append(ix.objects, d)
	}
	return ix, nil
}

// find returns an object by kind and name, or nil.
func (ix *index) find(kind, name string) *dumped {
	for i := range ix.objects {
		if d := &ix.objects[i]; d.Kind == kind && d.Name == name {
			return d
		}
	}
	return nil
}

// catalogue returns the definitions that the dump holds.
func (ix *index) catalogue() *schema.Catalogue {
	c := &schema.Catalogue{Collation: ix.Collation}
	for _, d := range ix.objects {
		c.Objects = append(c.Objects, d.Object)
	}
	return c
}
