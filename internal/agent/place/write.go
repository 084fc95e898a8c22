package place

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"upkeep"
)

// CanWrite fails with CodeConflict where we may not change what dir holds. A
// folder that its own owner made read-only is meant to stay as it is.
func CanWrite(dir string) error {
	err := unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS)
	if err == nil || errors.Is(err, unix.ENOENT) {
		return nil
	}
	return upkeep.Errorf(upkeep.CodeConflict, "the site's owner cannot write to %s: %w", dir, err).
		WithHint("Let it: chmod u+w %s, or chown it to the owner of the site's root.", dir)
}

// Closed reports whether path is a folder of ours that we may not write to, and
// could if we gave it another mode.
func Closed(path string) bool {
	var st unix.Stat_t
	err := unix.Lstat(path, &st)
	return err == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR && st.Mode&unix.S_IWUSR == 0 && int(st.Uid) == os.Geteuid()
}
