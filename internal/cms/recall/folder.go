package recall

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Folder is an open folder. What is below it is opened by its whole path, in one
// system call where the kernel can; no link leads out of it.
type Folder struct {
	root *os.Root
	self *os.File // for its descriptor
}

// Within returns a folder for reading many files of. The caller closes it, and
// root after it.
func Within(root *os.Root) (*Folder, error) {
	self, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	return &Folder{root, self}, nil
}

// Close releases what Within took, not the root.
func (d *Folder) Close() error { return d.self.Close() }

// open returns a descriptor of name, which the caller closes.
func (d *Folder) open(name string, flags int) (int, error) {
	// A pipe in the place of a file must not keep us waiting for its other end.
	flags |= unix.O_RDONLY | unix.O_NONBLOCK | unix.O_CLOEXEC
	how := unix.OpenHow{Flags: uint64(flags), Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS}
	fd, err := unix.Openat2(int(d.self.Fd()), name, &how)
	if err == nil {
		return fd, nil
	}
	for _, plain := range []error{unix.ENOENT, unix.ENOTDIR, unix.EACCES} {
		if errors.Is(err, plain) {
			return -1, &fs.PathError{Op: "openat", Path: name, Err: err}
		}
	}
	// An older kernel, somebody who renames meanwhile, or a way out, which root
	// names better.
	file, err := d.root.OpenFile(name, flags, 0)
	if err != nil {
		return -1, err
	}
	defer file.Close()
	return unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
}

// Entry is what a folder holds under a name.
type Entry struct {
	Name string
	Type fs.FileMode // of the entry itself, only the bits of its type
}

// IsDir reports whether the entry is a folder, and no link to one.
func (e Entry) IsDir() bool { return e.Type.IsDir() }

// Find returns what a folder, listed as Lists does, holds under a name.
func Find(entries []Entry, name string) (Entry, bool) {
	i, found := slices.BinarySearchFunc(entries, name, func(e Entry, name string) int { return strings.Compare(e.Name, name) })
	if !found {
		return Entry{}, false
	}
	return entries[i], true
}

// Lists remembers what folders hold: a name that comes or goes changes the times
// of its folder. The zero value is empty; it is safe for concurrent use. What it
// returns is shared, and not to be changed.
type Lists struct{ known Files[[]Entry] }

// Read lists the folder name below d, sorted.
func (l *Lists) Read(d *Folder, name string) ([]Entry, error) {
	if entries, known := l.known.recall(d, name); known {
		return entries, nil
	}
	fd, err := d.open(name, unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), name)
	defer file.Close()
	at, _, sure, err := stat(fd)
	if err != nil {
		return nil, err
	}
	found, err := file.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, 0, len(found))
	for _, entry := range found {
		entries = append(entries, Entry{entry.Name(), entry.Type()})
	}
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	if sure {
		l.known.put(at, entries)
	}
	return entries, nil
}
