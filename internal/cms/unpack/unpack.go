// Package unpack opens packages that come from outside: nothing in an archive
// can reach beyond the folder it is unpacked to, cost more than its limits, or
// look different to two readers.
package unpack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"upkeep"
)

// Limits bound what an archive may cost. A zero field takes its default.
type Limits struct {
	Archive int64 // bytes of the archive itself; default 1 GiB
	Entries int   // files, folders and links; default 60,000
	Total   int64 // bytes unpacked; default 2 GiB
	File    int64 // bytes of one unpacked file; default 512 MiB
	Ratio   int64 // unpacked to packed, of what unpacks to more than 16 MiB; default 250
	Depth   int   // folders above a file; default 32
	Name    int   // bytes of a whole path; default 1,024
	Links   bool  // symbolic links that stay inside are made; otherwise any link is refused
}

// Report says what was unpacked.
type Report struct {
	Files map[string]string // slash path → hex SHA-256, as written
	Links map[string]string // slash path → target, when Limits.Links
	Bytes int64             // content written
}

// ratioFloor is the size below which a high ratio harms nobody: real packages
// hold small files of one repeated byte.
const ratioFloor = 16 << 20

// modes of what is made; an archive's own modes are never taken over.
const (
	fileMode = 0o644
	dirMode  = 0o755
)

func (l Limits) withDefaults() Limits {
	def := func(v *int64, d int64) {
		if *v == 0 {
			*v = d
		}
	}
	def(&l.Archive, 1<<30)
	def(&l.Total, 2<<30)
	def(&l.File, 512<<20)
	def(&l.Ratio, 250)
	if l.Entries == 0 {
		l.Entries = 60_000
	}
	if l.Depth == 0 {
		l.Depth = 32
	}
	if l.Name == 0 {
		l.Name = 1024
	}
	return l
}

// tree is the folder being filled, with what is already in it.
type tree struct {
	dir    *os.Root
	limits Limits
	seen   map[string]node // by folded path
	report Report
	buf    []byte
}

// node remembers what a path was made as, and its spelling: two spellings
// that differ only in case are one file on some disks.
type node struct {
	name string
	dir  bool
}

func newTree(dir *os.Root, limits Limits) *tree {
	return &tree{
		dir:    dir,
		limits: limits,
		seen:   map[string]node{},
		report: Report{Files: map[string]string{}, Links: map[string]string{}},
		buf:    make([]byte, 128<<10),
	}
}

func refused(entry, format string, args ...any) error {
	if len(entry) > 200 {
		entry = entry[:200] + "…"
	}
	return upkeep.Errorf(upkeep.CodeRefused, "entry %s: %w", quote(entry), upkeep.Causef(format, args...))
}

func quote(s string) string {
	return `"` + strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s) + `"`
}

