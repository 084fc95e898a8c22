package vault

import (
	"context"
	"encoding/binary"

	"golang.org/x/sync/errgroup"

	"upkeep"
	"upkeep/internal/vault/seal"
)

// Salvage takes in the packs that no index lists: those of a writer that was
// killed, or lost its storage, before it came to write one. What they hold is
// not sent again; it is read back like what was. Lock does so by itself where
// it finds the lock of a writer that is gone.
func (r *Repository) Salvage(ctx context.Context) (err error) {
	defer upkeep.Wrap(&err, "salvage packs")
	if err := r.needLock(); err != nil {
		return err
	}
	files, err := r.packFiles(ctx)
	if err != nil {
		return err
	}
	r.mu.RLock()
	for _, id := range r.index.packs {
		delete(files, id)
	}
	r.mu.RUnlock()
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	for id, file := range files {
		group.Go(func() error {
			blobs, err := r.readHeader(groupCtx, id, file.Size)
			if err == nil && len(blobs) > 0 {
				r.stored(id, blobs)
			}
			switch upkeep.CodeOf(err) {
			case upkeep.CodeDamaged, upkeep.CodeNotFound: // nobody needs it: prune removes it
				return nil
			}
			return err
		})
	}
	return group.Wait()
}

// headerGuess is how many bytes of a pack's end hold most headers.
const headerGuess = 64 << 10

// readHeader returns what a pack of size bytes says that it holds. CodeDamaged
// when it is none.
func (r *Repository) readHeader(ctx context.Context, id ID, size int64) ([]packedBlob, error) {
	if size < headerLengthSize+seal.Overhead {
		return nil, damaged(upkeep.Causef("pack %s has %d bytes", id, size))
	}
	end, err := r.loadEnd(ctx, id, size, headerGuess)
	if err != nil {
		return nil, err
	}
	length := int64(binary.LittleEndian.Uint32(end[len(end)-headerLengthSize:])) + headerLengthSize
	if length > size {
		return nil, damaged(upkeep.Causef("pack %s: header of %d bytes", id, length))
	}
	if length > int64(len(end)) {
		if end, err = r.loadEnd(ctx, id, size, length); err != nil {
			return nil, err
		}
	}
	header, err := r.key.Open(end[int64(len(end))-length : len(end)-headerLengthSize])
	if err != nil {
		return nil, damaged(upkeep.Causef("pack %s: header: %w", id, err))
	}
	blobs, err := parseHeader(header)
	if err == nil && packSize(blobs) != size {
		err = upkeep.Causef("%d bytes: want %d", size, packSize(blobs))
	}
	if err != nil {
		return nil, damaged(upkeep.Causef("pack %s: %w", id, err))
	}
	return blobs, nil
}

func (r *Repository) loadEnd(ctx context.Context, id ID, size, length int64) ([]byte, error) {
	length = min(length, size)
	end, err := r.loadPart(ctx, id, size-length, int(length))
	if err == nil && int64(len(end)) != length {
		err = damaged(upkeep.Causef("pack %s is cut short", id))
	}
	return end, err
}

// parseHeader reads what pack.close writes.
func parseHeader(header []byte) ([]packedBlob, error) {
	var blobs []packedBlob
	offset := uint32(0)
	for len(header) > 0 {
		kind, compressed := header[0]&^compressedFlag, header[0]&compressedFlag != 0
		size := plainEntrySize
		if compressed {
			size = zippedEntrySize
		}
		if len(header) < size || kind > byte(TreeBlob) {
			return nil, upkeep.Causef("header ends within an entry of kind %d", header[0])
		}
		blob := packedBlob{offset: offset, length: binary.LittleEndian.Uint32(header[1:])}
		blob.Type = BlobType(kind)
		if compressed {
			blob.plain = binary.LittleEndian.Uint32(header[5:])
		}
		copy(blob.ID[:], header[size-len(blob.ID):size])
		blobs = append(blobs, blob)
		offset += blob.length
		header = header[size:]
	}
	return blobs, nil
}
