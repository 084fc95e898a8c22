package archive

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"sync/atomic"

	"upkeep"
	"upkeep/internal/vault"
	"upkeep/internal/vault/archive/node"
)

// assembly is a folder being put together.
type assembly struct {
	w       *walker
	parent  *assembly   // nil above the sources
	slot    int         // in parent.nodes
	depth   int         // 0 above the sources
	path    string      // with a slash at the end, "" above the sources
	nodes   []node.Node // in name order; one without a name vanished
	waiting atomic.Int64
}

// release lets go of a folder; the last to do so completes it.
func (a *assembly) release() {
	if a.waiting.Add(-1) == 0 {
		a.w.complete(a)
	}
}

// treesAtOnce is how many bytes of trees are asked for and stored together.
const treesAtOnce = 1 << 20

// treeBatch is trees that wait to be stored.
type treeBatch struct {
	ids  []vault.ID
	data [][]byte
	size int
}

// complete lists a folder's names in the manifest, stores its tree and
// tells its parent.
func (w *walker) complete(a *assembly) {
	a.nodes = slices.DeleteFunc(a.nodes, func(n node.Node) bool { return n.Name == "" })
	w.list(a)
	if w.blobs == nil {
		if a.parent != nil {
			a.parent.release()
		}
		return
	}
	text := node.Append(nil, a.nodes)
	id := vault.ID(sha256.Sum256(text))
	w.mu.Lock()
	w.trees.ids, w.trees.data = append(w.trees.ids, id), append(w.trees.data, text)
	w.trees.size += len(text)
	var full treeBatch
	if w.trees.size >= treesAtOnce {
		full, w.trees = w.trees, treeBatch{}
	}
	w.mu.Unlock()
	if err := w.saveTrees(&full); err != nil {
		w.problems.add(a.path, err)
	}
	if a.parent == nil {
		w.root, w.top = id, a.nodes
		return
	}
	a.parent.nodes[a.slot].Subtree = &id
	a.parent.release()
}

// list adds a folder's names to the manifest.
func (w *walker) list(a *assembly) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range a.nodes {
		n := &a.nodes[i]
		path := a.path + n.Name
		w.entries = append(w.entries, n.Entry(path))
		if n.HardLinked() {
			w.inodes[path] = node.Key{Dev: n.Dev, Inode: n.Inode}
		}
	}
}

// flushTrees stores the last, incomplete batch.
func (w *walker) flushTrees() error {
	rest := w.trees
	w.trees = treeBatch{}
	return w.saveTrees(&rest)
}

// saveTrees stores the trees that are missing.
func (w *walker) saveTrees(b *treeBatch) error {
	if len(b.ids) == 0 {
		return nil
	}
	missing, err := w.blobs.Missing(w.ctx, vault.TreeBlob, b.ids)
	if err != nil {
		return err
	}
	for i, id := range b.ids {
		if len(missing) == 0 || missing[0] != id {
			continue
		}
		missing = missing[1:]
		if err := w.blobs.Save(w.ctx, vault.TreeBlob, id, b.data[i]); err != nil {
			return err
		}
		w.totals.Added.Add(int64(len(b.data[i])))
		w.totals.Blobs.Add(1)
	}
	return nil
}

// finish sorts the manifest and says which paths are one file.
func (w *walker) finish() {
	slices.SortFunc(w.entries, func(a, b upkeep.Entry) int { return bytes.Compare(a.Path, b.Path) })
	first := map[node.Key][]byte{}
	for i := range w.entries {
		key, linked := w.inodes[string(w.entries[i].Path)]
		if !linked {
			continue
		}
		if path, ok := first[key]; ok {
			w.entries[i].Linked = path
		} else {
			first[key] = w.entries[i].Path
		}
	}
	slices.SortFunc(w.unsteady, bytes.Compare)
}
