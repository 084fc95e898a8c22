package vault

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"upkeep"
)

// VerifyOptions says how deep to look.
type VerifyOptions struct {
	// Sample is the part of the blobs to read back: 0 checks only that
	// everything is there with the right size, 1 reads all.
	Sample float64
	// Limit is how many stored bytes to read back at most, of all of the
	// sample alike; 0 is no limit.
	Limit int64
	// Except are blobs that were read back already.
	Except []Handle
	// Within, when set, is what all that is reachable must be part of:
	// CodeRefused when something is not.
	Within *Holding
	// Progress, when set, is told how many blobs were read back of how many.
	Progress func(done, total int)
}

// Verified says what Verify looked at.
type Verified struct {
	Blobs    int   // reachable from the snapshot
	Packs    int   // that hold them
	ReadBack int   // blobs decrypted and hashed, trees included
	Bytes    int64 // stored size of the packs
}

// maxDamages bounds how many packs one error names.
const maxDamages = 10

// Verify proves that a snapshot can be restored: every tree reads back, every
// blob it needs is in the index and in a pack of the right size, and a sample
// or all of them read back as they were written. CodeDamaged names the packs.
func (r *Repository) Verify(ctx context.Context, snapshot ID, options VerifyOptions) (_ *Verified, err error) {
	defer upkeep.Wrap(&err, "verify snapshot %s", snapshot)
	s, err := r.Snapshot(ctx, snapshot)
	if err != nil {
		return nil, err
	}
	return r.verifyTree(ctx, *s.Tree, options)
}

// VerifyTree proves of a tree what Verify does of a snapshot's, for a backup
// that is still being made.
func (r *Repository) VerifyTree(ctx context.Context, tree ID, options VerifyOptions) (_ *Verified, err error) {
	defer upkeep.Wrap(&err, "verify tree %s", tree)
	return r.verifyTree(ctx, tree, options)
}

func (r *Repository) verifyTree(ctx context.Context, tree ID, options VerifyOptions) (*Verified, error) {
	if err := r.refresh(ctx); err != nil {
		return nil, err
	}
	found, err := r.reachable(ctx, []ID{tree})
	if err != nil {
		return nil, err
	}
	if within := options.Within; within != nil {
		for h := range found {
			if !within.has(h) {
				return nil, upkeep.Errorf(upkeep.CodeRefused, "the host names %s, which it never sent", h).
					WithHint("Its program is another, or somebody else's hands are on it. Look at that host.")
			}
		}
	}
	result := &Verified{Blobs: len(found)}
	packs, err := r.locate(slices.Collect(maps.Keys(found)))
	if err != nil {
		return nil, err
	}
	result.Packs = len(packs)
	if result.Bytes, err = r.checkSizes(ctx, packs); err != nil {
		return nil, err
	}
	never := r.neverReadBack(packs)
	for _, h := range slices.Concat(options.Except, never) {
		delete(found, h)
	}
	var data []Handle
	for h := range found { // in random order
		if h.Type == TreeBlob {
			result.ReadBack++ // on the way here
		} else if options.Sample >= 1 || rand.Float64() < options.Sample {
			data = append(data, h)
		}
	}
	sample := append(r.within(data, options.Limit), never...)
	result.ReadBack += len(sample)
	return result, r.readBack(ctx, sample, options.Progress)
}

// neverReadBack returns the data blobs in packs that this Repository stored and
// nobody has read back since: another who writes at the same time has them from
// its Flush, and may not have come to it, or never will.
func (r *Repository) neverReadBack(packs map[ID][]packedBlob) []Handle {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var found []Handle
	for id, blobs := range packs {
		if !r.unproven[id] {
			continue
		}
		for i := range blobs {
			if blobs[i].Type == DataBlob {
				found = append(found, blobs[i].Handle)
			}
		}
	}
	return found
}

