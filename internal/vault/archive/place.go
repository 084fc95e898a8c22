package archive

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"upkeep"
	"upkeep/internal/vault"
)

// trail is the folders on the way to the last path opened, so that paths in
// order open each folder once.
type trail struct {
	parts   []string // source name first
	folders []*folder
}

func (t *trail) close() { t.cut(0) }

func (t *trail) cut(depth int) {
	for _, f := range t.folders[depth:] {
		f.drop()
	}
	t.parts, t.folders = t.parts[:depth], t.folders[:depth]
}

// parent opens the folder that holds path, name by name from its root, and
// returns it with the last name. The folder stays open until the next call.
// It makes sure that we may write there; settle sets the mode right again.
func (r *restorer) parent(path string) (*folder, string, error) {
	parts := strings.Split(path, "/")
	last := len(parts) - 1
	if last < 1 {
		return nil, "", fmt.Errorf("%q is a root", path)
	}
	t := &r.trail
	same := 0
	for same < len(t.parts) && same < last && t.parts[same] == parts[same] {
		same++
	}
	t.cut(same)
	for _, part := range parts[same:last] {
		next, err := r.enter(part)
		if err != nil {
			return nil, "", err
		}
		t.parts, t.folders = append(t.parts, part), append(t.folders, next)
	}
	return t.folders[last-1], parts[last], nil
}

func (r *restorer) enter(part string) (*folder, error) {
	t := &r.trail
	if len(t.folders) == 0 {
		root, ok := r.roots[part]
		if !ok {
			return nil, fmt.Errorf("%q is no source", part)
		}
		return root.hold(), nil
	}
	next, made, err := enterForced(t.folders[len(t.folders)-1], part)
	if made {
		r.touched[strings.Join(append(t.parts[:len(t.parts):len(t.parts)], part), "/")] = true
	}
	return next, err
}

// enterForced opens a folder of ours even where its mode keeps us out, which
// it does unless we are root. changed tells that the mode was widened.
func enterForced(dir *folder, name string) (_ *folder, changed bool, err error) {
	if os.Geteuid() != 0 {
		if changed, err = widen(dir, name); err != nil {
			return nil, false, err
		}
	}
	next, err := dir.child(name)
	return next, changed, err
}

func widen(dir *folder, name string) (changed bool, err error) {
	var st unix.Stat_t
	if err := dir.stat(name, &st); err != nil {
		return false, err
	}
	if st.Mode&0o700 == 0o700 || kindOf(st.Mode) != typeDir {
		return false, nil
	}
	fd, err := openHandle(dir, name, typeDir)
	if err != nil {
		return false, err
	}
	return true, errors.Join(unix.Chmod(procPath(fd), st.Mode&0o7777|0o700), unix.Close(fd))
}

// removeAll removes a name and everything below, following nothing.
func removeAll(dir *folder, name string) error {
	err := unix.Unlinkat(dir.fd, name, 0)
	if err == nil || errors.Is(err, unix.ENOENT) {
		return nil
	}
	if !errors.Is(err, unix.EISDIR) && !errors.Is(err, unix.EPERM) {
		return err
	}
	child, _, err := enterForced(dir, name)
	if err != nil {
		return err
	}
	defer child.drop()
	names, err := child.names()
	if err != nil {
		return err
	}
	for _, below := range names {
		if err := removeAll(child, below); err != nil {
			return fmt.Errorf("%q: %w", below, err)
		}
	}
	return unix.Unlinkat(dir.fd, name, unix.AT_REMOVEDIR)
}

// writeJob is a path to be made what the tree says.
type writeJob struct {
	step *step
	dir  *folder // held
	name string
}

// restoreName makes one path that is no folder.
func (r *restorer) restoreName(ctx context.Context, job *writeJob) error {
	r.totals.changed.Add(1)
	if job.step.metaOnly() {
		done, err := r.correct(job)
		if done || err != nil {
			return err
		}
	}
	temp := tempName()
	err := r.make(ctx, job, temp)
	if err == nil {
		err = unix.Renameat(job.dir.fd, temp, job.dir.fd, job.name)
	}
	if err == nil {
		return nil
	}
	if gone := unix.Unlinkat(job.dir.fd, temp, 0); gone != nil && !errors.Is(gone, unix.ENOENT) {
		err = errors.Join(err, gone)
	}
	return err
}

// correct sets modes, owners and times where the content is right. It leaves
// files with several names alone: another of them may be outside, put there
// to have us change it.
func (r *restorer) correct(job *writeJob) (done bool, err error) {
	fd, err := openHandle(job.dir, job.name, job.step.want.Type)
	if err != nil {
		return false, nil // changed since it was compared: made anew
	}
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return false, err
	}
	if st.Nlink > 1 || uint64(st.Size) != job.step.want.node.size && job.step.want.Type == typeFile {
		r.renew(job.step.path)
		return false, nil
	}
	return true, setMeta(fd, &job.step.want.Entry)
}

// renew notes that a path gets a new inode after all.
func (r *restorer) renew(path string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.late = append(r.late, path)
}

