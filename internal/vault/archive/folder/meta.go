package folder

import (
	"bytes"
	"errors"
	"maps"
	"strconv"

	"golang.org/x/sys/unix"

	"upkeep"
)

// OpenHandle opens a name for setMeta alone, whatever it is and whatever its
// mode, if it is of this type.
func OpenHandle(dir *Folder, name, kind string) (int, error) {
	fd, err := Retry(func() (int, error) {
		return unix.Openat(dir.FD, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return -1, err
	}
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	if err == nil && KindOf(st.Mode) != kind {
		err = upkeep.Causef("it is a %s: want %s", KindOf(st.Mode), kind)
	}
	if err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

// procPath is a path to what fd refers to, for calls that take no handle of
// this sort.
func procPath(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// SetMeta gives what fd refers to its owner, mode, attributes and time, in
// this order: each may change what the one before set.
func SetMeta(fd int, want *upkeep.Entry) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	path := procPath(fd)
	if st.Uid != want.UID || st.Gid != want.GID {
		if err := unix.Fchownat(fd, "", int(want.UID), int(want.GID), unix.AT_EMPTY_PATH); err != nil {
			return upkeep.Causef("owner %d:%d: %w", want.UID, want.GID, err)
		}
	}
	if want.Type != TypeSymlink {
		if err := unix.Chmod(path, want.Mode); err != nil {
			return upkeep.Causef("mode: %w", err)
		}
	}
	if err := setXattrs(path, want.Xattrs); err != nil {
		return err
	}
	times := []unix.Timespec{unix.NsecToTimespec(want.MTime), unix.NsecToTimespec(want.MTime)}
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, path, times, 0); err != nil {
		return upkeep.Causef("time: %w", err)
	}
	return nil
}

// setXattrs makes the attributes of path exactly these.
func setXattrs(path string, want map[string][]byte) error {
	list, err := listXattrs(
		func(buffer []byte) (int, error) { return unix.Listxattr(path, buffer) },
		func(attr string, buffer []byte) (int, error) { return unix.Getxattr(path, attr, buffer) })
	if err != nil {
		return upkeep.Causef("attributes: %w", err)
	}
	have := make(map[string][]byte, len(list))
	for _, x := range list {
		have[x.Name] = x.Value
	}
	if maps.EqualFunc(have, want, bytes.Equal) {
		return nil
	}
	for name := range have {
		if _, keep := want[name]; keep {
			continue
		}
		if err := unix.Removexattr(path, name); err != nil {
			return upkeep.Causef("attribute %s: %w", name, err)
		}
	}
	for name, value := range want {
		if current, ok := have[name]; ok && bytes.Equal(current, value) {
			continue
		}
		if err := unix.Setxattr(path, name, value, 0); err != nil {
			return upkeep.Causef("attribute %s: %w", name, err)
		}
	}
	return nil
}
