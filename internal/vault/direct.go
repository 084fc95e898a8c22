package vault

import (
	"errors"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Packs go past the system's cache where the file system can do that: what is
// read back is then what the disk holds, not what we had just written into
// memory; the cache stays the sites'; and copying a pack into it costs more
// than all else that is done to a pack.
const (
	directAlign = 4096    // that addresses, offsets and lengths must be multiples of
	directFrom  = 1 << 20 // bytes below which the cache is quicker
)

// fitsDirect reports whether data may be handed to the disk as it lies in
// memory. Go's large allocations begin on a page.
func fitsDirect(data []byte) bool {
	return len(data) >= directFrom && uintptr(unsafe.Pointer(unsafe.SliceData(data)))%directAlign == 0
}

// writeDirect writes data to f, which is empty, as far as it goes past the
// cache, and returns how much that was.
func writeDirect(f *os.File, data []byte) (n int, err error) {
	if !fitsDirect(data) || setDirect(f, true) != nil {
		return 0, nil
	}
	n, err = f.Write(data[:len(data)&^(directAlign-1)])
	if err = errors.Join(err, setDirect(f, false)); errors.Is(err, unix.EINVAL) {
		err = nil // stricter than we know: the rest goes the usual way
	}
	return n, err
}

// readDirect fills data from offset of f past the cache, or says that it
// cannot. Reading to the end of a file, data may go beyond it.
func readDirect(f *os.File, data []byte, offset int64) bool {
	if !fitsDirect(data) || offset%directAlign != 0 || setDirect(f, true) != nil {
		return false
	}
	room := data[:cap(data)&^(directAlign-1)]
	n, _ := f.ReadAt(room, offset) // what came counts
	return setDirect(f, false) == nil && n >= len(data)
}

// directRoom returns memory for length bytes that readDirect can fill.
func directRoom(length int) []byte {
	if length < directFrom {
		return make([]byte, length)
	}
	return make([]byte, length, (length+directAlign-1)&^(directAlign-1))
}

func setDirect(f *os.File, on bool) error {
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
