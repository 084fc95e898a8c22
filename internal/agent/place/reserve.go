package place

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"upkeep"
)

// Reserve makes sure that a file at path has size bytes of the disk, where its
// file system can. CodeNoSpace when they are not there.
func Reserve(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	err = unix.Fallocate(int(f.Fd()), 0, 0, size)
	if errors.Is(err, unix.EOPNOTSUPP) {
		err = f.Truncate(0)
	}
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		err = upkeep.Errorf(upkeep.CodeNoSpace, "less than %d MB free in %s", size>>20, filepath.Dir(path)).
			WithHint("Free some space on this file system, then try again.")
	}
	return errors.Join(err, f.Close())
}
