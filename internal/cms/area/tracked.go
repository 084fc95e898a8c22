package area

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// VersionControl are the folders that say "deployed by someone else".
var VersionControl = [...]string{".git", ".svn", ".hg", ".bzr"}

// Tracked returns the folders of version control in dir, and those above it
// that may keep what is in dir. Of those above only names are looked at, and the
// list of files that git keeps, whoever they belong to.
func Tracked(dir string) []string {
	var paths []string
	for at := dir; ; at = filepath.Dir(at) {
		for _, name := range VersionControl {
			file := filepath.Join(at, name)
			if exists(file) && !(at != dir && leavesOut(file, dir)) {
				paths = append(paths, file)
			}
		}
		if at == filepath.Dir(at) {
			return paths
		}
	}
}

// exists looks at the name itself. Most are not there, of which os.Lstat would
// make an error each.
func exists(path string) bool {
	var st unix.Stat_t
	return unix.Lstat(path, &st) == nil
}

const (
	maxIndex   = 128 << 20 // bytes: a million files or so
	maxLink    = 4 << 10   // bytes of a file that says where a repository is
	indexMagic = "DIRC"
	indexOlder = 4 // from this version on paths are not written whole
)

// leavesOut reports whether a repository above dir is git's and lists no file
// below dir, such as the one of a project whose ignored folder dir is in. What
// cannot be read says nothing.
func leavesOut(git, dir string) bool {
	repository := git
	if link := readFile(git, maxLink); link != nil { // of a linked checkout
		repository, _ = strings.CutPrefix(strings.TrimSpace(string(link)), "gitdir: ")
		if !filepath.IsAbs(repository) {
			return false
		}
	}
	index := readFile(filepath.Join(repository, "index"), maxIndex)
	if len(index) < 12 || string(index[:4]) != indexMagic || binary.BigEndian.Uint32(index[4:]) >= indexOlder {
		return false
	}
	rel, err := filepath.Rel(filepath.Dir(git), dir)
	return err == nil && !bytes.Contains(index, []byte(rel+"/"))
}

// readFile returns a regular file of at most limit bytes, nil otherwise.
func readFile(path string, limit int64) []byte {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() > limit {
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(f, limit))
	if err != nil {
		return nil
	}
	return text
}
