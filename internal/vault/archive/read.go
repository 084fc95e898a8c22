package archive

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"upkeep"
	"upkeep/internal/vault"
)

// Read stores the sources as one tree and returns it with the manifest of
// exactly what was stored. A path that cannot be read is an error that names
// it; everything else is read first. Files that vanish while it works are
// left out: they no longer exist.
func Read(ctx context.Context, blobs vault.Blobs, sources []Source, options Options) (_ *Result, err error) {
	defer upkeep.Wrap(&err, "read archive")
	w, err := survey(ctx, blobs, sources, &options)
	if err == nil {
		err = w.problems.err("read")
	}
	if err != nil {
		return nil, err
	}
	return w.result(), nil
}

// Scan returns the manifest that Read would, and stores nothing. With a
// memory it reads only what has changed.
func Scan(ctx context.Context, sources []Source, options Options) (_ []upkeep.Entry, err error) {
	defer upkeep.Wrap(&err, "scan")
	w, err := survey(ctx, nil, sources, &options)
	if err == nil {
		err = w.problems.err("read")
	}
	if err != nil {
		return nil, err
	}
	return w.result().Entries, nil
}

// walker goes through the sources, in one goroutine, and hands files to
// content. Folders are put together as their last name is complete.
type walker struct {
	ctx      context.Context
	blobs    vault.Blobs // nil to only look
	options  *Options
	started  time.Time
	owners   *owners
	totals   *totals
	content  *content
	problems problems
	recalled []recalledFile // by memory, not yet asked for
	asked    int            // chunks of those

	mu       sync.Mutex
	entries  []upkeep.Entry
	inodes   map[string]fileKey // of the paths that are hard-linked
	unsteady [][]byte
	trees    batch
	root     vault.ID
	top      []node
}

// recalledFile is a file whose content memory knows.
type recalledFile struct {
	parent *assembly
	slot   int
	dir    *folder // held
	name   string  // in dir
	path   string
}

// survey goes through the sources. Paths that could not be read are in the
// walker's problems.
func survey(ctx context.Context, blobs vault.Blobs, sources []Source, options *Options) (*walker, error) {
	if err := options.validate(sources); err != nil {
		return nil, err
	}
	group, groupCtx := errgroup.WithContext(ctx)
	t := &totals{}
	w := &walker{
		ctx: groupCtx, blobs: blobs, options: options, started: options.now(), owners: newOwners(), totals: t,
		content: newContent(blobs, options, t), inodes: map[string]fileKey{},
	}
	options.Memory.begin(options.Polynomial)
	group.Go(func() error { return w.content.run(groupCtx) })
	group.Go(func() error {
		defer close(w.content.jobs)
		return w.walk(sources)
	})
	err := group.Wait()
	w.letGo()
	options.Memory.end(err == nil)
	if err != nil {
		return nil, err
	}
	w.ctx = ctx // the group's has ended with it
	return w, w.flushTrees()
}

// result is what the callers of Read get.
func (w *walker) result() *Result {
	w.finish()
	return &Result{Tree: w.root, Entries: w.entries, Stats: w.totals.stats(), Unsteady: w.unsteady, top: w.top}
}

// letGo closes the folders that an error left in queues.
func (w *walker) letGo() {
	for _, file := range w.recalled {
		file.dir.drop()
	}
	for job := range w.content.jobs {
		job.dir.drop()
	}
}

func (w *walker) walk(sources []Source) error {
	sources = slices.Clone(sources)
	slices.SortFunc(sources, func(a, b Source) int { return strings.Compare(a.Name, b.Name) })
	top := &assembly{w: w, nodes: make([]node, len(sources))}
	top.waiting.Store(1)
	for i := range sources {
		source := &sources[i]
		dir, err := openRoot(source.Dir)
		if err != nil {
			return err
		}
		top.waiting.Add(1)
		a := &assembly{w: w, parent: top, slot: i, path: source.Name + "/"}
		if err := w.folder(a, dir, source.Name, source); err != nil {
			return err
		}
	}
	if err := w.askRecalled(); err != nil {
		return err
	}
	top.release()
	return nil
}

