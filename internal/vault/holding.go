package vault

import (
	"context"
	"sync"

	"upkeep"
)

// Holding is what a site has in the repository: what its backups reach, and
// what it has sent since. A host that makes a backup of the site is told that
// only these are stored, and may build the backup of nothing else. So nobody
// comes to what another stored by naming it, nor learns whether it is there;
// identical content is sent by each site once, and stored once.
type Holding struct {
	mu    sync.Mutex
	blobs map[Handle]struct{}
}

// Holding returns what trees reach. Where one is damaged, what is below it
// counts as not held, and is sent anew.
func (r *Repository) Holding(ctx context.Context, trees []ID) (*Holding, error) {
	h := &Holding{blobs: map[Handle]struct{}{}}
	for _, tree := range trees {
		found, err := r.reachable(ctx, []ID{tree})
		if err != nil && upkeep.CodeOf(err) != upkeep.CodeDamaged {
			return nil, err
		}
		for blob := range found {
			h.blobs[blob] = struct{}{}
		}
	}
	return h, nil
}

// Of returns blobs as the host of this holding may use them to make a backup:
// it loads nothing.
func (h *Holding) Of(blobs Blobs) Blobs { return &held{Blobs: Scoped(blobs, nil), holding: h} }

func (h *Holding) has(blob Handle) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, ok := h.blobs[blob]
	return ok
}

type held struct {
	Blobs
	holding *Holding
}

// Missing returns what the site never sent, and of what it did what is not
// stored any more.
func (h *held) Missing(ctx context.Context, t BlobType, ids []ID) ([]ID, error) {
	lost := map[ID]bool{}
	gone, err := h.Blobs.Missing(ctx, t, ids)
	for _, id := range gone {
		lost[id] = true
	}
	var missing []ID
	for _, id := range ids {
		if lost[id] || !h.holding.has(Handle{t, id}) {
			missing = append(missing, id)
		}
	}
	return missing, err
}

// Save stores a blob, which the site has from then on.
func (h *held) Save(ctx context.Context, t BlobType, id ID, data []byte) error {
	if err := h.Blobs.Save(ctx, t, id, data); err != nil {
		return err
	}
	h.holding.mu.Lock()
	defer h.holding.mu.Unlock()
	h.holding.blobs[Handle{t, id}] = struct{}{}
	return nil
}
