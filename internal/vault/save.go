package vault

import (
	"context"
	"crypto/sha256"
	"errors"
	"maps"
	"slices"

	"upkeep"
)

// Missing returns those of ids that are neither stored nor about to be.
func (r *Repository) Missing(ctx context.Context, t BlobType, ids []ID) (missing []ID, err error) {
	defer upkeep.Wrap(&err, "vault: look for blobs")
	if err := r.ensureIndex(ctx); err != nil {
		return nil, err
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, id := range ids {
		if h := (Handle{t, id}); !r.knows(h) {
			missing = append(missing, id)
		}
	}
	return missing, nil
}

// knows reports whether a blob is stored or about to be. The caller holds mu.
func (r *Repository) knows(h Handle) bool {
	if _, ok := r.pending[h]; ok {
		return true
	}
	if len(r.distrusted) == 0 {
		return r.index.has(h)
	}
	found := false
	r.index.find(h, func(place location) bool {
		found = !r.distrusted[place.pack]
		return !found
	})
	return found
}

// Save stores a blob. It is compressed and sealed in the caller's goroutine
// and put into a pack; full packs are stored in the background. Only Flush
// tells whether all that was well.
func (r *Repository) Save(ctx context.Context, t BlobType, id ID, data []byte) (err error) {
	defer upkeep.Wrap(&err, "vault: save blob %s", id)
	if err := r.needLock(); err != nil {
		return err
	}
	if err := r.ensureIndex(ctx); err != nil {
		return err
	}
	if sha256.Sum256(data) != id {
		return upkeep.Errorf(upkeep.CodeRefused, "the content is not what its ID says")
	}
	h := Handle{t, id}
	r.saving.RLock()
	defer r.saving.RUnlock()
	if again, err := r.announce(h); again || err != nil {
		return err
	}
	buffer := r.scratch.Get().(*[]byte)
	defer r.scratch.Put(buffer)
	sealed, plain := r.pack(data, (*buffer)[:0])
	*buffer = sealed
	if full := r.append(h, sealed, plain); full != nil {
		return r.store(ctx, full)
	}
	return nil
}

// announce claims a blob for the caller, unless it is stored or claimed.
func (r *Repository) announce(h Handle) (again bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed != nil {
		return false, r.failed
	}
	if r.knows(h) {
		return true, nil
	}
	r.pending[h] = struct{}{}
	return false, nil
}

// pack compresses data where that helps and seals it into buffer. plain is
// the size before compression, 0 when it was not compressed.
func (r *Repository) pack(data, buffer []byte) (sealed []byte, plain int) {
	zipped := r.scratch.Get().(*[]byte)
	defer r.scratch.Put(zipped)
	*zipped = r.encoder.EncodeAll(data, (*zipped)[:0])
	if len(*zipped) < len(data) {
		return r.key.Seal(buffer, *zipped), len(data)
	}
	return r.key.Seal(buffer, data), 0
}

// append puts a sealed blob into the open pack of its type and returns the
// pack when it became full.
func (r *Repository) append(h Handle, sealed []byte, plain int) *pack {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.open[h.Type]
	if p == nil {
		p = &pack{}
		if h.Type == DataBlob { // trees are mostly small
			p.data = make([]byte, 0, packRoom)
		}
		r.open[h.Type] = p
	}
	p.add(h, sealed, plain)
	if len(p.data) < packTarget {
		return nil
	}
	r.open[h.Type] = nil
	return p
}

// store closes a pack and stores it in the background. It waits while too
// many are under way. A caller whose context ends does not wait any more, but
// the pack is stored all the same: it holds blobs of others.
func (r *Repository) store(ctx context.Context, p *pack) error {
	begun, done := make(chan struct{}), make(chan struct{})
	r.mu.Lock()
	r.stores[p] = done
	r.mu.Unlock()
	go func() {
		r.storing <- struct{}{}
		close(begun)
		r.storePack(context.WithoutCancel(ctx), p)
		r.mu.Lock()
		delete(r.stores, p)
		r.mu.Unlock()
		close(done)
		<-r.storing
	}()
	select {
	case <-begun:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *Repository) storePack(ctx context.Context, p *pack) {
	id := p.close(r.key)
	if err := r.storage.Save(ctx, fileName(dataFolder, id), p.data); err != nil {
		r.fail(err)
		return
	}
	if r.stored(id, p.blobs) < indexLimit {
		return
	}
	// A long first backup that is interrupted need not send again what an
	// index lists already.
	_ = r.writeIndex(ctx) // its error is kept in failed
}

// stored makes the blobs of a stored pack findable and returns how many no
// index file lists yet.
func (r *Repository) stored(id ID, blobs []packedBlob) (unlisted int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.index.addPack(id, blobs)
	r.unlisted[id], r.unproven[id] = blobs, true
	for i := range blobs {
		delete(r.pending, blobs[i].Handle)
		r.written = append(r.written, blobs[i].Handle)
	}
	for _, list := range r.unlisted {
		unlisted += len(list)
	}
	return unlisted
}

func (r *Repository) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed == nil {
		r.failed = err
	}
}

// writeIndex lists the packs that no index file lists yet. When it returns nil,
// what others were listing meanwhile is listed too: their packs may hold blobs
// that the caller's snapshot refers to.
func (r *Repository) writeIndex(ctx context.Context) (err error) {
	r.refreshing.Lock()
	defer r.refreshing.Unlock()
	r.mu.Lock()
	packs, failed := r.unlisted, r.failed
	if failed == nil {
		r.unlisted = map[ID][]packedBlob{}
	}
	r.mu.Unlock()
	if failed != nil {
		return failed
	}
	defer func() {
		if err != nil {
			r.fail(err)
		}
	}()
	texts, err := formatIndexes(packs)
	if err != nil {
		return err
	}
	for _, text := range texts {
		// It also lists packs of others, who go on when ctx ends.
		id, err := r.saveFile(context.WithoutCancel(ctx), indexFolder, text)
		if err != nil {
			return err
		}
		r.mu.Lock()
		r.loaded[id] = true
		r.mu.Unlock()
	}
	return nil
}

// Flush stores every open pack and then the index that lists them, and
// returns the blobs stored since the last Flush, for VerifyBlobs: also those of
// others who write at the same time, and without those that their Flush
// returned. After an error of the storage the Repository stores nothing more
// and must be opened anew.
func (r *Repository) Flush(ctx context.Context) (written []Handle, err error) {
	defer upkeep.Wrap(&err, "vault: flush")
	if err := r.ensureIndex(ctx); err != nil {
		return nil, err
	}
	if err := r.storeOpen(ctx); err != nil {
		return nil, err
	}
	if err := r.writeIndex(ctx); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	written, r.written = r.written, nil
	return slices.Clip(written), nil
}

// storeOpen stores the packs being filled and waits for all under way, but not
// for those that others begin meanwhile.
func (r *Repository) storeOpen(ctx context.Context) (err error) {
	// A blob that another is saving just now counts as stored for whoever asks.
	r.saving.Lock()
	r.mu.Lock()
	packs := r.open
	r.open = [2]*pack{}
	r.mu.Unlock()
	for _, p := range packs {
		if p != nil {
			err = errors.Join(err, r.store(ctx, p))
		}
	}
	r.saving.Unlock()
	r.mu.RLock()
	stores := slices.Collect(maps.Values(r.stores))
	r.mu.RUnlock()
	for _, done := range stores {
		select {
		case <-done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return errors.Join(err, r.Failed())
}
