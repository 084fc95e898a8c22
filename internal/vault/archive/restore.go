package archive

import (
	"context"
	"errors"
	"os"
	"path"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"upkeep"
	"upkeep/internal/vault"
	"upkeep/internal/vault/archive/folder"
)

// writers is how many files are restored at once.
const writers = 4

// Restore makes the targets what the tree says, touching only what differs.
// Without InPlace the folders must be empty; they are made where they do not
// exist. It may be repeated after it was interrupted. A path that cannot be
// restored is an error that names it; everything else is restored first.
func Restore(ctx context.Context, blobs vault.Blobs, tree vault.ID, targets []Source, options Options) (_ *Stats, err error) {
	defer upkeep.Wrap(&err, "restore tree %s", tree)
	r := &restorer{blobs: blobs, options: &options, totals: &totals{}, roots: map[string]*folder.Folder{}}
	defer r.close()
	if err := r.openRoots(targets); err != nil {
		return nil, err
	}
	plan, err := compare(ctx, blobs, tree, targets, &options)
	if err != nil {
		return nil, err
	}
	if err := r.apply(ctx, plan); err != nil {
		return nil, err
	}
	if err := r.problems.err("restored"); err != nil {
		return nil, err
	}
	if options.Sync {
		err = r.sync()
	}
	stats := r.totals.stats()
	return &stats, err
}

// restorer applies a plan. Every path is opened from its root name by name,
// so that a link put in the way since leads nowhere.
type restorer struct {
	blobs    vault.Blobs
	options  *Options
	totals   *totals
	problems problems
	roots    map[string]*folder.Folder // by source name
	trail    trail

	mu      sync.Mutex
	touched map[string]bool // folders whose content changed, which changes their time
	renewed map[string]bool // files that got a new inode
	late    []string        // more of those, found by the writers
}

// openRoots opens the targets. Without InPlace they must be empty, so that a
// mistyped folder loses nothing.
func (r *restorer) openRoots(targets []Source) error {
	if err := r.options.validate(targets); err != nil {
		return err
	}
	for _, target := range targets {
		if !r.options.InPlace {
			if err := os.MkdirAll(target.Dir, 0o700); err != nil {
				return err
			}
		}
		dir, err := folder.Open(target.Dir)
		if err != nil {
			return err
		}
		r.roots[target.Name] = dir
		if r.options.InPlace {
			continue
		}
		names, err := dir.Names()
		if err != nil {
			return err
		}
		if len(names) > 0 {
			return upkeep.Errorf(upkeep.CodeConflict, "%s is not empty", target.Dir).
				WithHint("Choose an empty folder, or restore in place.")
		}
	}
	return nil
}

// close lets go of every folder that is still open.
func (r *restorer) close() {
	r.trail.close()
	for _, root := range r.roots {
		root.Drop()
	}
}

// sync returns when everything is on disk: the journal may then say so.
func (r *restorer) sync() error {
	for _, root := range r.roots {
		if err := unix.Syncfs(root.FD); err != nil {
			return err
		}
	}
	return nil
}

// apply works in passes: what must go goes first, then folders and content
// come, then hard links between them, and the folders' own modes and times
// last, since everything before changes these.
func (r *restorer) apply(ctx context.Context, plan []step) error {
	r.touched, r.renewed = map[string]bool{}, map[string]bool{}
	if err := r.remove(ctx, plan); err != nil {
		return err
	}
	if err := r.fill(ctx, plan); err != nil {
		return err
	}
	if err := r.linkAll(ctx, plan); err != nil {
		return err
	}
	return r.settle(ctx, plan)
}

// remove takes away what the tree does not have and folders where it has
// none, and whatever is where it has a folder.
func (r *restorer) remove(ctx context.Context, plan []step) error {
	removed := map[string]bool{} // what lies below a folder need not follow it: "a", "a.php", "a/b"
	for i := range plan {
		s := &plan[i]
		if err := ctx.Err(); err != nil {
			return err
		}
		if removed[path.Dir(s.path)] {
			removed[s.path] = true
			continue
		}
		if !s.differs || s.have == nil {
			continue
		}
		if s.want != nil && (s.want.Type == s.have.Type || s.want.Type != folder.TypeDir && s.have.Type != folder.TypeDir && s.have.Type != unreadable) {
			continue
		}
		if _, isRoot := r.roots[s.path]; isRoot {
			continue
		}
		removed[s.path] = true
		if err := r.removeOne(s.path); err != nil {
			r.problems.add(s.path, err)
		}
	}
	return nil
}

// removeOne removes a path with everything below.
func (r *restorer) removeOne(path string) error {
	dir, name, err := r.parent(path)
	if err != nil {
		return err
	}
	r.touch(path)
	if err := folder.Remove(dir, name); err != nil {
		return err
	}
	r.totals.removed.Add(1)
	return nil
}

// fill makes folders and has everything else made by the writers.
func (r *restorer) fill(ctx context.Context, plan []step) error {
	group, groupCtx := errgroup.WithContext(ctx)
	jobs := make(chan *writeJob, 64)
	for range writers {
		group.Go(func() error {
			for job := range jobs {
				err := r.restoreName(groupCtx, job)
				job.dir.Drop()
				if fatal := r.note(groupCtx, job.step.path, err); fatal != nil {
					return fatal
				}
			}
			return nil
		})
	}
	group.Go(func() error {
		defer close(jobs)
		return r.queue(groupCtx, plan, jobs)
	})
	err := group.Wait()
	for job := range jobs {
		job.dir.Drop()
	}
	return err
}

