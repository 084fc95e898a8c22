// Package archive is the half of a vault that works where a site is: it
// reads folders into trees, and restores trees into folders, through
// vault.Blobs. It never follows a link out of a folder, opens no pipe or
// device, and treats what it finds as hostile.
package archive

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/restic/chunker"

	"upkeep"
	"upkeep/internal/vault"
	"upkeep/internal/vault/archive/content"
	"upkeep/internal/vault/archive/folder"
	"upkeep/internal/vault/archive/node"
)

// Source is a folder to read or restore, with its name in the tree.
type Source struct {
	Name string   // first part of every path in it: "site", "uploads"
	Dir  string   // absolute; links leading to it are followed
	Only []string // when set, just these names directly below Dir
}

// Memory remembers which content files had, so that a file that has not
// changed need not be read again. The zero value is empty and ready.
type Memory = node.Memory

// LoadMemory reads a memory that Save wrote. A file that is missing or does
// not read back gives an empty one: it costs time, never correctness.
func LoadMemory(path string) (*Memory, error) { return node.LoadMemory(path) }

// Options is how to read, compare or restore. Polynomial is always needed.
type Options struct {
	// Polynomial is the repository's, as Repository.Polynomial gives it.
	Polynomial chunker.Pol
	// Memory, when set, spares reading files that have not changed, and is
	// brought up to date with what was read.
	Memory *Memory
	// Settled says that only the caller writes to these files, and never to one
	// that was read: Memory then need not wait until a change would show.
	Settled bool
	// Exclude reports whether a path below a source is left out: not read,
	// not compared, not removed. It is called from one goroutine.
	Exclude func(source string, path []byte) bool
	// Instead says where originals wait while something else stands in their
	// place, as at the gate of a frozen site: path, "site/wp-admin/install.php",
	// to absolute path. They are read and listed as if they were there.
	Instead map[string]string
	// Content says where the content of files is read instead, while all else
	// is theirs: a database that is being written to, and a copy of one moment
	// of it. Path, "site/data/wiki.sqlite", to absolute path.
	Content map[string]string
	// Attributes says which mode and time folders have otherwise, by path,
	// when freezing the site changed them.
	Attributes map[string]Attributes
	// Progress, when set, is told now and then how far the work is. It must
	// return quickly and may be called from several goroutines.
	Progress func(Stats)
	// Clock tells the time; nil is the system's.
	Clock upkeep.Clock

	// Only restricts Restore to these paths, "site/wp-content/x", and what
	// is below them. A path that the tree does not have is removed.
	Only [][]byte
	// InPlace lets Restore work in folders that are not empty: what the
	// tree does not have is removed.
	InPlace bool
	// Sync makes Restore return only when the result would survive a power
	// cut.
	Sync bool
}

// Attributes of a folder as it is to be read and listed.
type Attributes struct {
	Mode  *uint32 // permission bits; nil leaves them as found
	MTime *int64  // nanoseconds since 1970; nil leaves it as found
}

// Stats counts what was done so far.
type Stats struct {
	Files     int64 // regular files seen
	Folders   int64
	Others    int64 // links, pipes, sockets, devices
	Bytes     int64 // of content seen
	Read      int64 // bytes read from files
	Unchanged int64 // files that memory spared
	Added     int64 // bytes of blobs that were not yet stored
	Blobs     int64 // number of those
	Written   int64 // restore: bytes written to files
	Changed   int64 // restore: paths written, made or corrected
	Removed   int64 // restore: paths removed
}

// Summary is what restic shows of a snapshot. Without a parent to compare
// with, what memory spared counts as unmodified and all else as new.
func (s Stats) Summary(began, ended time.Time) *vault.SnapshotSummary {
	return &vault.SnapshotSummary{
		BackupStart: began, BackupEnd: ended,
		FilesNew: uint(s.Files - s.Unchanged), FilesUnmodified: uint(s.Unchanged), DirsNew: uint(s.Folders),
		DataBlobs: int(s.Blobs), DataAdded: uint64(s.Added),
		TotalFilesProcessed: uint(s.Files), TotalBytesProcessed: uint64(s.Bytes),
	}
}

// Result is what Read found and stored.
type Result struct {
	Tree    vault.ID       // one folder per source, by name
	Entries []upkeep.Entry // sorted by path
	Stats   Stats
	// Unsteady lists files that kept changing while they were read. What is
	// stored is the last reading, of which parts may be older than others.
	// On a frozen site it must be empty.
	Unsteady [][]byte

	top []node.Node // the sources, for Join
}

// maxProblems bounds how many paths one error names.
const maxProblems = 20

// problems collects what could not be read or written. All paths are kept,
// but only the first few errors.
type problems struct {
	mu    sync.Mutex
	list  []error
	paths map[string]bool
	count int
}

// add notes that a path could not be read or written, and why.
func (p *problems) add(path string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.paths == nil {
		p.paths = map[string]bool{}
	}
	p.paths[path] = true
	if p.count++; len(p.list) < maxProblems {
		p.list = append(p.list, upkeep.Causef("%q: %w", path, err))
	}
}

// err returns one error that names the paths, or nil.
func (p *problems) err(verb upkeep.Phrase) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.count == 0 {
		return nil
	}
	text := upkeep.TextOf(p.list[0])
	for _, err := range p.list[1:] {
		text = upkeep.TextOf(upkeep.Causef("%s; %w", text, err))
	}
	if p.count > len(p.list) {
		text = upkeep.TextOf(upkeep.Causef("%s; and %d more", text, p.count-len(p.list)))
	}
	code := folder.CodeOf(p.list[0])
	return upkeep.Errorf(code, "%d paths cannot be %s: %s", p.count, verb, text).
		WithHint("Correct the rights of these paths, or exclude them.")
}

// now is the time by the caller's clock.
func (o *Options) now() time.Time {
	if o.Clock != nil {
		return o.Clock()
	}
	return time.Now()
}

// excluded asks the caller; the path is below the source, without its name.
func (o *Options) excluded(source, path string) bool {
	return o.Exclude != nil && o.Exclude(source, []byte(path))
}

// validate checks what the caller composed.
func (o *Options) validate(sources []Source) error {
	if o.Polynomial == 0 {
		return upkeep.Errorf(upkeep.CodeInvalid, "archive: no polynomial given")
	}
	seen := map[string]bool{}
	for _, s := range sources {
		if !folder.ValidName(s.Name) || seen[s.Name] {
			return upkeep.Errorf(upkeep.CodeInvalid, "archive: source name %q is empty, not a plain name, or given twice", s.Name)
		}
		seen[s.Name] = true
	}
	return nil
}

// totals counts what is done, from all goroutines.
type totals struct {
	content.Counters
	files, folders, others, bytes, unchanged atomic.Int64
	written, changed, removed                atomic.Int64
}

// stats is a look at counters that go on: they need not agree to the last file.
func (t *totals) stats() Stats {
	return Stats{
		Files: t.files.Load(), Folders: t.folders.Load(), Others: t.others.Load(),
		Bytes: t.bytes.Load(), Read: t.Read.Load(), Unchanged: t.unchanged.Load(),
		Added: t.Added.Load(), Blobs: t.Blobs.Load(),
		Written: t.written.Load(), Changed: t.changed.Load(), Removed: t.removed.Load(),
	}
}
