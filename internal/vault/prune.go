package vault

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"upkeep"
)

// PruneOptions says how to prune. The zero value is right for most.
type PruneOptions struct {
	// Grace is the age below which unreferenced packs stay: a writer that
	// lost its lock without knowing may still be about to refer to them.
	// 0 is one day; negative is none.
	Grace time.Duration
	// MaxUnused is the part of the repository that may stay unused inside
	// packs, since rewriting them costs more than the space. 0 is 5 %;
	// negative is none.
	MaxUnused float64
	// DryRun only says what would be done.
	DryRun bool
	// Without are snapshots that count as forgotten, for a dry run only.
	Without []ID
}

const (
	defaultGrace     = 24 * time.Hour
	defaultMaxUnused = 0.05
	// Packs below a quarter of the target are put together when there are
	// this many of a type: each backup leaves up to two behind.
	smallPack  = packTarget / 4
	smallPacks = 16
)

// Pruned says what Prune did.
type Pruned struct {
	Removed  int   // packs
	Repacked int   // packs of which the used part was written anew
	Freed    int64 // bytes, net of what was written
	Unused   int64 // bytes left within packs
}

// prunePack is a pack during a prune.
type prunePack struct {
	id    ID
	blobs []packedBlob // as indexed
	keep  []packedBlob // those that are used, and kept in this pack
	file  FileInfo
	there bool
}

func (p *prunePack) unused() int64 {
	return packSize(p.blobs) - packSize(p.keep)
}

// Prune removes what no snapshot refers to. It holds the repository
// exclusively. Whenever it is killed nothing is lost: used blobs are written
// anew and indexed before the index that lists the old place is removed, and
// packs go last. It does nothing when anything that snapshots need is missing.
func (r *Repository) Prune(ctx context.Context, options PruneOptions) (_ *Pruned, err error) {
	defer upkeep.Wrap(&err, "prune")
	ctx, release, err := r.lock(ctx, true)
	if err != nil {
		return nil, err
	}
	defer release()
	p, err := r.survey(ctx, options)
	if err != nil || options.DryRun {
		return p.result(), err
	}
	if err := p.repack(ctx); err != nil {
		return nil, err
	}
	if err := p.reindex(ctx); err != nil {
		return nil, err
	}
	if err := p.removePacks(ctx); err != nil {
		return nil, err
	}
	if tidier, ok := r.storage.(Tidier); ok {
		if err := tidier.Tidy(ctx, r.Clock()); err != nil {
			return nil, err
		}
	}
	return p.result(), r.refresh(ctx)
}

// pruning is the plan of a prune.
type pruning struct {
	r       *Repository
	oldest  time.Time    // what is unused and younger stays
	indexes []ID         // index files there were
	kept    []*prunePack // stay as they are
	moved   []*prunePack // their used part is written anew, then they go
	dropped []*prunePack // go
	strays  []FileInfo   // in no index, and past grace
	gone    bool         // the index lists packs that do not exist
	added   int64        // bytes written anew
}

func (p *pruning) result() *Pruned {
	if p == nil {
		return nil
	}
	done := &Pruned{Removed: len(p.dropped) + len(p.strays), Repacked: len(p.moved), Freed: -p.added}
	for _, list := range [][]*prunePack{p.moved, p.dropped} {
		for _, pack := range list {
			done.Freed += pack.file.Size
		}
	}
	for _, stray := range p.strays {
		done.Freed += stray.Size
	}
	for _, pack := range p.kept {
		done.Unused += pack.unused()
	}
	return done
}

// survey finds out what is used and decides about each pack.
func (r *Repository) survey(ctx context.Context, options PruneOptions) (*pruning, error) {
	if !options.DryRun {
		options.Without = nil
	}
	used, err := r.usedBlobs(ctx, options.Without)
	if err != nil {
		return nil, err
	}
	p := &pruning{r: r, oldest: r.Clock().Add(-grace(options.Grace))}
	if p.indexes, err = r.listIDs(ctx, indexFolder); err != nil {
		return nil, err
	}
	packs := map[ID]*prunePack{}
	err = r.loadIndexes(ctx, p.indexes, func(id ID, blobs []packedBlob) {
		packs[id] = &prunePack{id: id, blobs: blobs}
	})
	if err != nil {
		return nil, err
	}
	files, err := r.packFiles(ctx)
	if err != nil {
		return nil, err
	}
	for id, file := range files {
		if pack := packs[id]; pack != nil {
			pack.file, pack.there = file, true
		} else if file.Modified.Before(p.oldest) {
			p.strays = append(p.strays, file)
		}
	}
	if err := claim(packs, used); err != nil {
		return nil, err
	}
	p.decide(packs)
	p.choose(options.MaxUnused)
	return p, nil
}

func grace(d time.Duration) time.Duration {
	if d < 0 {
		return 0
	}
	return cmp.Or(d, defaultGrace)
}

// usedBlobs returns all that any snapshot needs, but for those in without.
func (r *Repository) usedBlobs(ctx context.Context, without []ID) (map[Handle]struct{}, error) {
	snapshots, err := r.Snapshots(ctx)
	if err != nil {
		return nil, err
	}
	var trees []ID
	for i := range snapshots {
		if !slices.Contains(without, snapshots[i].ID) {
			trees = append(trees, *snapshots[i].Tree)
		}
	}
	return r.reachable(ctx, trees)
}

