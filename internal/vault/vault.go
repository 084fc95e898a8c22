// Package vault makes, verifies, restores and prunes backups in repositories
// of restic's published format, version 2, so that plain restic can always
// read them.
package vault

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
)

// ID is the SHA-256 of a blob's or a file's content.
type ID [sha256.Size]byte

// String returns 64 lower-case hex digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// BlobType says what a blob holds.
type BlobType uint8

// The types, numbered as in a pack header.
const (
	DataBlob BlobType = 0 // a chunk of a file
	TreeBlob BlobType = 1 // the JSON of a folder
)

// Blobs is the half of a repository that a host may use: it never sees keys,
// packs or anything but what it asks for by content. The archive package
// reads and restores trees through it, in the same process or over a wire.
// Methods may be called concurrently.
type Blobs interface {
	// Missing returns those of ids that are not yet stored, in order.
	Missing(ctx context.Context, t BlobType, ids []ID) ([]ID, error)
	// Save stores a blob whose ID the caller computed; it is checked.
	// data may be reused after Save returns.
	Save(ctx context.Context, t BlobType, id ID, data []byte) error
	// Load returns a blob. CodeDamaged when it does not read back as it was
	// written, CodeNotFound when it was never stored.
	Load(ctx context.Context, t BlobType, id ID) ([]byte, error)
}
