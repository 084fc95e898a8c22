// Package direct writes and reads large files past the system's cache, where
// the file system can do that: what is read back is then what the disk holds,
// not what was just written into memory; the cache stays the sites'; and
// copying a pack into it costs more than all else that is done to a pack.
package direct

import (
	"errors"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	align = 4096    // that addresses, offsets and lengths must be multiples of
	from  = 1 << 20 // bytes below which the cache is quicker
)

// fits reports whether data may be handed to the disk as it lies in
// memory. Go's large allocations begin on a page.
func fits(data []byte) bool {
	return len(data) >= from && uintptr(unsafe.Pointer(unsafe.SliceData(data)))%align == 0
}

// Write writes data to f, which is empty, as far as it goes past the
// cache, and returns how much that was.
func Write(f *os.File, data []byte) (n int, err error) {
	if !fits(data) || set(f, true) != nil {
		return 0, nil
	}
	n, err = f.Write(data[:len(data)&^(align-1)])
	if err = errors.Join(err, set(f, false)); errors.Is(err, unix.EINVAL) {
		err = nil // stricter than we know: the rest goes the usual way
	}
	return n, err
}

// Read fills data from offset of f past the cache, or says that it
// cannot. Reading to the end of a file, data may go beyond it.
func Read(f *os.File, data []byte, offset int64) bool {
	if !fits(data) || offset%align != 0 || set(f, true) != nil {
		return false
	}
	room := data[:cap(data)&^(align-1)]
	n, _ := f.ReadAt(room, offset) // what came counts
	return set(f, false) == nil && n >= len(data)
}

// Room returns memory for length bytes that Read can fill.
func Room(length int) []byte {
	if length < from {
		return make([]byte, length)
	}
	return make([]byte, length, (length+align-1)&^(align-1))
}

func set(f *os.File, on bool) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = conn.Control(func(fd uintptr) {
		flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0)
		if err == nil && on {
			_, err = unix.FcntlInt(fd, unix.F_SETFL, flags|unix.O_DIRECT)
		} else if err == nil {
			_, err = unix.FcntlInt(fd, unix.F_SETFL, flags&^unix.O_DIRECT)
		}
		failed = err
	})
	return errors.Join(err, failed)
}
