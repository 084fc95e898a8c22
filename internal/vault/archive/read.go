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
	"upkeep/internal/vault/archive/content"
	"upkeep/internal/vault/archive/folder"
	"upkeep/internal/vault/archive/node"
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
	owners   *node.Owners
	totals   *totals
	content  *content.Reader
	problems problems
	recalled []recalledFile // by memory, not yet asked for
	asked    int            // chunks of those

	mu       sync.Mutex
	entries  []upkeep.Entry
	inodes   map[string]node.Key // of the paths that are hard-linked
	unsteady [][]byte
	trees    treeBatch
	root     vault.ID
	top      []node.Node
}

// recalledFile is a file whose content memory knows.
type recalledFile struct {
	parent *assembly
	slot   int
	dir    *folder.Folder // held
	name   string         // in dir
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
		ctx: groupCtx, blobs: blobs, options: options, started: options.now(), owners: node.NewOwners(), totals: t,
		content: content.New(blobs, options.Polynomial, &t.Counters), inodes: map[string]node.Key{},
	}
	options.Memory.Begin(options.Polynomial)
	group.Go(func() error { return w.content.Run(groupCtx) })
	group.Go(func() error {
		defer w.content.Finish()
		return w.walk(sources)
	})
	err := group.Wait()
	w.letGo()
	options.Memory.End(err == nil)
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
		file.dir.Drop()
	}
	w.content.LetGo()
}

