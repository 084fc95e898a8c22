package vault

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"

	"upkeep"
)

// indexLimit is the number of blobs one index file lists at most, as restic
// has it, so that no file grows beyond a few megabytes.
const indexLimit = 50_000

// index finds blobs in packs. It keeps about 56 bytes a blob: entries in the
// order they came, and a hash table of their numbers. The same blob may be in
// several packs. It is not safe for concurrent writing.
type index struct {
	packs   []ID
	entries []indexEntry
	slots   []uint32 // entry number + 1, 0 when free; length a power of two
}

type indexEntry struct {
	id     ID
	pack   uint32 // number in packs, the top bit is the blob type
	offset uint32
	length uint32
	plain  uint32
}

const treeBit = 1 << 31

// addPack adds the blobs of a pack.
func (x *index) addPack(id ID, blobs []packedBlob) {
	number := uint32(len(x.packs))
	x.packs = append(x.packs, id)
	x.reserve(len(blobs))
	for i := range blobs {
		b := &blobs[i]
		entry := indexEntry{id: b.ID, pack: number, offset: b.offset, length: b.length, plain: b.plain}
		if b.Type == TreeBlob {
			entry.pack |= treeBit
		}
		x.entries = append(x.entries, entry)
		x.link(uint32(len(x.entries)))
	}
}

// reserve keeps the table at most three quarters full with n more entries.
func (x *index) reserve(n int) {
	want := len(x.entries) + n
	if want*4 <= len(x.slots)*3 {
		return
	}
	size := max(1024, len(x.slots))
	for want*4 > size*3 {
		size *= 2
	}
	x.slots = make([]uint32, size)
	for i := range x.entries {
		x.link(uint32(i + 1))
	}
}

func (x *index) link(number uint32) {
	mask := uint32(len(x.slots) - 1)
	at := x.hash(&x.entries[number-1].id) & mask
	for x.slots[at] != 0 {
		at = (at + 1) & mask
	}
	x.slots[at] = number
}

// hash takes bits of the ID, which is a hash already.
func (x *index) hash(id *ID) uint32 { return binary.LittleEndian.Uint32(id[:4]) }

// location is one place where a blob is stored.
type location struct {
	pack ID
	packedBlob
}

// find calls yield for each place a blob is stored, until it returns false.
func (x *index) find(h Handle, yield func(location) bool) {
	if len(x.slots) == 0 {
		return
	}
	mask := uint32(len(x.slots) - 1)
	for at := x.hash(&h.ID) & mask; x.slots[at] != 0; at = (at + 1) & mask {
		e := &x.entries[x.slots[at]-1]
		if e.id != h.ID || (e.pack&treeBit != 0) != (h.Type == TreeBlob) {
			continue
		}
		place := location{x.packs[e.pack&^treeBit], packedBlob{h, e.offset, e.length, e.plain}}
		if !yield(place) {
			return
		}
	}
}

// has reports whether a blob is stored.
func (x *index) has(h Handle) bool {
	found := false
	x.find(h, func(location) bool {
		found = true
		return false
	})
	return found
}

// The JSON of an index file.
type (
	indexFile struct {
		Packs []indexPack `json:"packs"`
	}
	indexPack struct {
		ID    ID          `json:"id"`
		Blobs []indexBlob `json:"blobs"`
	}
	indexBlob struct {
		ID     ID       `json:"id"`
		Type   BlobType `json:"type"`
		Offset uint32   `json:"offset"`
		Length uint32   `json:"length"`
		Plain  uint32   `json:"uncompressed_length,omitempty"`
	}
)

// MarshalText writes 64 hex digits.
func (id ID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, id[:]), nil }

// UnmarshalText reads 64 hex digits.
func (id *ID) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(id)) {
		return upkeep.Causef("id %q: want 64 hex digits", text)
	}
	_, err := hex.Decode(id[:], text)
	return err
}

// ParseID reads 64 hex digits.
func ParseID(text string) (id ID, err error) {
	err = id.UnmarshalText([]byte(text))
	return id, err
}

// MarshalText writes "data" or "tree".
func (t BlobType) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads "data" or "tree".
func (t *BlobType) UnmarshalText(text []byte) error {
	switch string(text) {
	case "data":
		*t = DataBlob
	case "tree":
		*t = TreeBlob
	default:
		return upkeep.Causef("blob type %q", text)
	}
	return nil
}

func (b *indexBlob) packed() packedBlob {
	return packedBlob{Handle{b.Type, b.ID}, b.Offset, b.Length, b.Plain}
}

// parseIndex reads an index file into packs.
func parseIndex(text []byte, add func(pack ID, blobs []packedBlob)) error {
	var file indexFile
	if err := json.Unmarshal(text, &file); err != nil {
		return err
	}
	for i := range file.Packs {
		blobs := make([]packedBlob, len(file.Packs[i].Blobs))
		for j := range blobs {
			blobs[j] = file.Packs[i].Blobs[j].packed()
		}
		add(file.Packs[i].ID, blobs)
	}
	return nil
}

// formatIndexes writes packs as the text of as few index files as the limit
// allows. A pack is never split between two.
func formatIndexes(packs map[ID][]packedBlob) ([][]byte, error) {
	var texts [][]byte
	var file indexFile
	count := 0
	emit := func() error {
		text, err := json.Marshal(&file)
		texts = append(texts, text)
		file, count = indexFile{}, 0
		return err
	}
	for _, id := range slices.SortedFunc(maps.Keys(packs), compareIDs) {
		listed := indexPack{ID: id}
		for i := range packs[id] {
			b := &packs[id][i]
			listed.Blobs = append(listed.Blobs, indexBlob{b.ID, b.Type, b.offset, b.length, b.plain})
		}
		file.Packs = append(file.Packs, listed)
		if count += len(listed.Blobs); count >= indexLimit {
			if err := emit(); err != nil {
				return nil, err
			}
		}
	}
	if len(file.Packs) == 0 {
		return texts, nil
	}
	err := emit()
	return texts, err
}

func compareIDs(a, b ID) int { return slices.Compare(a[:], b[:]) }
