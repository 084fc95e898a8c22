// Package recall remembers what was read out of files, by what identifies a
// file and the moment of its last change, so that one is read again only after
// it changed.
package recall

import (
	"io"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"

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

// key identifies a file and the moment of its last change.
type key struct {
	device, inode uint64
	size          int64
	mtime, ctime  int64
}

// Read returns what parse makes of the file name below root, or made of it when
// it was as it is. CodeRefused when it is no regular file of at most limit
// bytes; what opening, reading or parse says otherwise, which is not remembered.
func (f *Files[T]) Read(root *os.Root, name string, limit int64, parse func(text []byte) (T, error)) (result T, err error) {
	// A pipe in the place of a file must not keep us waiting for its other end.
	file, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return result, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return result, err
	}
	if !info.Mode().IsRegular() || info.Size() > limit {
		return result, upkeep.Errorf(upkeep.CodeRefused, "%s: want a regular file of at most %d bytes", name, limit)
	}
	at, sure := keyOf(info)
	if result, known := f.get(at); sure && known {
		return result, nil
	}
	text, err := io.ReadAll(io.LimitReader(file, limit))
	if err != nil {
		return result, err
	}
	if result, err = parse(text); err == nil && sure {
		f.put(at, result)
	}
	return result, err
}

// keyOf is false for a file whose times cannot vouch for its content.
func keyOf(info fs.FileInfo) (key, bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return key{}, false
	}
	k := key{uint64(st.Dev), st.Ino, st.Size, st.Mtim.Nano(), st.Ctim.Nano()}
	return k, time.Now().UnixNano()-max(k.mtime, k.ctime) > int64(settled)
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
