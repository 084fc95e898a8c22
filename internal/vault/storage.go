package vault

import (
	"context"
	"path"
	"strings"
	"time"
)

// Storage keeps the files of a repository. Names are slash paths below the
// repository, laid out as restic does: "config", "data/ab/abcd…",
// "index/…", "keys/…", "locks/…", "snapshots/…". Methods may be called
// concurrently. A file that does not exist is an error that matches
// fs.ErrNotExist.
type Storage interface {
	// Save writes a whole file that did not exist. It returns when the file
	// would survive a power cut; readers see all of it or nothing. A file
	// that exists is an error that matches fs.ErrExist.
	Save(ctx context.Context, name string, data []byte) error
	// Load returns length bytes from offset, or all that follows offset
	// when length is 0. A shorter file is an error.
	Load(ctx context.Context, name string, offset int64, length int) ([]byte, error)
	// List calls fn for every whole file below a folder, in no order.
	List(ctx context.Context, folder string, fn func(FileInfo) error) error
	// Stat describes one file.
	Stat(ctx context.Context, name string) (FileInfo, error)
	// Remove deletes a file. One that is already gone is not an error.
	Remove(ctx context.Context, name string) error
}

// Tidier is a Storage in which writers that were killed leave something behind.
type Tidier interface {
	// Tidy removes what was left half written long before now.
	Tidy(ctx context.Context, now time.Time) error
}

// PartPrefix marks a file that is still being written, where a storage cannot
// write one unseen. restic leaves such names alone.
const PartPrefix = ".part-"

// LeftBehind reports whether a file was being written and is too old to still
// be.
func (f *FileInfo) LeftBehind(now time.Time) bool {
	return strings.HasPrefix(path.Base(f.Name), PartPrefix) && now.Sub(f.Modified) >= time.Hour
}

// FileInfo describes a file in a Storage.
type FileInfo struct {
	Name     string // slash path below the repository
	Size     int64  // bytes
	Modified time.Time
}

// The folders and the one fixed name of a repository.
const (
	configName      = "config"
	dataFolder      = "data"
	indexFolder     = "index"
	keysFolder      = "keys"
	locksFolder     = "locks"
	snapshotsFolder = "snapshots"
)

// fileName returns the name under which folder keeps the file with this ID.
func fileName(folder string, id ID) string {
	hex := id.String()
	if folder == dataFolder {
		return dataFolder + "/" + hex[:2] + "/" + hex
	}
	return folder + "/" + hex
}
