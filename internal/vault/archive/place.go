package archive

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"upkeep"
	"upkeep/internal/vault"
	"upkeep/internal/vault/archive/folder"
	"upkeep/internal/vault/archive/node"
)

// trail is the folders on the way to the last path opened, so that paths in
// order open each folder once.
type trail struct {
	parts   []string // source name first
	folders []*folder.Folder
}

// close lets go of all folders of the trail.
func (t *trail) close() { t.cut(0) }

// cut lets go of the folders deeper than depth.
func (t *trail) cut(depth int) {
	for _, f := range t.folders[depth:] {
		f.Drop()
	}
	t.parts, t.folders = t.parts[:depth], t.folders[:depth]
}

// parent opens the folder that holds path, name by name from its root, and
// returns it with the last name. The folder stays open until the next call.
// It makes sure that we may write there; settle sets the mode right again.
func (r *restorer) parent(path string) (*folder.Folder, string, error) {
	parts := strings.Split(path, "/")
	last := len(parts) - 1
	if last < 1 {
		return nil, "", upkeep.Causef("%q is a root", path)
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

// enter opens the next folder of the trail. One that had to be widened is
// noted, so that its mode is put back at the end.
func (r *restorer) enter(part string) (*folder.Folder, error) {
	t := &r.trail
	if len(t.folders) == 0 {
		root, ok := r.roots[part]
		if !ok {
			return nil, upkeep.Causef("%q is no source", part)
		}
		return root.Hold(), nil
	}
	next, made, err := folder.Enter(t.folders[len(t.folders)-1], part)
	if made {
		r.touched[strings.Join(append(t.parts[:len(t.parts):len(t.parts)], part), "/")] = true
	}
	return next, err
}

// writeJob is a path to be made what the tree says.
type writeJob struct {
	step *step
	dir  *folder.Folder // held
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
		err = unix.Renameat(job.dir.FD, temp, job.dir.FD, job.name)
	}
	if err == nil {
		return nil
	}
	if gone := unix.Unlinkat(job.dir.FD, temp, 0); gone != nil && !errors.Is(gone, unix.ENOENT) {
		err = errors.Join(err, gone)
	}
	return err
}

// correct sets modes, owners and times where the content is right. It leaves
// files with several names alone: another of them may be outside, put there
// to have us change it.
func (r *restorer) correct(job *writeJob) (done bool, err error) {
	fd, err := folder.OpenHandle(job.dir, job.name, job.step.want.Type)
	if err != nil {
		return false, nil // changed since it was compared: made anew
	}
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return false, err
	}
	if st.Nlink > 1 || uint64(st.Size) != job.step.want.node.Size && job.step.want.Type == folder.TypeFile {
		r.renew(job.step.path)
		return false, nil
	}
	return true, folder.SetMeta(fd, &job.step.want.Entry)
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
	case folder.TypeFile:
		return r.makeFile(ctx, job, temp)
	case folder.TypeSymlink:
		if err := unix.Symlinkat(want.node.Target, job.dir.FD, temp); err != nil {
			return err
		}
	default:
		if err := unix.Mknodat(job.dir.FD, temp, folder.NodeMode(want.Type)|0o600, int(want.node.Rdev)); err != nil {
			return err
		}
	}
	fd, err := folder.OpenHandle(job.dir, temp, want.Type)
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
		err = folder.SetMeta(fd, &want.Entry)
	}
	return errors.Join(err, unix.Close(fd))
}

// makeFile writes a file under a name that was not there: EXCL keeps us from
// writing into something that was put in its place.
func (r *restorer) makeFile(ctx context.Context, job *writeJob, temp string) error {
	flags := unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := folder.Retry(func() (int, error) { return unix.Openat(job.dir.FD, temp, flags, 0o600) })
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), temp)
	err = r.writeContent(ctx, f, &job.step.want.node)
	if err == nil {
		err = folder.SetMeta(fd, &job.step.want.Entry)
	}
	return errors.Join(err, f.Close())
}

// writeContent writes the chunks of a file and leaves holes for what is zero.
func (r *restorer) writeContent(ctx context.Context, f *os.File, n *node.Node) error {
	size := int64(0)
	for _, id := range n.Content {
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
	if uint64(size) != n.Size {
		return upkeep.Errorf(upkeep.CodeDamaged, "%q has %d bytes in the backup: want %d", n.Name, size, n.Size)
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

// tempName is a name that nobody can guess or has.
func tempName() string { return ".upkeep-" + rand.Text() }
