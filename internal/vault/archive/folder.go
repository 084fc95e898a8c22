package archive

import (
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"upkeep"
)

// folder is an open folder that others share; the last to let go closes it.
// Everything below a source is reached through one of these by a single
// name, so that no link on the way is ever followed.
type folder struct {
	fd   int
	refs atomic.Int32
}

func newFolder(fd int) *folder {
	f := &folder{fd: fd}
	f.refs.Store(1)
	return f
}

// openRoot opens a source's folder. Links that lead to it are the caller's
// own and are followed.
func openRoot(dir string) (*folder, error) {
	fd, err := retry(func() (int, error) {
		return unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	return newFolder(fd), nil
}

// child opens a folder in f; a link is an error.
func (f *folder) child(name string) (*folder, error) {
	fd, err := retry(func() (int, error) {
		return unix.Openat(f.fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, err
	}
	return newFolder(fd), nil
}

func (f *folder) hold() *folder {
	f.refs.Add(1)
	return f
}

// drop lets go of the folder. Nothing was written through its descriptor, so
// that closing cannot lose anything.
func (f *folder) drop() {
	if f.refs.Add(-1) == 0 {
		_ = unix.Close(f.fd)
	}
}

// names returns the sorted names in the folder.
func (f *folder) names() ([]string, error) {
	if _, err := unix.Seek(f.fd, 0, 0); err != nil {
		return nil, err
	}
	var names []string
	buffer := make([]byte, 32<<10)
	for {
		n, err := retry(func() (int, error) { return unix.ReadDirent(f.fd, buffer) })
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

// stat describes what has this name in the folder, never what it links to.
func (f *folder) stat(name string, st *unix.Stat_t) error {
	_, err := retry(func() (int, error) {
		return 0, unix.Fstatat(f.fd, name, st, unix.AT_SYMLINK_NOFOLLOW)
	})
	return err
}

// readlink returns the target of a link, whatever bytes it is made of.
func (f *folder) readlink(name string) (string, error) {
	for size := 256; ; size *= 4 {
		buffer := make([]byte, size)
		n, err := unix.Readlinkat(f.fd, name, buffer)
		if err != nil {
			return "", err
		}
		if n < size {
			return string(buffer[:n]), nil
		}
	}
}

// open opens a regular file for reading. NONBLOCK keeps a pipe that took its
// place from holding us up; the caller checks what was opened.
func (f *folder) open(name string) (int, error) {
	flags := unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC | unix.O_NOCTTY
	return retry(func() (int, error) { return unix.Openat(f.fd, name, flags, 0) })
}

// handle is a path that reaches exactly this name in this folder, for calls
// that know no folder descriptors.
func (f *folder) handle(name string) string {
	return "/proc/self/fd/" + strconv.Itoa(f.fd) + "/" + name
}

// retry repeats a call that a signal interrupted.
func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

// xattr is an extended attribute.
type xattr struct {
	Name  string `json:"name"`
	Value []byte `json:"value"`
}

// linkXattrs returns the attributes of a name in the folder, sorted.
func (f *folder) linkXattrs(name string) ([]xattr, error) {
	path := f.handle(name)
	return listXattrs(
		func(buffer []byte) (int, error) { return unix.Llistxattr(path, buffer) },
		func(attr string, buffer []byte) (int, error) { return unix.Lgetxattr(path, attr, buffer) })
}

// fileXattrs returns the attributes of an open file or folder, sorted.
func fileXattrs(fd int) ([]xattr, error) {
	return listXattrs(
		func(buffer []byte) (int, error) { return unix.Flistxattr(fd, buffer) },
		func(attr string, buffer []byte) (int, error) { return unix.Fgetxattr(fd, attr, buffer) })
}

func listXattrs(list func([]byte) (int, error), get func(string, []byte) (int, error)) ([]xattr, error) {
	text, err := grow(nil, list)
	if len(text) == 0 || errors.Is(err, unix.ENOTSUP) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var attrs []xattr
	for name := range strings.SplitSeq(strings.TrimSuffix(string(text), "\x00"), "\x00") {
		value, err := grow(nil, func(buffer []byte) (int, error) { return get(name, buffer) })
		if errors.Is(err, unix.ENODATA) {
			continue // removed since it was listed
		}
		if err != nil {
			return nil, err
		}
		attrs = append(attrs, xattr{name, value})
	}
	slices.SortFunc(attrs, func(a, b xattr) int { return strings.Compare(a.Name, b.Name) })
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

// validName reports whether name can be one part of a path.
func validName(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\x00")
}

func nanoseconds(ts unix.Timespec) int64 { return ts.Sec*int64(time.Second) + ts.Nsec }

// codeOf gives file system errors the code that says who can help.
func codeOf(err error) upkeep.Code {
	switch {
	case errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT):
		return upkeep.CodeNoSpace
	case errors.Is(err, fs.ErrPermission):
		return upkeep.CodeUnauthorized
	}
	return upkeep.CodeOf(err)
}
