// Package place moves files and folders of a site without ever following a
// link out of the folders it was given. Names are resolved once, to an open
// folder, and the last element is never followed, so that a site's own code
// cannot redirect a move by exchanging a folder for a link.
package place

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"upkeep"
)

// Places is the set of folders that moves may touch.
type Places struct {
	dirs []string
}

// New returns the set of the given absolute, clean folders.
func New(dirs ...string) *Places { return &Places{dirs: dirs} }

// With returns the set with one more folder.
func (p *Places) With(dir string) *Places { return New(append([]string{dir}, p.dirs...)...) }

// Spot is the open folder of a path and the path's last element. For one of
// the set's folders itself the name is ".".
type Spot struct {
	dir  *os.File
	name string
	path string
}

// Find opens the folder that holds path. CodeRefused when path is outside the
// set or a link leads out of it.
func (p *Places) Find(path string) (_ *Spot, err error) {
	defer upkeep.Wrap(&err, "find %s", path)
	top := p.holding(path)
	if top == "" {
		return nil, upkeep.Errorf(upkeep.CodeRefused, "outside of the site's folders")
	}
	root, err := os.OpenRoot(top)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	rel, name := ".", "."
	if path != top {
		rel, name = filepath.Split(strings.TrimPrefix(path, top+"/"))
		rel = filepath.Clean(rel)
	}
	dir, err := root.OpenFile(rel, unix.O_DIRECTORY|os.O_RDONLY, 0)
	if err != nil {
		return nil, escapes(err)
	}
	return &Spot{dir: dir, name: name, path: path}, nil
}

// Open returns the folder dir as a root that nothing below can leave.
// CodeRefused when dir is outside the set.
func (p *Places) Open(dir string) (_ *os.Root, err error) {
	defer upkeep.Wrap(&err, "open %s", dir)
	top := p.holding(dir)
	if top == "" {
		return nil, upkeep.Errorf(upkeep.CodeRefused, "outside of the site's folders")
	}
	root, err := os.OpenRoot(top)
	if err != nil || dir == top {
		return root, err
	}
	defer root.Close()
	below, err := root.OpenRoot(strings.TrimPrefix(dir, top+"/"))
	return below, escapes(err)
}

func (p *Places) holding(path string) string {
	if filepath.Clean(path) != path {
		return ""
	}
	best := ""
	for _, dir := range p.dirs {
		if (path == dir || strings.HasPrefix(path, dir+"/")) && len(dir) > len(best) {
			best = dir
		}
	}
	return best
}

// escapes gives os.Root's refusal to follow a link out our code.
func escapes(err error) error {
	if err != nil && strings.Contains(err.Error(), "path escapes from parent") {
		return upkeep.Errorf(upkeep.CodeRefused, "a link leads out of the site: %w", err)
	}
	return err
}

// Close releases the folder.
func (s *Spot) Close() error { return s.dir.Close() }

// Path returns the path the spot was found by.
func (s *Spot) Path() string { return s.path }

// Stat describes what is at the spot, a link itself rather than its target.
// fs.ErrNotExist when there is nothing.
func (s *Spot) Stat() (unix.Stat_t, error) {
	var st unix.Stat_t
	err := unix.Fstatat(int(s.dir.Fd()), s.name, &st, unix.AT_SYMLINK_NOFOLLOW)
	return st, s.wrap(upkeep.Phrase("stat"), err)
}

// Inode returns the inode number at the spot, 0 when there is nothing.
func (s *Spot) Inode() (uint64, error) {
	st, err := s.Stat()
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	return st.Ino, err
}

// FolderTime returns the modification time of the spot's folder, in
// nanoseconds since 1970.
func (s *Spot) FolderTime() (int64, error) {
	var st unix.Stat_t
	err := unix.Fstat(int(s.dir.Fd()), &st)
	return st.Mtim.Nano(), s.wrap(upkeep.Phrase("stat folder"), err)
}

