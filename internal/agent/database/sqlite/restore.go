package sqlite

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"upkeep"
	"upkeep/internal/agent/database/dumpdir"
)

// lockTime is how long a restore waits for who still has a file locked.
const lockTime = 2 * time.Second

// block is how much is compared, and written when it differs.
const block = 64 << 10

// Restore gives the files back the bytes of a dump, writes only what differs,
// and returns what they then hold. A file that is gone or damaged is made
// whole; what SQLite had beside it goes. It needs nothing of what is there, may
// be interrupted at any instant and run again. progress may be nil.
//
// CodeConflict when somebody keeps a file locked, CodeDamaged when the dump
// does not read back, CodeNotIdentical when the file does not.
func (db *DB) Restore(ctx context.Context, dir string, progress func(upkeep.Progress)) (_ []upkeep.Object, err error) {
	defer upkeep.Wrap(&err, "restore database %s from %s", db.files[0], dir)
	defer func() { err = translate(ctx, err) }()
	entries, err := readIndex(dir)
	if err != nil {
		return nil, err
	}
	if len(entries) != len(db.files) {
		return nil, upkeep.Errorf(upkeep.CodeConflict, "the dump holds %d files, the site has %d", len(entries), len(db.files)).
			WithHint("Copy them by hand, as README.txt in the dump says.")
	}
	var objects []upkeep.Object
	for i, e := range entries {
		// A dump is restored to where the site has its files, which may have
		// moved since; so the names within it go by theirs.
		r := &restoring{ctx: ctx, entry: &e, file: db.files[i], copied: filepath.Join(dir, copyName(i, e.Path)), now: db.now}
		if err := r.run(); err != nil {
			return nil, err
		}
		objects = append(objects, e.Objects...)
		if progress != nil {
			progress(upkeep.Progress{Code: "restore", Unit: "bytes", Done: e.Size, Total: e.Size})
		}
	}
	return sorted(objects), nil
}

// RestoreInto makes a dump's files anew where there are none: CodeConflict
// otherwise.
func (db *DB) RestoreInto(ctx context.Context, dir string, progress func(upkeep.Progress)) error {
	for _, file := range db.files {
		if info, err := os.Stat(file); err == nil && info.Size() > 0 {
			return upkeep.Errorf(upkeep.CodeConflict, "database %s is not empty", file).WithHint("Name a file that does not exist yet.")
		}
	}
	_, err := db.Restore(ctx, dir, progress)
	return err
}

// restoring is one file being restored.
type restoring struct {
	ctx    context.Context
	entry  *entry
	file   string // where it goes
	copied string // from where
	now    upkeep.Clock

	folder *os.File
	time   time.Time // of the folder
	from   *os.File
	to     *os.File
}

func (r *restoring) run() (err error) {
	defer func() {
		for _, f := range []*os.File{r.from, r.to, r.folder} {
			if f != nil {
				err = errors.Join(err, f.Close())
			}
		}
	}()
	if r.from, err = os.Open(r.copied); err != nil {
		return upkeep.Errorf(upkeep.CodeDamaged, "the dump has lost a file: %w", err)
	}
	if err := r.is(r.from, upkeep.CodeDamaged, "the dump's copy"); err != nil {
		return err
	}
	if err := r.enter(); err != nil {
		return err
	}
	if err := r.open(); err != nil {
		return err
	}
	if err := r.alone(); err != nil {
		return err
	}
	if err := r.removeCompanions(); err != nil {
		return err
	}
	if err := r.write(); err != nil {
		return err
	}
	if err := r.is(r.to, upkeep.CodeNotIdentical, "the restored file"); err != nil {
		return err
	}
	if err := r.folder.Sync(); err != nil {
		return err
	}
	_ = os.Chtimes(r.folder.Name(), time.Time{}, r.time) // another's folder keeps the new time
	return nil
}