// folder reads one folder and everything below. It drops dir. What cannot be
// read is noted; what it returns ends the run.
func (w *walker) folder(a *assembly, dir *folder, name string, source *Source) error {
	defer dir.drop()
	a.waiting.Store(1)
	defer a.release()
	names, err := w.describe(a, dir, name, source)
	if err != nil {
		w.problems.add(strings.TrimSuffix(a.path, "/"), err)
		return w.ctx.Err()
	}
	a.nodes = make([]node, len(names))
	var folders []int
	for i, name := range names {
		isFolder, err := w.visit(a, i, dir, name)
		if err != nil {
			return err
		}
		if isFolder {
			folders = append(folders, i)
		}
	}
	for _, i := range folders {
		if err := w.descend(a, i, dir, names[i], source); err != nil {
			return err
		}
	}
	return nil
}

// describe fills in the folder's own node and returns the names to visit.
func (w *walker) describe(a *assembly, dir *folder, name string, source *Source) ([]string, error) {
	var st unix.Stat_t
	if err := unix.Fstat(dir.fd, &st); err != nil {
		return nil, err
	}
	own := &a.parent.nodes[a.slot]
	own.fill(name, &st)
	own.amend(w.options.Attributes[strings.TrimSuffix(a.path, "/")])
	var err error
	if own.xattrs, err = fileXattrs(dir.fd); err != nil {
		return nil, err
	}
	w.owners.name(own)
	w.totals.folders.Add(1)
	names, err := dir.names()
	if err != nil {
		return nil, err
	}
	return selectNames(names, a.path, source, w.options), nil
}

// selectNames drops the names that a source or the options leave out. path
// is that of the folder, with a slash at the end.
func selectNames(names []string, path string, source *Source, options *Options) []string {
	below := strings.TrimPrefix(path, source.Name+"/")
	return slices.DeleteFunc(names, func(name string) bool {
		if below == "" && source.Only != nil && !slices.Contains(source.Only, name) {
			return true
		}
		return options.excluded(source.Name, below+name)
	})
}

// visit describes one name. Regular files complete later, folders are left
// to the caller.
func (w *walker) visit(a *assembly, slot int, dir *folder, name string) (isFolder bool, err error) {
	if err := w.ctx.Err(); err != nil {
		return false, err
	}
	dir, at, err := w.whereabouts(a.path+name, dir, name)
	if err != nil {
		w.problems.add(a.path+name, err)
		return false, nil
	}
	defer dir.drop()
	var st unix.Stat_t
	err = dir.stat(at, &st)
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	if err != nil {
		w.problems.add(a.path+name, err)
		return false, nil
	}
	n := &a.nodes[slot]
	n.fill(name, &st)
	w.owners.name(n)
	switch n.kind {
	case typeDir:
		return true, nil
	case typeFile:
		return false, w.file(a, slot, dir, at)
	}
	w.totals.others.Add(1)
	if n.kind == typeSymlink {
		n.target, err = dir.readlink(at)
	}
	if err == nil {
		n.xattrs, err = dir.linkXattrs(at)
	}
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EINVAL) {
		w.leaveOut(n, a.path+name, errors.Is(err, unix.EINVAL))
		return false, nil
	}
	if err != nil {
		w.problems.add(a.path+name, err)
	}
	return false, nil
}

// whereabouts returns the folder, held, and the name where the path is found:
// where it is or, for one that waits elsewhere, there.
func (w *walker) whereabouts(path string, dir *folder, name string) (*folder, string, error) {
	elsewhere, ok := w.options.Instead[path]
	if !ok {
		return dir.hold(), name, nil
	}
	dir, err := openRoot(filepath.Dir(elsewhere))
	return dir, filepath.Base(elsewhere), err
}