// within returns as many of blobs as are stored in limit bytes; 0 is all.
func (r *Repository) within(blobs []Handle, limit int64) []Handle {
	if limit <= 0 {
		return blobs
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	for i, h := range blobs {
		r.index.find(h, func(place location) bool {
			limit -= int64(place.length)
			return false
		})
		if limit < 0 {
			return blobs[:i]
		}
	}
	return blobs
}

// VerifyBlobs reads these blobs back and compares them with what was
// written. Packs of which it is given every blob are compared as a whole.
func (r *Repository) VerifyBlobs(ctx context.Context, blobs []Handle) (err error) {
	defer upkeep.Wrap(&err, "verify blobs")
	if err := r.ensureIndex(ctx); err != nil {
		return err
	}
	return r.readBack(ctx, blobs, nil)
}

// locate returns the packs that hold blobs, and where in them: in packs that
// are trusted, where there is a choice.
func (r *Repository) locate(blobs []Handle) (map[ID][]packedBlob, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	packs := map[ID][]packedBlob{}
	for _, h := range blobs {
		var chosen *location
		r.index.find(h, func(place location) bool {
			trusted := !r.distrusted[place.pack]
			if chosen == nil || trusted {
				chosen = &place
			}
			return !trusted
		})
		if chosen == nil {
			return nil, damaged(upkeep.Causef("%s is in no index", h))
		}
		packs[chosen.pack] = append(packs[chosen.pack], chosen.packedBlob)
	}
	return packs, nil
}

// checkSizes makes sure that packs exist with the size their index implies.
func (r *Repository) checkSizes(ctx context.Context, packs map[ID][]packedBlob) (total int64, err error) {
	want := r.packSizes()
	var damages []error
	for id, blobs := range packs {
		info, err := r.storage.Stat(ctx, fileName(dataFolder, id))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			err = upkeep.Causef("pack %s is gone", id)
		case err != nil:
			return 0, err
		case info.Size != want[id]:
			err = upkeep.Causef("pack %s has %d bytes: want %d", id, info.Size, want[id])
		}
		if err != nil && !r.stands(ctx, id, blobs) {
			damages = append(damages, err)
		}
		total += info.Size
	}
	return total, joinDamages(damages)
}

// packSizes returns the size that each indexed pack must have.
func (r *Repository) packSizes() map[ID]int64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	numbers := make([]int64, len(r.index.packs))
	for i := range r.index.entries {
		e := &r.index.entries[i]
		blob := packedBlob{length: e.length, plain: e.plain}
		numbers[e.pack&^treeBit] += packSize([]packedBlob{blob}) - packSize(nil)
	}
	sizes := make(map[ID]int64, len(numbers))
	for number, id := range r.index.packs {
		sizes[id] = numbers[number] + packSize(nil)
	}
	return sizes
}

