package vault

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"maps"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"upkeep"
	"upkeep/internal/vault/seal"
)

// maxBlob bounds what a damaged or planted index can make us allocate.
const maxBlob = 1 << 30

// Load returns a blob that was stored and flushed.
func (r *Repository) Load(ctx context.Context, t BlobType, id ID) (data []byte, err error) {
	defer upkeep.Wrap(&err, "vault: load blob %s", id)
	if err := r.ensureIndex(ctx); err != nil {
		return nil, err
	}
	h := Handle{t, id}
	data, err = r.loadAny(ctx, h)
	if errors.Is(err, fs.ErrNotExist) || upkeep.CodeOf(err) == upkeep.CodeNotFound {
		// A prune may have moved it since the index was read.
		if err := r.refresh(ctx); err != nil {
			return nil, err
		}
		data, err = r.loadAny(ctx, h)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, damaged(err)
	}
	return data, err
}

// loadAny tries each place a blob is stored until one is good.
func (r *Repository) loadAny(ctx context.Context, h Handle) ([]byte, error) {
	var places []location
	r.mu.RLock()
	r.index.find(h, func(place location) bool {
		places = append(places, place)
		return true
	})
	r.mu.RUnlock()
	err := error(upkeep.Errorf(upkeep.CodeNotFound, "%s is not stored", h))
	for _, place := range places {
		var data []byte
		if data, err = r.loadPlace(ctx, place); err == nil || ctx.Err() != nil {
			return data, err
		}
		if upkeep.CodeOf(err) == upkeep.CodeDamaged {
			r.distrust(place.pack)
		}
	}
	return nil, err
}

func (r *Repository) loadPlace(ctx context.Context, place location) ([]byte, error) {
	if place.length < seal.Overhead || place.length > maxBlob || place.plain > maxBlob {
		return nil, damaged(upkeep.Causef("pack %s: blob of %d bytes", place.pack, place.length))
	}
	sealed, err := r.loadPart(ctx, place.pack, int64(place.offset), int(place.length))
	if err != nil {
		return nil, err
	}
	data, err := r.unpack(sealed, &place.packedBlob, nil)
	if err != nil {
		return nil, damaged(upkeep.Causef("pack %s: %w", place.pack, err))
	}
	return data, nil
}

// loadPart reads a part of a pack, or all of it when length is 0. What the
// storage cannot give, a disk with a bad spot too, is damage like any other.
func (r *Repository) loadPart(ctx context.Context, pack ID, offset int64, length int) ([]byte, error) {
	data, err := r.storage.Load(ctx, fileName(dataFolder, pack), offset, length)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = damaged(upkeep.Causef("pack %s is gone: %w", pack, err))
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = damaged(upkeep.Causef("pack %s is cut short: %w", pack, err))
	case errors.Is(err, unix.EIO):
		err = damaged(upkeep.Causef("pack %s cannot be read: %w", pack, err))
	}
	return data, err
}

// unpack decrypts sealed in place, decompresses it into buffer where it was
// compressed, and checks that it is the blob.
func (r *Repository) unpack(sealed []byte, blob *packedBlob, buffer []byte) ([]byte, error) {
	data, err := r.key.Open(sealed)
	if err == nil && blob.plain != 0 {
		if cap(buffer) < int(blob.plain) {
			buffer = make([]byte, 0, blob.plain)
		}
		data, err = r.decoder.DecodeAll(data, buffer[:0])
	}
	if err == nil && sha256.Sum256(data) != blob.ID {
		err = errors.New("the content is not what its ID says")
	}
	if err != nil {
		return nil, upkeep.Causef("%s at %d: %w", blob.Handle, blob.offset, err)
	}
	return data, nil
}

func damaged(err error) error {
	return upkeep.Errorf(upkeep.CodeDamaged, "%w", err).
		WithHint("Make a new full backup now, then run restic check --read-data on the vault and follow its repair instructions.")
}

// ensureIndex loads the index before its first use.
func (r *Repository) ensureIndex(ctx context.Context) error {
	r.mu.RLock()
	known := r.loaded != nil
	r.mu.RUnlock()
	if known {
		return nil
	}
	return r.refresh(ctx)
}

// refresh brings the index up to date with the index files. When one that it
// holds is gone, a prune has rewritten them and it is built anew.
func (r *Repository) refresh(ctx context.Context) error {
	r.refreshing.Lock()
	defer r.refreshing.Unlock()
	ids, err := r.listIDs(ctx, indexFolder)
	if err != nil {
		return err
	}
	r.mu.RLock()
	loaded := maps.Clone(r.loaded)
	r.mu.RUnlock()
	var fresh []ID
	kept := 0
	for _, id := range ids {
		if loaded[id] {
			kept++
		} else {
			fresh = append(fresh, id)
		}
	}
	if rebuild := loaded == nil || kept < len(loaded); rebuild {
		return r.rebuildIndex(ctx, ids)
	}
	return r.extendIndex(ctx, fresh)
}

func (r *Repository) rebuildIndex(ctx context.Context, ids []ID) error {
	fresh := &index{}
	if err := r.loadIndexes(ctx, ids, fresh.addPack); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, blobs := range r.unlisted {
		fresh.addPack(id, blobs)
	}
	r.index, r.loaded = fresh, map[ID]bool{}
	for _, id := range ids {
		r.loaded[id] = true
	}
	return nil
}

func (r *Repository) extendIndex(ctx context.Context, ids []ID) error {
	packs := map[ID][]packedBlob{}
	err := r.loadIndexes(ctx, ids, func(id ID, blobs []packedBlob) { packs[id] = blobs })
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, blobs := range packs {
		r.index.addPack(id, blobs)
	}
	for _, id := range ids {
		r.loaded[id] = true
	}
	return nil
}

// loadIndexes reads index files, two at a time, and calls add for each pack,
// never concurrently.
func (r *Repository) loadIndexes(ctx context.Context, ids []ID, add func(ID, []packedBlob)) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(2)
	adding := make(chan struct{}, 1)
	for _, id := range ids {
		group.Go(func() error {
			text, err := r.loadFile(ctx, indexFolder, id)
			if err != nil {
				return err
			}
			packs := map[ID][]packedBlob{}
			if err := parseIndex(text, func(id ID, blobs []packedBlob) { packs[id] = blobs }); err != nil {
				return upkeep.Errorf(upkeep.CodeDamaged, "index %s: %w", id, err)
			}
			adding <- struct{}{}
			defer func() { <-adding }()
			for id, blobs := range packs {
				add(id, blobs)
			}
			return nil
		})
	}
	return group.Wait()
}