func (w *walker) descend(a *assembly, slot int, dir *folder, name string, source *Source) error {
	child, err := dir.child(name)
	if errors.Is(err, unix.ENOENT) {
		w.leaveOut(&a.nodes[slot], a.path+name, false)
		return nil
	}
	if err != nil {
		w.problems.add(a.path+name, err)
		return nil
	}
	a.waiting.Add(1)
	return w.folder(&assembly{w: w, parent: a, slot: slot, path: a.path + name + "/"}, child, name, source)
}

// file takes a regular file's content from memory or has it read.
func (w *walker) file(a *assembly, slot int, dir *folder, name string) error {
	n := &a.nodes[slot]
	a.waiting.Add(1)
	if !w.options.Memory.recall(n) {
		return w.readFile(a, slot, dir.hold(), name)
	}
	if w.blobs == nil {
		w.unchanged(a, slot)
		return nil
	}
	w.recalled = append(w.recalled, recalledFile{a, slot, dir.hold(), name, a.path + n.name})
	w.asked += len(n.content)
	if w.asked < 2048 && len(w.recalled) < 512 {
		return nil
	}
	return w.askRecalled()
}

func (w *walker) unchanged(a *assembly, slot int) {
	w.totals.unchanged.Add(1)
	w.count(&a.nodes[slot])
	a.release()
}

func (w *walker) count(n *node) {
	w.totals.files.Add(1)
	w.totals.bytes.Add(int64(n.size))
	if w.options.Progress != nil && w.totals.files.Load()%256 == 0 {
		w.options.Progress(w.totals.stats())
	}
}

// askRecalled makes sure that what memory knows is still stored, and has
// read what is not.
func (w *walker) askRecalled() error {
	var ids []vault.ID
	for _, file := range w.recalled {
		ids = append(ids, file.parent.nodes[file.slot].content...)
	}
	missing, err := w.blobsMissing(ids)
	if err != nil {
		return err
	}
	recalled := w.recalled
	w.recalled, w.asked = nil, 0
	for i, file := range recalled {
		n := &file.parent.nodes[file.slot]
		if !slices.ContainsFunc(n.content, func(id vault.ID) bool { return missing[id] }) {
			file.dir.drop()
			w.unchanged(file.parent, file.slot)
			continue
		}
		w.options.Memory.drop(n)
		if err := w.readFile(file.parent, file.slot, file.dir, file.name); err != nil {
			w.recalled = recalled[i+1:]
			return err
		}
	}
	return nil
}

func (w *walker) blobsMissing(ids []vault.ID) (map[vault.ID]bool, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	list, err := w.blobs.Missing(w.ctx, vault.DataBlob, ids)
	if err != nil {
		return nil, err
	}
	missing := make(map[vault.ID]bool, len(list))
	for _, id := range list {
		missing[id] = true
	}
	return missing, nil
}

// readFile has a file read, by its name in dir, which is held for it.
func (w *walker) readFile(a *assembly, slot int, dir *folder, name string) error {
	path := a.path + a.nodes[slot].name
	job := &fileJob{dir: dir, name: name, path: path}
	job.done = func(n *node, state fileState, err error) {
		defer a.release()
		switch {
		case err != nil:
			w.problems.add(path, err)
		case state == gone || state == replaced:
			w.leaveOut(&a.nodes[slot], path, state == replaced)
		default:
			n.name = a.nodes[slot].name
			w.fileRead(n, path, state)
			a.nodes[slot] = *n
		}
	}
	select {
	case w.content.jobs <- job:
		return nil
	case <-w.ctx.Done():
		dir.drop()
		return w.ctx.Err()
	}
}

func (w *walker) fileRead(n *node, path string, state fileState) {
	w.owners.name(n)
	w.count(n)
	if state == steady {
		w.options.Memory.keep(n, w.started)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unsteady = append(w.unsteady, []byte(path))
}

// leaveOut drops a name that vanished. When something else took its place,
// that is told.
func (w *walker) leaveOut(n *node, path string, replaced bool) {
	*n = node{}
	if !replaced {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unsteady = append(w.unsteady, []byte(path))
}