func joinDamages(damages []error) error {
	if len(damages) == 0 {
		return nil
	}
	more := len(damages) - maxDamages
	slices.SortFunc(damages, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	err := errors.Join(damages[:min(len(damages), maxDamages)]...)
	if more > 0 {
		err = upkeep.Causef("%w\nand %d more packs", err, more)
	}
	return damaged(err)
}

// readBack decrypts and hashes blobs, pack by pack, on all cores.
func (r *Repository) readBack(ctx context.Context, blobs []Handle, progress func(done, total int)) error {
	packs, err := r.locate(blobs)
	if err != nil {
		return err
	}
	sizes := r.packSizes()
	var mu sync.Mutex
	var damages []error
	done := 0
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(max(2, runtime.GOMAXPROCS(0)))
	for id, list := range packs {
		group.Go(func() error {
			err := r.readPack(groupCtx, id, list, sizes[id], nil)
			bad := upkeep.CodeOf(err) == upkeep.CodeDamaged
			spare := bad && r.stands(groupCtx, id, list)
			mu.Lock()
			defer mu.Unlock()
			if done += len(list); progress != nil {
				progress(done, len(blobs))
			}
			switch {
			case err == nil && packSize(list) == sizes[id]:
				r.proven(id)
			case !bad:
				return err
			case !spare:
				damages = append(damages, err)
			}
			return nil // the others are worth knowing too
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return joinDamages(damages)
}

// stands says of a damaged pack whether these blobs of it are whole in others.
// From now on the pack is not trusted: what only it holds is stored anew by
// the next backup that has it, which heals all those before.
func (r *Repository) stands(ctx context.Context, damaged ID, blobs []packedBlob) bool {
	r.distrust(damaged)
	for i := range blobs {
		var spares []location
		r.mu.RLock()
		r.index.find(blobs[i].Handle, func(place location) bool {
			if place.pack != damaged {
				spares = append(spares, place)
			}
			return true
		})
		r.mu.RUnlock()
		whole := slices.ContainsFunc(spares, func(place location) bool {
			_, err := r.loadPlace(ctx, place)
			return err == nil
		})
		if !whole {
			return false
		}
	}
	return true
}

// proven notes that a pack was read back whole.
func (r *Repository) proven(pack ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.unproven, pack)
}

// distrust makes what only this pack holds count as not stored.
func (r *Repository) distrust(pack ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.distrusted == nil {
		r.distrusted = map[ID]bool{}
	}
	r.distrusted[pack] = true
}

// readPack reads these blobs of a pack and checks each; when they are all
// that the file of this size holds, the file's own hash too. use, when set,
// gets each as it is stored.
func (r *Repository) readPack(ctx context.Context, id ID, blobs []packedBlob, size int64, use func(*packedBlob, []byte) error) error {
	slices.SortFunc(blobs, func(a, b packedBlob) int { return cmp.Compare(a.offset, b.offset) })
	wanted := int64(0)
	for i := range blobs {
		wanted += int64(blobs[i].length)
	}
	var whole []byte
	if packSize(blobs) == size || wanted*2 > size {
		var err error
		if whole, err = r.loadPack(ctx, id, size); err != nil {
			return err
		}
	}
	var plain, sealed []byte
	for i := range blobs {
		blob := &blobs[i]
		var err error
		if sealed, err = r.sealedBlob(ctx, id, blob, whole); err != nil {
			return err
		}
		if use != nil {
			if err := use(blob, sealed); err != nil {
				return err
			}
		}
		if plain, err = r.unpack(sealed, blob, plain); err != nil {
			return upkeep.Errorf(upkeep.CodeDamaged, "pack %s: %w", id, err)
		}
		if blob.plain == 0 {
			plain = nil // it shares the memory of sealed
		}
	}
	return ctx.Err()
}

// loadPack reads a whole pack and compares it with its name.
func (r *Repository) loadPack(ctx context.Context, id ID, size int64) ([]byte, error) {
	data, err := r.loadPart(ctx, id, 0, 0)
	if err != nil {
		return nil, err
	}
	if int64(len(data)) != size {
		return nil, upkeep.Errorf(upkeep.CodeDamaged, "pack %s has %d bytes: want %d", id, len(data), size)
	}
	if sha256.Sum256(data) != id {
		return nil, upkeep.Errorf(upkeep.CodeDamaged, "pack %s: its content does not match its name", id)
	}
	return data, nil
}

func (r *Repository) sealedBlob(ctx context.Context, id ID, blob *packedBlob, whole []byte) ([]byte, error) {
	if whole == nil {
		return r.loadPart(ctx, id, int64(blob.offset), int(blob.length))
	}
	end := int64(blob.offset) + int64(blob.length)
	if end > int64(len(whole)) {
		return nil, upkeep.Errorf(upkeep.CodeDamaged, "pack %s ends before %s", id, blob.Handle)
	}
	return whole[blob.offset:end:end], nil
}

// packFiles returns what is in the data folder, by ID.
func (r *Repository) packFiles(ctx context.Context) (map[ID]FileInfo, error) {
	files := map[ID]FileInfo{}
	err := r.storage.List(ctx, dataFolder, func(info FileInfo) error {
		if id, err := ParseID(path.Base(info.Name)); err == nil {
			files[id] = info
		}
		return nil
	})
	return files, err
}
