// Package recall remembers what was read out of files, by what identifies a
// file and the moment of its last change, so that one is read again only after
// it changed.
package recall

import (
	"errors"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"upkeep"
)

// settled is how long a file must have been left alone before what it says is
// remembered: a second write within the clock's grain would not show in its
// times.
const settled = 3 * time.Second

// most is how many files are remembered; past that it begins anew.
const most = 20_000

// Files remembers one thing of each file. The zero value is empty; it is safe
// for concurrent use. What it returns is shared, and not to be changed.
type Files[T any] struct {
	mu    sync.Mutex
	known map[key]T
}

// readers is how many files are read at the same time.
const readers = 2

// Each calls read for each number below n, some at the same time, and returns when
// all have ended.
func Each(n int, read func(i int)) {
	var next atomic.Int64
	var reading sync.WaitGroup
	for range min(n, readers) {
		reading.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				read(int(i))
			}
		})
	}
	reading.Wait()
}

// key identifies a file and the moment of its last change.
type key struct {
	device, inode uint64
	size          int64
	mtime, ctime  int64
}

// Read returns what parse makes of the file name below d, or made of it when
// it was as it is. CodeRefused when it is no regular file of at most limit
// bytes; what opening, reading or parse says otherwise, which is not remembered.
func (f *Files[T]) Read(d *Folder, name string, limit int64, parse func(text []byte) (T, error)) (result T, err error) {
	if result, known := f.recall(d, name); known {
		return result, nil
	}
	fd, err := d.open(name, 0)
	if err != nil {
		return result, err
	}
	defer func() { _ = unix.Close(fd) }() // was only read
	at, mode, sure, err := stat(fd)
	if err != nil {
		return result, err
	}
	if mode != unix.S_IFREG || at.size > limit {
		return result, upkeep.Errorf(upkeep.CodeRefused, "%s: want a regular file of at most %d bytes", name, limit)
	}
	text, err := read(fd, at.size, limit)
	if err != nil {
		return result, err
	}
	if result, err = parse(text); err == nil && sure {
		f.put(at, result)
	}
	return result, err
}

// recall returns what was read of the file that name leads to, by one system
// call. A link may lead anywhere: what is known was read from within the folder.
func (f *Files[T]) recall(d *Folder, name string) (result T, known bool) {
	var st unix.Stat_t
	if unix.Fstatat(int(d.self.Fd()), name, &st, 0) != nil {
		return result, false // opening says why
	}
	at := keyOf(&st)
	if result, known = f.get(at); !known || !at.settled() {
		return result, false
	}
	return result, true
}

// stat returns what identifies an open file, and the type of its mode; not sure
// is one whose times cannot vouch for its content.
func stat(fd int) (at key, mode uint32, sure bool, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return at, 0, false, os.NewSyscallError("fstat", err)
	}
	at = keyOf(&st)
	return at, st.Mode & unix.S_IFMT, at.settled(), nil
}

func keyOf(st *unix.Stat_t) key {
	return key{st.Dev, st.Ino, st.Size, st.Mtim.Nano(), st.Ctim.Nano()}
}

// settled reports whether the file was left alone for long enough.
func (at key) settled() bool { return time.Now().UnixNano()-max(at.mtime, at.ctime) > int64(settled) }

// read returns what a file of size bytes holds now, at most limit bytes of it.
func read(fd int, size, limit int64) ([]byte, error) {
	text := make([]byte, 0, size+1)
	for int64(len(text)) < limit {
		if len(text) == cap(text) {
			text = slices.Grow(text, len(text))
		}
		n, err := unix.Read(fd, text[len(text):cap(text)])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, os.NewSyscallError("read", err)
		}
		text = text[:len(text)+n]
		if len(text) < cap(text) { // less than was asked for: it ends here
			return text, nil
		}
	}
	return text[:limit], nil
}

func (f *Files[T]) get(at key) (T, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	result, known := f.known[at]
	return result, known
}

func (f *Files[T]) put(at key, result T) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.known == nil || len(f.known) >= most {
		f.known = map[key]T{}
	}
	f.known[at] = result
}
