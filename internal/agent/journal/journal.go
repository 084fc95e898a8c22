// Package journal is the write-ahead record of what an agent does to a site:
// every act is on disk before it is done, so that whoever comes back knows
// what is half done and how to undo it.
package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"upkeep"
	"upkeep/internal/agent/place"
)

// Op says what an entry announces.
type Op string

// The operations.
const (
	Open     Op = "open"     // an intervention begins; Note holds the agent's session as JSON
	Aside    Op = "aside"    // Target moves to Kept and Source, when set, takes its place: a change of the site
	Gate     Op = "gate"     // as Aside, but part of the gate: taken back when the site thaws
	Mode     Op = "mode"     // Target gets mode To instead of From: part of the gate
	Secured  Op = "secured"  // dump and manifest are complete: from here on everything can be undone
	Migrate  Op = "migrate"  // code of the site may change database and files from here on
	Reverted Op = "reverted" // the entry numbered Of is taken back
	Undone   Op = "undone"   // all changes are taken back; Note holds the identity as JSON
	Commit   Op = "commit"   // the changes stay: recovery goes forward from here
	Thawed   Op = "thawed"   // the gate is open
)

// Entry is one line of a journal.
type Entry struct {
	Seq    int             `json:"seq"`
	At     time.Time       `json:"at"`
	Op     Op              `json:"op"`
	Target string          `json:"target,omitempty"` // absolute path in the site
	Source string          `json:"source,omitempty"` // absolute path of what takes its place
	Kept   string          `json:"kept,omitempty"`   // absolute path where the original waits; "" when there was none
	Old    uint64          `json:"old,omitempty"`    // inode of the original, 0 when there was none
	New    uint64          `json:"new,omitempty"`    // inode of what takes its place, 0 when nothing does
	From   uint32          `json:"from,omitempty"`
	To     uint32          `json:"to,omitempty"`
	MTime  int64           `json:"mtime,omitempty"` // of Target's folder before, nanoseconds
	Of     int             `json:"of,omitempty"`
	Note   json.RawMessage `json:"note,omitempty"`
}

// Journal is an open journal. One goroutine writes; any may read.
type Journal struct {
	file *os.File
	size int64 // of the whole lines in file
	now  upkeep.Clock

	mu      sync.Mutex // guards entries
	entries []Entry
}

// Start creates the journal at path. CodeConflict when one is there already.
func Start(path string, now upkeep.Clock) (j *Journal, err error) {
	defer upkeep.Wrap(&err, "start journal")
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, upkeep.Errorf(upkeep.CodeConflict, "an intervention is already open on this site").
			WithHint("Wait for it to end, or see it with upkeep intervention list.")
	}
	if err != nil {
		return nil, err
	}
	if err := place.SyncDir(filepath.Dir(path)); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &Journal{file: file, now: now}, nil
}

// Resume opens the journal at path and reads what it says. A last line that is
// unfinished, or does not read, is a write that was cut before its act began:
// it is dropped. fs.ErrNotExist when there is none, CodeDamaged when another
// line does not read back.
func Resume(path string, now upkeep.Clock) (j *Journal, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	defer upkeep.Wrap(&err, "resume journal %s", path)
	entries, whole, err := parse(text)
	if err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	if err := file.Truncate(int64(whole)); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &Journal{file: file, size: int64(whole), entries: entries, now: now}, nil
}

// Read returns the entries at path without opening it for writing.
func Read(path string) ([]Entry, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	entries, _, err := parse(text)
	return entries, err
}

func parse(text []byte) (entries []Entry, whole int, err error) {
	for whole < len(text) {
		end := bytes.IndexByte(text[whole:], '\n')
		if end < 0 {
			break
		}
		var entry Entry
		err := json.Unmarshal(text[whole:whole+end], &entry)
		if err != nil && whole+end+1 == len(text) {
			break // a power cut kept the end of a line and lost what is before
		}
		if err != nil || entry.Seq != len(entries)+1 {
			return nil, 0, upkeep.Errorf(upkeep.CodeDamaged, "line %d does not read back", len(entries)+1).
				WithHint("Keep the file and restore the site with upkeep backup restore.")
		}
		entries = append(entries, entry)
		whole += end + 1
	}
	return entries, whole, nil
}