// clean returns an entry's path without the slash that ends folders, or the
// reason why it is refused.
func (t *tree) clean(name string) (string, error) {
	trimmed := strings.TrimSuffix(name, "/")
	switch {
	case trimmed == "":
		return "", refused(name, "has no name")
	case len(name) > t.limits.Name:
		return "", refused(name, "name of %d bytes, at most %d", len(name), t.limits.Name)
	case !utf8.ValidString(name):
		return "", refused(name, "name is not UTF-8")
	case strings.ContainsFunc(name, unicode.IsControl):
		return "", refused(name, "control character in the name")
	case strings.Contains(name, `\`):
		return "", refused(name, "backslash in the name")
	case len(name) > 1 && name[1] == ':':
		return "", refused(name, "drive letter in the name")
	}
	parts := strings.Split(trimmed, "/")
	if len(parts)-1 > t.limits.Depth {
		return "", refused(name, "%d folders deep, at most %d", len(parts)-1, t.limits.Depth)
	}
	for _, part := range parts {
		if part == "" || part == "." || part == ".." {
			return "", refused(name, "path is absolute or leaves its folder")
		}
		if len(part) > 255 {
			return "", refused(name, "part of the name longer than 255 bytes")
		}
	}
	return trimmed, nil
}

// fold maps names that a case-insensitive disk takes for one to one key.
func fold(name string) string { return strings.ToLower(strings.ToUpper(name)) }

// claim takes name for a new file or link, and its parents for folders.
func (t *tree) claim(name string) error {
	if _, taken := t.seen[fold(name)]; taken {
		return refused(name, "appears twice, or differs from another only in case")
	}
	if parent := path.Dir(name); parent != "." {
		if err := t.folder(parent); err != nil {
			return err
		}
	}
	if len(t.seen) >= t.limits.Entries {
		return refused(name, "more than %d entries", t.limits.Entries)
	}
	t.seen[fold(name)] = node{name: name}
	return nil
}

// folder makes a folder and its parents. Making it again is not an error.
func (t *tree) folder(name string) error {
	if have, ok := t.seen[fold(name)]; ok {
		if !have.dir || have.name != name {
			return refused(name, "is both a folder and something else, or differs from another only in case")
		}
		return nil
	}
	if parent := path.Dir(name); parent != "." {
		if err := t.folder(parent); err != nil {
			return err
		}
	}
	if len(t.seen) >= t.limits.Entries {
		return refused(name, "more than %d entries", t.limits.Entries)
	}
	t.seen[fold(name)] = node{name: name, dir: true}
	if err := t.dir.Mkdir(name, dirMode); err != nil {
		return diskError(name, err)
	}
	// The umask of the process is not the archive's business.
	return diskError(name, t.dir.Chmod(name, dirMode))
}

// write makes the file name from r, which must give exactly size bytes.
func (t *tree) write(ctx context.Context, name string, r io.Reader, size int64) (err error) {
	if size > t.limits.File {
		return refused(name, "%d bytes, at most %d", size, t.limits.File)
	}
	if size > t.limits.Total-t.report.Bytes {
		return refused(name, "unpacks to more than %d bytes", t.limits.Total)
	}
	if err := t.claim(name); err != nil {
		return err
	}
	f, err := t.dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return diskError(name, err)
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = diskError(name, cerr)
		}
	}()
	hash := sha256.New()
	n, err := t.copy(ctx, f, io.TeeReader(io.LimitReader(r, size+1), hash))
	if err != nil {
		return entryError(name, err)
	}
	if n != size {
		return refused(name, "holds %d bytes or more, announced %d", n, size)
	}
	if err := f.Chmod(fileMode); err != nil {
		return diskError(name, err)
	}
	t.report.Bytes += n
	t.report.Files[name] = hex.EncodeToString(hash.Sum(nil))
	return nil
}

func (t *tree) copy(ctx context.Context, w io.Writer, r io.Reader) (n int64, err error) {
	for {
		if ctx.Err() != nil {
			return n, upkeep.Errorf(upkeep.CodeInterrupted, "unpacking stopped: %w", ctx.Err())
		}
		got, err := r.Read(t.buf)
		n += int64(got)
		if _, werr := w.Write(t.buf[:got]); werr != nil {
			return n, &writeError{werr}
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// link takes a symbolic link, to be made when every file is in place: nothing
// is ever written through it.
func (t *tree) link(name, target string) error {
	inside := path.Join(path.Dir(name), target)
	switch {
	case !t.limits.Links:
		return refused(name, "is a link to %s", quote(target))
	case target == "" || path.IsAbs(target) || strings.ContainsAny(target, "\\\x00") || inside == ".." || strings.HasPrefix(inside, "../"):
		return refused(name, "link leads out of the package, to %s", quote(target))
	}
	if err := t.claim(name); err != nil {
		return err
	}
	t.report.Links[name] = target
	return nil
}

// finish makes the links and sees that everything is on disk. One syncfs
// instead of a sync per file: packages hold thousands of small ones.
func (t *tree) finish() (Report, error) {
	for name, target := range t.report.Links {
		if err := t.dir.Symlink(target, name); err != nil {
			return Report{}, diskError(name, err)
		}
		// A chain of links may leave although each one alone does not.
		if _, err := t.dir.Stat(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Report{}, refused(name, "link leads out of the package, to %s", quote(target))
		}
	}
	d, err := t.dir.Open(".")
	if err != nil {
		return Report{}, diskError(".", err)
	}
	defer d.Close()
	if err := unix.Syncfs(int(d.Fd())); err != nil {
		return Report{}, diskError(".", err)
	}
	return t.report, nil
}

// room refuses to begin what cannot end: need bytes must be free.
func room(dir *os.Root, need int64) error {
	d, err := dir.Open(".")
	if err != nil {
		return diskError(".", err)
	}
	defer d.Close()
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(d.Fd()), &st); err != nil {
		return diskError(".", err)
	}
	if free := int64(st.Bavail) * st.Bsize; need > free {
		return noSpace(dir.Name(), upkeep.Errorf(upkeep.CodeNoSpace, "%d bytes needed, %d free", need, free))
	}
	return nil
}

func noSpace(name string, cause error) error {
	return upkeep.Errorf(upkeep.CodeNoSpace, "unpack %s: %w", quote(name), cause).
		WithHint("Free space on the disk that holds the site, then try again.")
}

// writeError tells a disk that does not take what we write from an archive
// that does not give what it announced.
type writeError struct{ err error }

func (e *writeError) Error() string { return e.err.Error() }
func (e *writeError) Unwrap() error { return e.err }

func diskError(name string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return noSpace(name, err)
	case errors.Is(err, fs.ErrExist):
		return upkeep.Errorf(upkeep.CodeConflict, "unpack %s: %w", quote(name), err).
			WithHint("Packages are unpacked to an empty folder.")
	}
	return upkeep.Errorf(upkeep.CodeInternal, "unpack %s: %w", quote(name), err)
}

func entryError(name string, err error) error {
	var w *writeError
	if errors.As(err, &w) {
		return diskError(name, err)
	}
	if upkeep.CodeOf(err) != upkeep.CodeInternal {
		return err
	}
	return refused(name, "%w", err)
}