// make makes the path under a temporary name.
func (r *restorer) make(ctx context.Context, job *writeJob, temp string) error {
	want := job.step.want
	switch want.Type {
	case typeFile:
		return r.makeFile(ctx, job, temp)
	case typeSymlink:
		if err := unix.Symlinkat(want.node.target, job.dir.fd, temp); err != nil {
			return err
		}
	default:
		if err := unix.Mknodat(job.dir.fd, temp, nodeMode(want.Type)|0o600, int(want.node.rdev)); err != nil {
			return err
		}
	}
	fd, err := openHandle(job.dir, temp, want.Type)
	if err != nil {
		return err
	}
	// What we made has one name and is ours; anything else was put there.
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	if err == nil && (st.Nlink != 1 || int(st.Uid) != os.Geteuid()) {
		err = errors.New("it was exchanged while it was made")
	}
	if err == nil {
		err = setMeta(fd, &want.Entry)
	}
	return errors.Join(err, unix.Close(fd))
}

func nodeMode(kind string) uint32 {
	switch kind {
	case typeFifo:
		return unix.S_IFIFO
	case typeSocket:
		return unix.S_IFSOCK
	case typeDev:
		return unix.S_IFBLK
	default:
		return unix.S_IFCHR
	}
}

func (r *restorer) makeFile(ctx context.Context, job *writeJob, temp string) error {
	flags := unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := retry(func() (int, error) { return unix.Openat(job.dir.fd, temp, flags, 0o600) })
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), temp)
	err = r.writeContent(ctx, f, &job.step.want.node)
	if err == nil {
		err = setMeta(fd, &job.step.want.Entry)
	}
	return errors.Join(err, f.Close())
}

// writeContent writes the chunks of a file and leaves holes for what is zero.
func (r *restorer) writeContent(ctx context.Context, f *os.File, n *node) error {
	size := int64(0)
	for _, id := range n.content {
		data, err := r.blobs.Load(ctx, vault.DataBlob, id)
		if err != nil {
			return err
		}
		if err := writeSparse(f, data, size); err != nil {
			return err
		}
		size += int64(len(data))
		r.totals.written.Add(int64(len(data)))
	}
	if uint64(size) != n.size {
		return upkeep.Errorf(upkeep.CodeDamaged, "%q has %d bytes in the backup: want %d", n.name, size, n.size)
	}
	r.totals.files.Add(1)
	if r.options.Progress != nil && r.totals.files.Load()%64 == 0 {
		r.options.Progress(r.totals.stats())
	}
	return f.Truncate(size) // a hole at the end is not written
}

// holeSize is the least that is worth a hole.
const holeSize = 64 << 10

// writeSparse writes data at offset but for aligned blocks of zeros.
func writeSparse(f *os.File, data []byte, offset int64) error {
	zero := make([]byte, 0)
	if len(data) >= holeSize {
		zero = make([]byte, holeSize)
	}
	start := 0 // of what is to be written
	flush := func(end int) error {
		if start == end {
			return nil
		}
		_, err := f.WriteAt(data[start:end], offset+int64(start))
		return err
	}
	for at := int(-offset & (holeSize - 1)); at+holeSize <= len(data); at += holeSize {
		if data[at] != 0 || !bytes.Equal(data[at:at+holeSize], zero) {
			continue
		}
		if err := flush(at); err != nil {
			return err
		}
		start = at + holeSize
	}
	return flush(len(data))
}

// openHandle opens a name for setMeta alone, whatever it is and whatever its
// mode, if it is of this type.
func openHandle(dir *folder, name, kind string) (int, error) {
	fd, err := retry(func() (int, error) {
		return unix.Openat(dir.fd, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return -1, err
	}
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	if err == nil && kindOf(st.Mode) != kind {
		err = fmt.Errorf("it is a %s: want %s", kindOf(st.Mode), kind)
	}
	if err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

func procPath(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// setMeta gives what fd refers to its owner, mode, attributes and time, in
// this order: each may change what the one before set.
func setMeta(fd int, want *upkeep.Entry) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	path := procPath(fd)
	if st.Uid != want.UID || st.Gid != want.GID {
		if err := unix.Fchownat(fd, "", int(want.UID), int(want.GID), unix.AT_EMPTY_PATH); err != nil {
			return fmt.Errorf("owner %d:%d: %w", want.UID, want.GID, err)
		}
	}
	if want.Type != typeSymlink {
		if err := unix.Chmod(path, want.Mode); err != nil {
			return fmt.Errorf("mode: %w", err)
		}
	}
	if err := setXattrs(path, want.Xattrs); err != nil {
		return err
	}
	times := []unix.Timespec{unix.NsecToTimespec(want.MTime), unix.NsecToTimespec(want.MTime)}
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, path, times, 0); err != nil {
		return fmt.Errorf("time: %w", err)
	}
	return nil
}

// setXattrs makes the attributes of path exactly these.
func setXattrs(path string, want map[string][]byte) error {
	list, err := listXattrs(
		func(buffer []byte) (int, error) { return unix.Listxattr(path, buffer) },
		func(attr string, buffer []byte) (int, error) { return unix.Getxattr(path, attr, buffer) })
	if err != nil {
		return fmt.Errorf("attributes: %w", err)
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
			return fmt.Errorf("attribute %s: %w", name, err)
		}
	}
	for name, value := range want {
		if current, ok := have[name]; ok && bytes.Equal(current, value) {
			continue
		}
		if err := unix.Setxattr(path, name, value, 0); err != nil {
			return fmt.Errorf("attribute %s: %w", name, err)
		}
	}
	return nil
}

// tempName is a name that nobody can guess or has.
func tempName() string { return ".upkeep-" + rand.Text() }
