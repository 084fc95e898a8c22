package archive

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"upkeep"
	"upkeep/internal/vault"
	"upkeep/internal/vault/archive/folder"
	"upkeep/internal/vault/archive/node"
)

// loaders is how many trees are loaded at once.
const loaders = 8

// loadTree reads a folder of the vault. Its blob was checked against its ID;
// its names are checked here.
func loadTree(ctx context.Context, blobs vault.Blobs, id vault.ID) ([]node.Node, error) {
	text, err := blobs.Load(ctx, vault.TreeBlob, id)
	if err != nil {
		return nil, err
	}
	return node.Parse(text)
}

// stored is a path in a tree.
type stored struct {
	upkeep.Entry
	node node.Node
}

// Entries returns the manifest of a stored tree, sorted by path.
func Entries(ctx context.Context, blobs vault.Blobs, tree vault.ID) (_ []upkeep.Entry, err error) {
	defer upkeep.Wrap(&err, "read tree %s", tree)
	found, err := flatten(ctx, blobs, tree, nil)
	if err != nil {
		return nil, err
	}
	entries := make([]upkeep.Entry, len(found))
	for i := range found {
		entries[i] = found[i].Entry
	}
	return entries, nil
}

// flatten returns every path of a tree, sorted, but for those that keep,
// given a path and its name, refuses.
func flatten(ctx context.Context, blobs vault.Blobs, tree vault.ID, keep func(folder, name string) bool) ([]stored, error) {
	f := &flattener{blobs: blobs, keep: keep}
	f.group, f.ctx = errgroup.WithContext(ctx)
	f.group.SetLimit(loaders)
	f.group.Go(func() error { return f.folder("", tree, 0) })
	if err := f.group.Wait(); err != nil {
		return nil, err
	}
	slices.SortFunc(f.found, func(a, b stored) int { return bytes.Compare(a.Path, b.Path) })
	first := map[node.Key][]byte{}
	for i := range f.found {
		s := &f.found[i]
		if !s.node.HardLinked() {
			continue
		}
		key := node.Key{Dev: s.node.Dev, Inode: s.node.Inode}
		if path, ok := first[key]; ok {
			s.Linked = path
		} else {
			first[key] = s.Path
		}
	}
	return f.found, nil
}

// flattener turns a tree into a list, several folders at a time. Others may
// have written the tree: it is not followed without end.
type flattener struct {
	ctx   context.Context
	blobs vault.Blobs
	keep  func(folder, name string) bool
	group *errgroup.Group

	mu    sync.Mutex
	found []stored
}

// maxDepth is more folders than any system lets programs nest by path.
const maxDepth = 4096

var errTooDeep = errors.New("folders are nested too deep")

// folder adds a folder and everything below it.
func (f *flattener) folder(path string, tree vault.ID, depth int) error {
	nodes, err := loadTree(f.ctx, f.blobs, tree)
	if err == nil && depth > maxDepth {
		err = errTooDeep
	}
	if err != nil {
		return err
	}
	if f.keep != nil {
		nodes = slices.DeleteFunc(nodes, func(n node.Node) bool { return !f.keep(path, n.Name) })
	}
	f.add(path, nodes)
	for i := range nodes {
		if nodes[i].Kind != folder.TypeDir {
			continue
		}
		below := func() error { return f.folder(path+nodes[i].Name+"/", *nodes[i].Subtree, depth+1) }
		// When all loaders are busy this one goes on itself.
		if !f.group.TryGo(below) {
			if err := below(); err != nil {
				return err
			}
		}
	}
	return nil
}

// add appends the names of one folder.
func (f *flattener) add(path string, nodes []node.Node) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range nodes {
		f.found = append(f.found, stored{nodes[i].Entry(path + nodes[i].Name), nodes[i]})
	}
}

// Walk calls fn for every path of a stored tree in its order, folders before
// what is in them. fn may return fs.SkipDir for a folder and fs.SkipAll.
func Walk(ctx context.Context, blobs vault.Blobs, tree vault.ID, fn func(*upkeep.Entry) error) (err error) {
	defer upkeep.Wrap(&err, "walk tree %s", tree)
	err = walkTree(ctx, blobs, tree, "", fn)
	if errors.Is(err, fs.SkipAll) {
		return nil
	}
	return err
}

// walkTree calls fn for every name of a folder, then goes below each in turn.
func walkTree(ctx context.Context, blobs vault.Blobs, tree vault.ID, path string, fn func(*upkeep.Entry) error) error {
	nodes, err := loadTree(ctx, blobs, tree)
	if err != nil {
		return err
	}
	for i := range nodes {
		entry := nodes[i].Entry(path + nodes[i].Name)
		err := fn(&entry)
		if errors.Is(err, fs.SkipDir) && nodes[i].Kind == folder.TypeDir {
			continue
		}
		if err != nil {
			return err
		}
		if nodes[i].Kind != folder.TypeDir {
			continue
		}
		if err := walkTree(ctx, blobs, *nodes[i].Subtree, path+nodes[i].Name+"/", fn); err != nil {
			return err
		}
	}
	return nil
}

// Open returns the content of one stored file, such as
// "database/wp_posts.sql", loaded as it is read. CodeNotFound when the tree
// has no such file. It is read to its end or closed, from one goroutine.
func Open(ctx context.Context, blobs vault.Blobs, tree vault.ID, path string) (_ io.ReadCloser, err error) {
	defer upkeep.Wrap(&err, "open stored %q", path)
	parts := strings.Split(path, "/")
	for i, part := range parts {
		nodes, err := loadTree(ctx, blobs, tree)
		if err != nil {
			return nil, err
		}
		at, ok := slices.BinarySearchFunc(nodes, part, func(n node.Node, name string) int { return strings.Compare(n.Name, name) })
		if !ok {
			break
		}
		n := &nodes[at]
		last := i == len(parts)-1
		if last && n.Kind == folder.TypeFile {
			return &file{ctx: ctx, blobs: blobs, content: n.Content}, nil
		}
		if last || n.Kind != folder.TypeDir {
			break
		}
		tree = *n.Subtree
	}
	return nil, upkeep.Errorf(upkeep.CodeNotFound, "there is no such file in the backup")
}

// file reads a stored file chunk by chunk.
type file struct {
	ctx     context.Context
	blobs   vault.Blobs
	content []vault.ID // not yet loaded
	rest    []byte     // of the chunk being read
}

// Read implements io.Reader.
func (f *file) Read(into []byte) (int, error) {
	for len(f.rest) == 0 {
		if len(f.content) == 0 {
			return 0, io.EOF
		}
		data, err := f.blobs.Load(f.ctx, vault.DataBlob, f.content[0])
		if err != nil {
			return 0, err
		}
		f.content, f.rest = f.content[1:], data
	}
	n := copy(into, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

// Close implements io.Closer.
func (f *file) Close() error {
	f.content, f.rest = nil, nil
	return nil
}
