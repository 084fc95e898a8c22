package vault

import (
	"crypto/sha256"
	"encoding/binary"

	"upkeep/internal/vault/seal"
)

// Handle names a blob.
type Handle struct {
	Type BlobType
	ID   ID
}

// String returns the type and the ID.
func (h Handle) String() string { return h.Type.String() + " " + h.ID.String() }

// String returns the type as index files write it.
func (t BlobType) String() string {
	if t == TreeBlob {
		return "tree"
	}
	return "data"
}

// packedBlob says where in a pack a blob is.
type packedBlob struct {
	Handle
	offset uint32
	length uint32 // as stored, sealed
	plain  uint32 // before compression, 0 when not compressed
}

const (
	compressedFlag   = 0b10 // of the type byte in a header
	plainEntrySize   = 1 + 4 + sha256.Size
	zippedEntrySize  = plainEntrySize + 4
	headerLengthSize = 4
	// packTarget is the size from which a pack is closed. It trades the
	// number of files against the work of repacking.
	packTarget = 16 << 20
	// packRoom is what a pack has room for without growing: its last blob and
	// its header go beyond the target.
	packRoom = packTarget + packTarget/8
)

// pack is a pack being filled. Its bytes stay in memory until it is stored.
type pack struct {
	data  []byte
	blobs []packedBlob
}

// add appends a sealed blob.
func (p *pack) add(h Handle, sealed []byte, plain int) {
	p.blobs = append(p.blobs, packedBlob{
		Handle: h, offset: uint32(len(p.data)), length: uint32(len(sealed)), plain: uint32(plain),
	})
	p.data = append(p.data, sealed...)
}

// close appends the header and returns the pack's ID.
func (p *pack) close(key *seal.Key) ID {
	header := make([]byte, 0, len(p.blobs)*zippedEntrySize)
	for i := range p.blobs {
		blob := &p.blobs[i]
		kind := byte(blob.Type)
		if blob.plain != 0 {
			kind |= compressedFlag
		}
		header = append(header, kind)
		header = binary.LittleEndian.AppendUint32(header, blob.length)
		if blob.plain != 0 {
			header = binary.LittleEndian.AppendUint32(header, blob.plain)
		}
		header = append(header, blob.ID[:]...)
	}
	start := len(p.data)
	p.data = key.Seal(p.data, header)
	p.data = binary.LittleEndian.AppendUint32(p.data, uint32(len(p.data)-start))
	return sha256.Sum256(p.data)
}

// packSize returns the size of a pack file that holds exactly blobs.
func packSize(blobs []packedBlob) int64 {
	size := int64(seal.Overhead + headerLengthSize)
	for i := range blobs {
		size += int64(blobs[i].length) + plainEntrySize
		if blobs[i].plain != 0 {
			size += zippedEntrySize - plainEntrySize
		}
	}
	return size
}