// enter opens the file's folder, through no link: what the site put there since
// must not lead the writing elsewhere.
func (r *restoring) enter() error {
	dir := filepath.Dir(r.file)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	fd, err := unix.Openat2(unix.AT_FDCWD, dir, &unix.OpenHow{Flags: unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS})
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) { // an old kernel, or a sandbox that does not know the call
		fd, err = unix.Open(dir, unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	}
	if errors.Is(err, unix.ELOOP) {
		return upkeep.Errorf(upkeep.CodeRefused, "a link stands in the path of %s", r.file)
	}
	if err != nil {
		return &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	r.folder = os.NewFile(uintptr(fd), dir)
	info, err := r.folder.Stat()
	if err == nil {
		r.time = info.ModTime()
	}
	return err
}

// open opens the file, or makes it. What is no file and stands in its place
// goes.
func (r *restoring) open() error {
	dir, name := int(r.folder.Fd()), filepath.Base(r.file)
	var st unix.Stat_t
	err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	if err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		flags := 0
		if st.Mode&unix.S_IFMT == unix.S_IFDIR {
			flags = unix.AT_REMOVEDIR
		}
		if err := unix.Unlinkat(dir, name, flags); err != nil {
			return &fs.PathError{Op: "remove", Path: r.file, Err: err}
		}
	}
	fd, err := unix.Openat(dir, name, unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_CLOEXEC, r.entry.Mode)
	if errors.Is(err, unix.EACCES) { // made read-only meanwhile, and ours to open again
		if unix.Fchmodat(dir, name, r.entry.Mode|0o600, 0) == nil {
			fd, err = unix.Openat(dir, name, unix.O_RDWR|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		}
	}
	if err != nil {
		return &fs.PathError{Op: "open", Path: r.file, Err: err}
	}
	r.to = os.NewFile(uintptr(fd), r.file)
	if err := r.to.Chmod(os.FileMode(r.entry.Mode)); !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil // another's file keeps its mode, which the comparison sees
}

// alone locks the file as SQLite does for a writer, so that nobody reads what is
// half written, and nobody's transaction is under way.
func (r *restoring) alone() error {
	for began := r.now(); ; {
		err := unix.FcntlFlock(r.to.Fd(), unix.F_OFD_SETLK, lockRange(unix.F_WRLCK))
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EACCES) {
			return err
		}
		if r.now().Sub(began) > lockTime {
			return upkeep.Errorf(upkeep.CodeConflict, "%s is locked", r.file).WithHint("%s", hints[upkeep.CodeConflict])
		}
		select {
		case <-r.ctx.Done():
			return context.Cause(r.ctx)
		case <-time.After(pollEvery):
		}
	}
}

// removeCompanions comes before anything is written: a journal of before would
// be played back onto what is restored.
func (r *restoring) removeCompanions() error {
	for _, suffix := range companions {
		err := unix.Unlinkat(int(r.folder.Fd()), filepath.Base(r.file)+suffix, 0)
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return &fs.PathError{Op: "remove", Path: r.file + suffix, Err: err}
		}
	}
	return dumpdir.SyncDir(r.folder.Name())
}

// write writes the blocks that differ.
func (r *restoring) write() error {
	want, have := make([]byte, block), make([]byte, block)
	changed := false
	for offset := int64(0); offset < r.entry.Size; offset += block {
		if r.ctx.Err() != nil {
			return context.Cause(r.ctx)
		}
		n, err := r.from.ReadAt(want[:min(block, r.entry.Size-offset)], offset)
		if err != nil && err != io.EOF {
			return err
		}
		m, err := r.to.ReadAt(have[:n], offset)
		if err != nil && err != io.EOF {
			m = 0 // what cannot be read is written
		}
		if bytes.Equal(want[:n], have[:m]) {
			continue
		}
		changed = true
		if _, err := r.to.WriteAt(want[:n], offset); err != nil {
			return err
		}
	}
	info, err := r.to.Stat()
	if err != nil {
		return err
	}
	if info.Size() != r.entry.Size {
		changed = true
		err = r.to.Truncate(r.entry.Size)
	}
	if err == nil && changed {
		err = r.to.Sync()
	}
	return err
}

// is compares a file with what the dump says, whole.
func (r *restoring) is(f *os.File, otherwise upkeep.Code, what string) error {
	sum := sha256.New()
	size, err := io.Copy(sum, io.NewSectionReader(f, 0, 1<<62))
	if err != nil {
		return err
	}
	if digest := hex.EncodeToString(sum.Sum(nil)); digest != r.entry.Digest || size != r.entry.Size {
		return upkeep.Errorf(otherwise, "%s of %s is not what the dump says: %d bytes, %s", what, r.file, size, fmt.Sprintf("%.12s", digest))
	}
	return nil
}