// SetFolderTime sets the modification time of the spot's folder.
func (s *Spot) SetFolderTime(mtime int64) error {
	times := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, unix.NsecToTimespec(mtime)}
	return s.wrap(upkeep.Phrase("set time"), unix.UtimesNanoAt(int(s.dir.Fd()), ".", times, 0))
}

// SetTime sets the modification time of what is at the spot, a link's own.
func (s *Spot) SetTime(mtime int64) error {
	times := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, unix.NsecToTimespec(mtime)}
	return s.wrap("set time", unix.UtimesNanoAt(int(s.dir.Fd()), s.name, times, unix.AT_SYMLINK_NOFOLLOW))
}

// SetMode changes the permission bits at the spot; links are refused.
func (s *Spot) SetMode(mode uint32) error {
	st, err := s.Stat()
	if err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		return upkeep.Errorf(upkeep.CodeRefused, "set mode of %s: it is a link", s.path)
	}
	if s.name == "." {
		return s.wrap(upkeep.Phrase("set mode"), unix.Fchmod(int(s.dir.Fd()), mode))
	}
	fd, err := unix.Openat(int(s.dir.Fd()), s.name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return s.wrap(upkeep.Phrase("set mode"), err)
	}
	defer unix.Close(fd)
	return s.wrap(upkeep.Phrase("set mode"), unix.Chmod("/proc/self/fd/"+strconv.Itoa(fd), mode))
}

// MoveTo renames what is at s to to. What is at to must not exist. Both
// folders are synced.
func (s *Spot) MoveTo(to *Spot) error {
	err := unix.Renameat2(int(s.dir.Fd()), s.name, int(to.dir.Fd()), to.name, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		err = s.moveWithoutFlag(to)
	}
	if err != nil {
		return s.wrap(upkeep.TextOf(upkeep.Causef("move to %s", to.path)), err)
	}
	return errors.Join(s.sync(), to.sync())
}

// moveWithoutFlag serves file systems that know no RENAME_NOREPLACE.
func (s *Spot) moveWithoutFlag(to *Spot) error {
	if _, err := to.Stat(); err == nil {
		return unix.EEXIST
	}
	return unix.Renameat(int(s.dir.Fd()), s.name, int(to.dir.Fd()), to.name)
}

// Write creates a file at the spot with content and mode, synced. Nothing may
// be there.
func (s *Spot) Write(content []byte, mode uint32) error {
	fd, err := unix.Openat(int(s.dir.Fd()), s.name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return s.wrap(upkeep.Phrase("create"), err)
	}
	f := os.NewFile(uintptr(fd), s.path)
	_, err = f.Write(content)
	// Past the umask, and last: a mode of 0 must not keep us from writing.
	return errors.Join(err, unix.Fchmod(fd, mode), f.Sync(), f.Close(), s.sync())
}

// Delete removes what is at the spot, with all below it, following no link.
// Nothing there is not an error.
func (s *Spot) Delete() error {
	root, err := os.OpenRoot("/proc/self/fd/" + strconv.Itoa(int(s.dir.Fd())))
	if err != nil {
		return s.wrap(upkeep.Phrase("delete"), err)
	}
	defer root.Close()
	if err := root.RemoveAll(s.name); err != nil {
		return s.wrap(upkeep.Phrase("delete"), err)
	}
	return s.sync()
}

func (s *Spot) sync() error { return syncFolder(s.dir) }

func syncFolder(dir *os.File) error {
	err := dir.Sync()
	if errors.Is(err, unix.EINVAL) { // a file system that cannot sync folders
		return nil
	}
	return err
}

// SyncDir makes the names in a folder survive a power cut, as syncing a file
// does its content.
func SyncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(syncFolder(dir), dir.Close())
}

func (s *Spot) wrap(op any, err error) error {
	if err == nil {
		return nil
	}
	code := upkeep.CodeInternal
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		code = upkeep.CodeNoSpace
	case errors.Is(err, fs.ErrNotExist):
		code = upkeep.CodeNotFound
	case errors.Is(err, fs.ErrPermission):
		code = upkeep.CodeUnauthorized
	}
	return upkeep.Errorf(code, "%s %s: %w", op, s.path, err)
}
