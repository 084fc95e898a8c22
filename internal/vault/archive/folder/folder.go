// Package folder reaches what is in folders, and everything that names in them
// can have, through handles: no link is ever followed, no pipe or device
// opened, whatever takes the place of what while we look.
package folder

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"upkeep"
)

// Folder is an open folder that others share; the last to let go closes it.
// Everything below a source is reached through one of these by a single
// name, so that no link on the way is ever followed.
type Folder struct {
	FD   int
	refs atomic.Int32
}

// newFolder takes over fd, with one holder.
func newFolder(fd int) *Folder {
	f := &Folder{FD: fd}
	f.refs.Store(1)
	return f
}

// Open opens a source's folder. Links that lead to it are the caller's
// own and are followed.
func Open(dir string) (*Folder, error) {
	fd, err := Retry(func() (int, error) {
		return unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	return newFolder(fd), nil
}

// Child opens a folder in f; a link is an error.
func (f *Folder) Child(name string) (*Folder, error) {
	fd, err := Retry(func() (int, error) {
		return unix.Openat(f.FD, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, err
	}
	return newFolder(fd), nil
}

// Hold lets one more share the folder.
func (f *Folder) Hold() *Folder {
	f.refs.Add(1)
	return f
}

// Drop lets go of the folder. Nothing was written through its descriptor, so
// that closing cannot lose anything.
func (f *Folder) Drop() {
	if f.refs.Add(-1) == 0 {
		_ = unix.Close(f.FD)
	}
}

// Names returns the sorted names in the folder.
func (f *Folder) Names() ([]string, error) {
	if _, err := unix.Seek(f.FD, 0, 0); err != nil {
		return nil, err
	}
	var names []string
	buffer := make([]byte, 32<<10)
	for {
		n, err := Retry(func() (int, error) { return unix.ReadDirent(f.FD, buffer) })
		if err != nil {
			return nil, err
		}
		if n <= 0 {
			slices.Sort(names)
			return names, nil
		}
		_, _, names = unix.ParseDirent(buffer[:n], -1, names)
	}
}

// Stat describes what has this name in the folder, never what it links to.
func (f *Folder) Stat(name string, st *unix.Stat_t) error {
	_, err := Retry(func() (int, error) {
		return 0, unix.Fstatat(f.FD, name, st, unix.AT_SYMLINK_NOFOLLOW)
	})
	return err
}

// Readlink returns the target of a link, whatever bytes it is made of.
func (f *Folder) Readlink(name string) (string, error) {
	for size := 256; ; size *= 4 {
		buffer := make([]byte, size)
		n, err := unix.Readlinkat(f.FD, name, buffer)
		if err != nil {
			return "", err
		}
		if n < size {
			return string(buffer[:n]), nil
		}
	}
}

// OpenFile opens a regular file for reading. NONBLOCK keeps a pipe that took its
// place from holding us up; the caller checks what was opened.
func (f *Folder) OpenFile(name string) (int, error) {
	const flags = unix.O_RDONLY | unix.O_NONBLOCK | unix.O_CLOEXEC | unix.O_NOCTTY
	fd, err := Retry(func() (int, error) { return unix.Openat(f.FD, name, flags|unix.O_NOFOLLOW, 0) })
	if errors.Is(err, unix.EACCES) && os.Geteuid() != 0 {
		return f.openOwn(name, flags)
	}
	return fd, err
}

// handle is a path that reaches exactly this name in this folder, for calls
// that know no folder descriptors.
func (f *Folder) handle(name string) string {
	return "/proc/self/fd/" + strconv.Itoa(f.FD) + "/" + name
}

// Retry repeats a call that a signal interrupted.
func Retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

// Xattr is an extended attribute.
type Xattr struct {
	Name  string `json:"name"`
	Value []byte `json:"value"`
}

// LinkXattrs returns the attributes of a name in the folder, sorted.
func (f *Folder) LinkXattrs(name string) ([]Xattr, error) {
	path := f.handle(name)
	return listXattrs(
		func(buffer []byte) (int, error) { return unix.Llistxattr(path, buffer) },
		func(attr string, buffer []byte) (int, error) { return unix.Lgetxattr(path, attr, buffer) })
}

// Xattrs returns the attributes of an open file or folder, sorted.
func Xattrs(fd int) ([]Xattr, error) {
	return listXattrs(
		func(buffer []byte) (int, error) { return unix.Flistxattr(fd, buffer) },
		func(attr string, buffer []byte) (int, error) { return unix.Fgetxattr(fd, attr, buffer) })
}

// listXattrs returns the attributes that list names and get reads, sorted.
func listXattrs(list func([]byte) (int, error), get func(string, []byte) (int, error)) ([]Xattr, error) {
	text, err := grow(nil, list)
	if len(text) == 0 || errors.Is(err, unix.ENOTSUP) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var attrs []Xattr
	for name := range strings.SplitSeq(strings.TrimSuffix(string(text), "\x00"), "\x00") {
		value, err := grow(nil, func(buffer []byte) (int, error) { return get(name, buffer) })
		if errors.Is(err, unix.ENODATA) {
			continue // removed since it was listed
		}
		if err != nil {
			return nil, err
		}
		attrs = append(attrs, Xattr{name, value})
	}
	slices.SortFunc(attrs, func(a, b Xattr) int { return strings.Compare(a.Name, b.Name) })
	return attrs, nil
}

// grow calls a function that fills a buffer, with one that is large enough.
func grow(buffer []byte, fill func([]byte) (int, error)) ([]byte, error) {
	for {
		n, err := fill(buffer)
		switch {
		case errors.Is(err, unix.ERANGE):
			buffer = make([]byte, 2*len(buffer)+256)
		case err != nil:
			return nil, err
		case n > len(buffer): // an empty buffer asks for the size
			buffer = make([]byte, n)
		case n == 0 || len(buffer) > 0:
			return buffer[:n], nil
		}
	}
}

// ValidName reports whether name can be one part of a path.
func ValidName(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\x00")
}

// Nanoseconds is a time of stat(2) as nanoseconds since 1970, or the nearest
// that they can say: the years from 1677 to 2262.
func Nanoseconds(ts unix.Timespec) int64 {
	const whole = math.MaxInt64 / int64(time.Second)
	switch {
	case ts.Sec >= whole:
		return math.MaxInt64
	case ts.Sec <= -whole:
		return math.MinInt64
	}
	return ts.Sec*int64(time.Second) + ts.Nsec
}

// CodeOf gives file system errors the code that says who can help.
func CodeOf(err error) upkeep.Code {
	switch {
	case errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT):
		return upkeep.CodeNoSpace
	case errors.Is(err, fs.ErrPermission):
		return upkeep.CodeUnauthorized
	}
	return upkeep.CodeOf(err)
}