// Salvage makes a damaged journal at path one of those lines that can be read,
// numbered anew, and keeps the damaged one beside it. What the others said is
// not known: nobody may undo by what is left, but it says how to open the
// site. CodeDamaged when the first line cannot be read either.
func Salvage(path string, now upkeep.Clock) (j *Journal, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	defer upkeep.Wrap(&err, "salvage journal %s", path)
	var entries []Entry
	numbers := map[int]int{}
	for line := range bytes.Lines(text) {
		var e Entry
		if json.Unmarshal(line, &e) != nil || numbers[e.Seq] != 0 {
			continue
		}
		numbers[e.Seq] = len(entries) + 1
		e.Seq, e.Of = len(entries)+1, numbers[e.Of]
		entries = append(entries, e)
	}
	if len(entries) == 0 || entries[0].Op != Open {
		return nil, upkeep.Errorf(upkeep.CodeDamaged, "its beginning does not read back").
			WithHint("Keep the file, remove it from there, and restore the site with upkeep backup restore.")
	}
	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if j, err = Start(fresh, now); err != nil {
		return nil, err
	}
	for _, e := range entries {
		if err := j.append(e); err != nil {
			return nil, errors.Join(err, j.Close())
		}
	}
	if err := errors.Join(j.Close(), os.WriteFile(path+".damaged", text, 0o600), os.Rename(fresh, path), place.SyncDir(filepath.Dir(path))); err != nil {
		return nil, err
	}
	return Resume(path, now)
}

// Write appends e and returns once it is on disk, with its number set. What a
// full disk cut short is taken away again, so that a later entry can be read.
func (j *Journal) Write(e Entry) (Entry, error) {
	e.Seq = len(j.Entries()) + 1
	e.At = j.now().UTC()
	return e, j.append(e)
}

func (j *Journal) append(e Entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	if err := j.file.Truncate(j.size); err != nil {
		return err
	}
	_, err = j.file.Write(line)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		return spaced(errors.Join(err, j.file.Truncate(j.size)))
	}
	j.size += int64(len(line))
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, e)
	return nil
}

// spaced gives the error of a full disk its code.
func spaced(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return upkeep.Errorf(upkeep.CodeNoSpace, "write journal: %w", err)
	}
	return err
}

// Entries returns what was written so far, oldest first. It is not changed by
// later writes.
func (j *Journal) Entries() []Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.entries[:len(j.entries):len(j.entries)]
}

// Standing returns the acts of the given kinds that are not taken back,
// oldest first.
func Standing(entries []Entry, ops ...Op) []Entry {
	reverted := map[int]bool{}
	for _, e := range entries {
		if e.Op == Reverted {
			reverted[e.Of] = true
		}
	}
	var standing []Entry
	for _, e := range entries {
		for _, op := range ops {
			if e.Op == op && !reverted[e.Seq] {
				standing = append(standing, e)
			}
		}
	}
	return standing
}

// Last returns the newest entry with one of the operations, or nil.
func Last(entries []Entry, ops ...Op) *Entry {
	for i := len(entries) - 1; i >= 0; i-- {
		for _, op := range ops {
			if entries[i].Op == op {
				return &entries[i]
			}
		}
	}
	return nil
}

// Close releases the file; the journal stays on disk.
func (j *Journal) Close() error { return j.file.Close() }

// Finish removes the journal: nothing is left to undo or to thaw.
func (j *Journal) Finish() (err error) {
	defer upkeep.Wrap(&err, "finish journal")
	path := j.file.Name()
	if err := errors.Join(j.file.Close(), os.Remove(path)); err != nil {
		return err
	}
	return place.SyncDir(filepath.Dir(path))
}
