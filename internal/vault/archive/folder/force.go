package folder

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"upkeep"
)

// Enter opens a folder of ours even where its mode keeps us out, which
// it does unless we are root. changed tells that the mode was widened.
func Enter(dir *Folder, name string) (_ *Folder, changed bool, err error) {
	if os.Geteuid() != 0 {
		if changed, err = widen(dir, name); err != nil {
			return nil, false, err
		}
	}
	next, err := dir.Child(name)
	return next, changed, err
}

// widen gives us, the owner, the way into a folder; changed tells whether it
// had to.
func widen(dir *Folder, name string) (changed bool, err error) {
	var st unix.Stat_t
	if err := dir.Stat(name, &st); err != nil {
		return false, err
	}
	if st.Mode&0o700 == 0o700 || KindOf(st.Mode) != TypeDir {
		return false, nil
	}
	fd, err := OpenHandle(dir, name, TypeDir)
	if err != nil {
		return false, err
	}
	return true, errors.Join(unix.Chmod(procPath(fd), st.Mode&0o7777|0o700), unix.Close(fd))
}

// openOwn opens a file of ours that its mode keeps even us from reading, as
// hosts do to files they take out of service. It is widened for no longer than
// that takes. Bits that changing the mode might lose are not risked.
func (f *Folder) openOwn(name string, flags int) (fd int, err error) {
	handle, err := OpenHandle(f, name, TypeFile)
	if err != nil {
		return -1, err
	}
	defer func() { err = errors.Join(err, unix.Close(handle)) }()
	var st unix.Stat_t
	if err := unix.Fstat(handle, &st); err != nil {
		return -1, err
	}
	mode := st.Mode & 0o7777
	if int(st.Uid) != os.Geteuid() || mode&0o6400 != 0 {
		return -1, unix.EACCES
	}
	if err := unix.Chmod(procPath(handle), mode|0o400); err != nil {
		return -1, err
	}
	fd, err = Retry(func() (int, error) { return unix.Open(procPath(handle), flags, 0) })
	if back := unix.Chmod(procPath(handle), mode); back != nil && err == nil {
		return -1, errors.Join(back, unix.Close(fd))
	}
	return fd, err
}

// Remove removes a name and everything below, following nothing.
func Remove(dir *Folder, name string) error {
	err := unix.Unlinkat(dir.FD, name, 0)
	if err == nil || errors.Is(err, unix.ENOENT) {
		return nil
	}
	if !errors.Is(err, unix.EISDIR) && !errors.Is(err, unix.EPERM) {
		return err
	}
	child, _, err := Enter(dir, name)
	if err != nil {
		return err
	}
	defer child.Drop()
	names, err := child.Names()
	if err != nil {
		return err
	}
	for _, below := range names {
		if err := Remove(child, below); err != nil {
			return upkeep.Causef("%q: %w", below, err)
		}
	}
	return unix.Unlinkat(dir.FD, name, unix.AT_REMOVEDIR)
}