// walk reads the sources in the order of their names, which is that of the
// tree.
func (w *walker) walk(sources []Source) error {
	sources = slices.Clone(sources)
	slices.SortFunc(sources, func(a, b Source) int { return strings.Compare(a.Name, b.Name) })
	top := &assembly{w: w, nodes: make([]node.Node, len(sources))}
	top.waiting.Store(1)
	for i := range sources {
		source := &sources[i]
		dir, err := folder.Open(source.Dir)
		if err != nil {
			return err
		}
		top.waiting.Add(1)
		a := &assembly{w: w, parent: top, slot: i, depth: 1, path: source.Name + "/"}
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
func (w *walker) folder(a *assembly, dir *folder.Folder, name string, source *Source) error {
	defer dir.Drop()
	a.waiting.Store(1)
	defer a.release()
	names, err := w.describe(a, dir, name, source)
	if err != nil {
		w.problems.add(strings.TrimSuffix(a.path, "/"), err)
		return w.ctx.Err()
	}
	a.nodes = make([]node.Node, len(names))
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
func (w *walker) describe(a *assembly, dir *folder.Folder, name string, source *Source) ([]string, error) {
	var st unix.Stat_t
	if err := unix.Fstat(dir.FD, &st); err != nil {
		return nil, err
	}
	own := &a.parent.nodes[a.slot]
	own.Fill(name, &st)
	amend(own, w.options.Attributes[strings.TrimSuffix(a.path, "/")])
	var err error
	if own.Xattrs, err = folder.Xattrs(dir.FD); err != nil {
		return nil, err
	}
	w.owners.Name(own)
	w.totals.folders.Add(1)
	names, err := dir.Names()
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
func (w *walker) visit(a *assembly, slot int, dir *folder.Folder, name string) (isFolder bool, err error) {
	if err := w.ctx.Err(); err != nil {
		return false, err
	}
	dir, at, err := w.whereabouts(a.path+name, dir, name)
	if err != nil {
		w.problems.add(a.path+name, err)
		return false, nil
	}
	defer dir.Drop()
	var st unix.Stat_t
	err = dir.Stat(at, &st)
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	if err != nil {
		w.problems.add(a.path+name, err)
		return false, nil
	}
	n := &a.nodes[slot]
	n.Fill(name, &st)
	w.owners.Name(n)
	switch n.Kind {
	case folder.TypeDir:
		return true, nil
	case folder.TypeFile:
		return false, w.file(a, slot, dir, at)
	}
	w.totals.others.Add(1)
	if n.Kind == folder.TypeSymlink {
		n.Target, err = dir.Readlink(at)
	}
	if err == nil {
		n.Xattrs, err = dir.LinkXattrs(at)
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
func (w *walker) whereabouts(path string, dir *folder.Folder, name string) (*folder.Folder, string, error) {
	elsewhere, ok := w.options.Instead[path]
	if !ok {
		return dir.Hold(), name, nil
	}
	dir, err := folder.Open(filepath.Dir(elsewhere))
	return dir, filepath.Base(elsewhere), err
}

// descend reads a folder below another. One that cannot be opened is a problem
// of its own and keeps nothing else from being read.
func (w *walker) descend(a *assembly, slot int, dir *folder.Folder, name string, source *Source) error {
	if a.depth >= maxDepth { // no backup is better than one that cannot be restored
		w.problems.add(a.path+name, errTooDeep)
		return nil
	}
	child, err := dir.Child(name)
	if errors.Is(err, unix.ENOENT) {
		w.leaveOut(&a.nodes[slot], a.path+name, false)
		return nil
	}
	if err != nil {
		w.problems.add(a.path+name, err)
		return nil
	}
	a.waiting.Add(1)
	return w.folder(&assembly{w: w, parent: a, slot: slot, depth: a.depth + 1, path: a.path + name + "/"}, child, name, source)
}

// file takes a regular file's content from memory or has it read.
func (w *walker) file(a *assembly, slot int, dir *folder.Folder, name string) error {
	n := &a.nodes[slot]
	a.waiting.Add(1)
	if copied, ok := w.options.Content[a.path+n.Name]; ok {
		return w.readCopy(a, slot, dir, copied)
	}
	if !w.options.Memory.Recall(n) {
		return w.readFile(a, slot, dir.Hold(), name)
	}
	if w.blobs == nil {
		w.unchanged(a, slot)
		return nil
	}
	w.recalled = append(w.recalled, recalledFile{a, slot, dir.Hold(), name, a.path + n.Name})
	w.asked += len(n.Content)
	if w.asked < 2048 && len(w.recalled) < 512 {
		return nil
	}
	return w.askRecalled()
}

// unchanged counts a file that memory spared, and lets its folder complete.
func (w *walker) unchanged(a *assembly, slot int) {
	w.totals.unchanged.Add(1)
	w.count(&a.nodes[slot])
	a.release()
}

// count adds a node to the statistics.
func (w *walker) count(n *node.Node) {
	w.totals.files.Add(1)
	w.totals.bytes.Add(int64(n.Size))
	if w.options.Progress != nil && w.totals.files.Load()%256 == 0 {
		w.options.Progress(w.totals.stats())
	}
}

// askRecalled makes sure that what memory knows is still stored, and has
// read what is not.
func (w *walker) askRecalled() error {
	var ids []vault.ID
	for _, file := range w.recalled {
		ids = append(ids, file.parent.nodes[file.slot].Content...)
	}
	missing, err := w.blobsMissing(ids)
	if err != nil {
		return err
	}
	recalled := w.recalled
	w.recalled, w.asked = nil, 0
	for i, file := range recalled {
		n := &file.parent.nodes[file.slot]
		if !slices.ContainsFunc(n.Content, func(id vault.ID) bool { return missing[id] }) {
			file.dir.Drop()
			w.unchanged(file.parent, file.slot)
			continue
		}
		w.options.Memory.Drop(n)
		if err := w.readFile(file.parent, file.slot, file.dir, file.name); err != nil {
			w.recalled = recalled[i+1:]
			return err
		}
	}
	return nil
}

// blobsMissing asks which chunks of remembered files the vault lost or never
// had: memory speaks of what was read, not of what is still stored.
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
func (w *walker) readFile(a *assembly, slot int, dir *folder.Folder, name string) error {
	path := a.path + a.nodes[slot].Name
	job := &content.Job{Dir: dir, Name: name}
	job.Done = func(n *node.Node, state content.State, err error) {
		defer a.release()
		switch {
		case err != nil:
			w.problems.add(path, err)
		case state == content.Gone || state == content.Replaced:
			w.leaveOut(&a.nodes[slot], path, state == content.Replaced)
		default:
			n.Name = a.nodes[slot].Name
			w.fileRead(n, path, state)
			a.nodes[slot] = *n
		}
	}
	return w.content.Add(w.ctx, job)
}

// readCopy has the content of a file read elsewhere. Nothing of it is
// remembered: the file itself may change without its content as copied, and
// the other way round.
func (w *walker) readCopy(a *assembly, slot int, dir *folder.Folder, copied string) error {
	n := &a.nodes[slot]
	path := a.path + n.Name
	from, err := folder.Open(filepath.Dir(copied))
	if err == nil {
		n.Xattrs, err = dir.LinkXattrs(n.Name)
	}
	if err != nil {
		if from != nil {
			from.Drop()
		}
		w.problems.add(path, err)
		a.release()
		return nil
	}
	job := &content.Job{Dir: from, Name: filepath.Base(copied)}
	job.Done = func(read *node.Node, state content.State, err error) {
		defer a.release()
		if err == nil && state != content.Steady {
			err = upkeep.Errorf(upkeep.CodeConflict, "its copy %s changes", copied)
		}
		if err != nil {
			w.problems.add(path, err)
			return
		}
		n.Size, n.Content = read.Size, read.Content
		w.count(n)
	}
	return w.content.Add(w.ctx, job)
}

// fileRead takes a file that was read. Only one that kept still is remembered.
func (w *walker) fileRead(n *node.Node, path string, state content.State) {
	w.owners.Name(n)
	w.count(n)
	if state == content.Steady {
		w.options.Memory.Keep(n, w.started, w.options.Settled)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unsteady = append(w.unsteady, []byte(path))
}

// leaveOut drops a name that vanished. When something else took its place,
// that is told.
func (w *walker) leaveOut(n *node.Node, path string, replaced bool) {
	*n = node.Node{}
	if !replaced {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unsteady = append(w.unsteady, []byte(path))
}

// amend shows a folder as it is without our doing.
func amend(n *node.Node, as Attributes) {
	if as.Mode != nil {
		n.Mode = *as.Mode
	}
	if as.MTime != nil {
		n.MTime = *as.MTime
	}
}
