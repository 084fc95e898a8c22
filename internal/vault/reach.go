package vault

import (
	"context"
	"encoding/json"
	"sync"

	"golang.org/x/sync/errgroup"

	"upkeep"
)

// references returns what a tree blob refers to.
func references(text []byte) ([]Handle, error) {
	var tree struct {
		Nodes []struct {
			Content []ID `json:"content"`
			Subtree *ID  `json:"subtree"`
		} `json:"nodes"`
	}
	if err := json.Unmarshal(text, &tree); err != nil {
		return nil, upkeep.Causef("tree: %w", err)
	}
	var found []Handle
	for i := range tree.Nodes {
		for _, id := range tree.Nodes[i].Content {
			found = append(found, Handle{DataBlob, id})
		}
		if subtree := tree.Nodes[i].Subtree; subtree != nil {
			found = append(found, Handle{TreeBlob, *subtree})
		}
	}
	return found, nil
}

// reachable returns every blob that can be reached from trees. Each tree is
// read, and so verified, once. An error means that something is missing; what
// was found before it is returned too.
func (r *Repository) reachable(ctx context.Context, trees []ID) (map[Handle]struct{}, error) {
	w := &reach{r: r, found: map[Handle]struct{}{}}
	w.group, w.ctx = errgroup.WithContext(ctx)
	w.group.SetLimit(4)
	w.group.Go(func() error {
		for _, id := range trees {
			if err := w.tree(id, 0); err != nil {
				return err
			}
		}
		return nil
	})
	err := w.group.Wait()
	return w.found, err
}

type reach struct {
	r     *Repository
	ctx   context.Context
	group *errgroup.Group
	mu    sync.Mutex
	found map[Handle]struct{}
}

// maxDepth bounds how deep folders may lie in each other. A host can store a
// chain of trees that no file system has: following it takes a stack as deep.
const maxDepth = 20_000

func (w *reach) tree(id ID, depth int) error {
	if !w.add(Handle{TreeBlob, id}) {
		return nil
	}
	if depth > maxDepth {
		return upkeep.Errorf(upkeep.CodeRefused, "tree %s lies deeper than %d folders", id, maxDepth)
	}
	text, err := w.r.Load(w.ctx, TreeBlob, id)
	if upkeep.CodeOf(err) == upkeep.CodeNotFound {
		err = damaged(err) // what refers to it says that it was stored
	}
	if err != nil {
		return err
	}
	below, err := references(text)
	if err != nil {
		return damaged(upkeep.Causef("%s: %w", id, err))
	}
	for _, h := range below {
		if h.Type == DataBlob {
			w.add(h)
			continue
		}
		descend := func() error { return w.tree(h.ID, depth+1) }
		// When all readers are busy this one goes on itself.
		if !w.group.TryGo(descend) {
			if err := descend(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *reach) add(h Handle) (first bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, known := w.found[h]
	w.found[h] = struct{}{}
	return !known
}