// note keeps an error of one path. Errors of the vault and the end of the
// context concern all and end the restore.
func (r *restorer) note(ctx context.Context, path string, err error) error {
	if err == nil {
		return ctx.Err()
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if code := upkeep.CodeOf(err); code != upkeep.CodeInternal || folder.CodeOf(err) == upkeep.CodeNoSpace {
		return err
	}
	r.problems.add(path, err)
	return nil
}

// queue makes folders itself, in order, before what lies in them, and hands
// everything else to the writers.
func (r *restorer) queue(ctx context.Context, plan []step, jobs chan<- *writeJob) error {
	for i := range plan {
		s := &plan[i]
		if !s.differs || s.want == nil || s.want.Linked != nil {
			continue
		}
		if _, isRoot := r.roots[s.path]; isRoot {
			continue
		}
		if s.want.Type == folder.TypeDir {
			if err := r.note(ctx, s.path, r.makeFolder(s)); err != nil {
				return err
			}
			continue
		}
		dir, name, err := r.parent(s.path)
		if err != nil {
			r.problems.add(s.path, err)
			continue
		}
		if !s.metaOnly() {
			r.touch(s.path)
			r.renewed[s.path] = true
		}
		select {
		case jobs <- &writeJob{s, dir.Hold(), name}:
		case <-ctx.Done():
			dir.Drop()
			return ctx.Err()
		}
	}
	return nil
}

// makeFolder makes a folder that only we may enter until it is complete.
func (r *restorer) makeFolder(s *step) error {
	if s.have != nil && s.have.Type == folder.TypeDir {
		return nil // its mode and times come last
	}
	dir, name, err := r.parent(s.path)
	if err != nil {
		return err
	}
	r.touch(s.path)
	r.totals.changed.Add(1)
	if err := unix.Mkdirat(dir.FD, name, 0o700); !errors.Is(err, unix.EEXIST) {
		return err
	}
	return nil
}

// linkAll joins the paths that are one file in the tree.
func (r *restorer) linkAll(ctx context.Context, plan []step) error {
	for _, path := range r.late {
		r.renewed[path] = true
		r.touch(path)
	}
	for i := range plan {
		s := &plan[i]
		if s.want == nil || s.want.Linked == nil || !s.selected {
			continue
		}
		if !s.differs && !r.renewed[string(s.want.Linked)] {
			continue
		}
		if err := r.note(ctx, s.path, r.link(s)); err != nil {
			return err
		}
	}
	return nil
}

// link makes s another name of the file it is linked to.
func (r *restorer) link(s *step) error {
	first, firstName, err := r.parent(string(s.want.Linked))
	if err != nil {
		return err
	}
	first.Hold()
	defer first.Drop()
	dir, name, err := r.parent(s.path)
	if err != nil {
		return err
	}
	r.touch(s.path)
	r.totals.changed.Add(1)
	temp := tempName()
	if err := unix.Linkat(first.FD, firstName, dir.FD, temp, 0); err != nil {
		return err
	}
	err = unix.Renameat(dir.FD, temp, dir.FD, name)
	// Renaming over another name of the same file does nothing at all.
	if gone := unix.Unlinkat(dir.FD, temp, 0); gone != nil && !errors.Is(gone, unix.ENOENT) {
		err = errors.Join(err, gone)
	}
	return err
}

// settle gives folders their modes, owners and times, the deepest first.
func (r *restorer) settle(ctx context.Context, plan []step) error {
	for i := len(plan) - 1; i >= 0; i-- {
		s := &plan[i]
		if !s.differs && !r.touched[s.path] {
			continue
		}
		target := s.finalFolder()
		if target == nil {
			continue
		}
		if err := r.note(ctx, s.path, r.settleOne(s.path, target)); err != nil {
			return err
		}
		if s.differs {
			r.totals.changed.Add(1)
		}
	}
	return nil
}

// finalFolder is how a folder shall be: as the tree has it, or as it was
// where Only leaves it alone.
func (s *step) finalFolder() *upkeep.Entry {
	switch {
	case s.selected && s.want != nil && s.want.Type == folder.TypeDir:
		return &s.want.Entry
	case !s.selected && s.have != nil && s.have.Type == folder.TypeDir:
		return s.have
	case !s.selected && s.have == nil && s.want != nil && s.want.Type == folder.TypeDir:
		return &s.want.Entry // made to hold something selected
	}
	return nil
}

// settleOne gives one folder its mode, owner and times. Roots have a handle
// already; the way to them is the caller's.
func (r *restorer) settleOne(path string, target *upkeep.Entry) error {
	if root, ok := r.roots[path]; ok {
		return folder.SetMeta(root.FD, target)
	}
	dir, name, err := r.parent(path)
	if err != nil {
		return err
	}
	fd, err := folder.OpenHandle(dir, name, folder.TypeDir)
	if err != nil {
		return err
	}
	return errors.Join(folder.SetMeta(fd, target), unix.Close(fd))
}

// touch notes that the folder which holds path changes.
func (r *restorer) touch(path string) {
	r.touched[path[:strings.LastIndexByte(path, '/')]] = true
}