// claim gives every used blob to one pack, the one that is used most where
// several have it. It empties used.
func claim(packs map[ID]*prunePack, used map[Handle]struct{}) error {
	weight := map[*prunePack]int64{}
	var order []*prunePack
	for _, id := range slices.SortedFunc(maps.Keys(packs), compareIDs) {
		pack := packs[id]
		if !pack.there || pack.file.Size != packSize(pack.blobs) {
			continue // nothing can be relied upon in there
		}
		order = append(order, pack)
		for i := range pack.blobs {
			if _, ok := used[pack.blobs[i].Handle]; ok {
				weight[pack] += int64(pack.blobs[i].length)
			}
		}
	}
	slices.SortStableFunc(order, func(a, b *prunePack) int { return cmp.Compare(weight[b], weight[a]) })
	for _, pack := range order {
		for i := range pack.blobs {
			if _, ok := used[pack.blobs[i].Handle]; ok {
				pack.keep = append(pack.keep, pack.blobs[i])
				delete(used, pack.blobs[i].Handle)
			}
		}
	}
	for h := range used {
		return upkeep.Errorf(upkeep.CodeDamaged, "%d blobs that snapshots need are missing, such as %s", len(used), h).
			WithHint("Nothing was removed. Run restic check on the vault and follow its repair instructions.")
	}
	return nil
}

func (p *pruning) decide(packs map[ID]*prunePack) {
	for _, id := range slices.SortedFunc(maps.Keys(packs), compareIDs) {
		pack := packs[id]
		switch {
		case !pack.there:
			p.gone = true
		case len(pack.keep) > 0 || !pack.file.Modified.Before(p.oldest):
			p.kept = append(p.kept, pack)
		default:
			p.dropped = append(p.dropped, pack)
		}
	}
}

// choose moves packs from kept to moved: those with the most unused space
// first, until little enough is left, and many small ones.
func (p *pruning) choose(maxUnused float64) {
	maxUnused = max(0, cmp.Or(maxUnused, defaultMaxUnused))
	total, unused := int64(0), int64(0)
	small := map[BlobType]int{}
	for _, pack := range p.kept {
		total += pack.file.Size
		if p.spared(pack) {
			continue
		}
		unused += pack.unused()
		if pack.file.Size < smallPack {
			small[pack.blobs[0].Type]++
		}
	}
	slices.SortStableFunc(p.kept, func(a, b *prunePack) int { return cmp.Compare(b.unused(), a.unused()) })
	allowed := int64(maxUnused * float64(total))
	p.kept = slices.DeleteFunc(p.kept, func(pack *prunePack) bool {
		if p.spared(pack) {
			return false
		}
		wasteful := unused > allowed && pack.unused() > 0
		if !wasteful && (pack.file.Size >= smallPack || small[pack.blobs[0].Type] < smallPacks) {
			return false
		}
		unused -= pack.unused()
		p.moved = append(p.moved, pack)
		return true
	})
}

// spared reports whether a pack stays as it is because of what is unused in
// it and within grace.
func (p *pruning) spared(pack *prunePack) bool {
	return pack.unused() > 0 && !pack.file.Modified.Before(p.oldest)
}

// repack writes the used part of the moved packs into new packs. Blobs stay
// sealed as they are, and each is checked on the way.
func (p *pruning) repack(ctx context.Context) error {
	r := p.r
	for _, pack := range p.moved {
		err := r.readPack(ctx, pack.id, pack.keep, pack.file.Size, func(blob *packedBlob, sealed []byte) error {
			p.added += int64(len(sealed))
			if full := r.append(blob.Handle, sealed, int(blob.plain)); full != nil {
				return r.store(ctx, full)
			}
			return nil
		})
		if err != nil {
			// What was written so far is in no index and no harm.
			r.fail(err)
			return err
		}
	}
	return r.storeOpen(ctx)
}

// reindex writes an index of what stays, and then removes the old one.
func (p *pruning) reindex(ctx context.Context) error {
	r := p.r
	if len(p.moved)+len(p.dropped) == 0 && !p.gone && len(p.indexes) < smallPacks {
		return nil
	}
	r.mu.Lock()
	listed := r.unlisted
	r.unlisted, r.written = map[ID][]packedBlob{}, nil
	r.mu.Unlock()
	for _, pack := range p.kept {
		listed[pack.id] = pack.blobs
	}
	texts, err := formatIndexes(listed)
	if err != nil {
		return err
	}
	for _, text := range texts {
		if _, err := r.saveFile(ctx, indexFolder, text); err != nil {
			return err
		}
	}
	// Only those that were there before: repacking may have indexed new
	// packs on its way.
	for _, id := range p.indexes {
		if err := r.storage.Remove(ctx, fileName(indexFolder, id)); err != nil {
			return err
		}
	}
	return nil
}

func (p *pruning) removePacks(ctx context.Context) error {
	for _, pack := range slices.Concat(p.moved, p.dropped) {
		if err := p.r.storage.Remove(ctx, fileName(dataFolder, pack.id)); err != nil {
			return err
		}
	}
	for _, stray := range p.strays {
		if err := p.r.storage.Remove(ctx, stray.Name); err != nil {
			return err
		}
	}
	return nil
}
