package vault

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/user"
	"path"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/restic/chunker"

	"upkeep"
	"upkeep/internal/vault/seal"
)

// Repository is an open repository. It implements Blobs. Its methods may be
// called concurrently.
//
// Whoever writes holds a lock (Lock), saves blobs, calls Flush and then
// SaveSnapshot: a snapshot never appears before all it refers to is durable.
type Repository struct {
	// Clock tells the time of locks and of grace. Set it before first use.
	Clock upkeep.Clock

	storage Storage
	key     *seal.Key
	config  config
	encoder *zstd.Encoder
	decoder *zstd.Decoder
	locks   atomic.Int32 // held by this Repository

	refreshing sync.Mutex   // one at a time reads or writes index files
	saving     sync.RWMutex // read-locked while a blob is on its way into a pack

	mu       sync.RWMutex
	index    *index
	loaded   map[ID]bool         // index files that index holds; nil before the first load
	pending  map[Handle]struct{} // saved, and not yet in a stored pack
	open     [2]*pack            // being filled, by blob type
	unlisted map[ID][]packedBlob // stored packs that no index file lists yet
	written  []Handle            // since the last Flush
	failed   error               // first error of storing; every later write returns it

	distrusted map[ID]bool             // packs that were found damaged
	unproven   map[ID]bool             // packs stored by this Repository and not yet read back whole
	stores     map[*pack]chan struct{} // packs being stored; closed when each is

	storing chan struct{} // limits packs being stored, and so memory
	scratch sync.Pool     // *[]byte, for compressing and sealing
}

var _ Blobs = (*Repository)(nil)

// config is the file "config".
type config struct {
	Version    int         `json:"version"`
	ID         string      `json:"id"`
	Polynomial chunker.Pol `json:"chunker_polynomial"`
}

// keyFile is a file in keys/: the master key under a password.
type keyFile struct {
	Created  time.Time `json:"created"`
	Username string    `json:"username"`
	Hostname string    `json:"hostname"`
	KDF      string    `json:"kdf"`
	N        int       `json:"N"`
	R        int       `json:"r"`
	P        int       `json:"p"`
	Salt     []byte    `json:"salt"`
	Data     []byte    `json:"data"`
}

// Create makes a repository in storage that password opens. CodeConflict
// when there is one already: it is never overwritten.
func Create(ctx context.Context, storage Storage, password string) (_ *Repository, err error) {
	defer upkeep.Wrap(&err, "create repository")
	if password == "" {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "the password is empty")
	}
	if err := refuseExisting(ctx, storage); err != nil {
		return nil, err
	}
	polynomial, err := chunker.RandomPolynomial()
	if err != nil {
		return nil, err
	}
	var id ID
	_, _ = rand.Read(id[:]) // never fails: the runtime aborts instead
	r, err := newRepository(storage, seal.Random())
	if err != nil {
		return nil, err
	}
	r.config = config{Version: 2, ID: id.String(), Polynomial: polynomial}
	if err := r.saveKey(ctx, password); err != nil {
		return nil, err
	}
	text, err := json.Marshal(&r.config)
	if err != nil {
		return nil, err
	}
	// The config comes last: without it there is no repository, and it
	// cannot replace one that appeared meanwhile.
	return r, storage.Save(ctx, configName, r.key.Seal(nil, text))
}

// refuseExisting also refuses remains of a repository whose config was lost:
// its packs may still be worth saving.
func refuseExisting(ctx context.Context, storage Storage) error {
	exists := upkeep.Errorf(upkeep.CodeConflict, "there is a repository already").
		WithHint("Open it with its password, or choose another place.")
	_, err := storage.Stat(ctx, configName)
	if err == nil {
		return exists
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, folder := range []string{dataFolder, snapshotsFolder} {
		err := storage.List(ctx, folder, func(FileInfo) error { return exists })
		if err != nil {
			return err
		}
	}
	return nil
}

// Open opens a repository. CodeNotFound when there is none, CodeUnauthorized
// when no key fits the password.
func Open(ctx context.Context, storage Storage, password string) (_ *Repository, err error) {
	defer upkeep.Wrap(&err, "open repository")
	sealed, err := storage.Load(ctx, configName, 0, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, upkeep.Errorf(upkeep.CodeNotFound, "there is no repository: %w", err).
			WithHint("Check where the vault is kept, or create it.")
	}
	if err != nil {
		return nil, err
	}
	key, err := findKey(ctx, storage, password)
	if err != nil {
		return nil, err
	}
	r, err := newRepository(storage, key)
	if err != nil {
		return nil, err
	}
	text, err := key.Open(sealed)
	if err == nil {
		err = json.Unmarshal(text, &r.config)
	}
	if err != nil {
		return nil, upkeep.Errorf(upkeep.CodeDamaged, "config: %w", err).
			WithHint("Bring the file config back from a copy of the vault.")
	}
	return r, r.config.validate()
}

func (c *config) validate() error {
	if c.Version != 2 {
		return upkeep.Errorf(upkeep.CodeConflict, "repository format %d: want 2", c.Version).
			WithHint("Run: restic migrate upgrade_repo_v2")
	}
	if !c.Polynomial.Irreducible() {
		return upkeep.Errorf(upkeep.CodeDamaged, "chunker polynomial %v is not irreducible", c.Polynomial)
	}
	return nil
}

func newRepository(storage Storage, key *seal.Key) (*Repository, error) {
	// Fastest costs a few percent of size beside restic's default and
	// halves the time; sites are mostly images that do not shrink anyway.
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithEncoderCRC(false), zstd.WithWindowSize(512<<10))
	if err != nil {
		return nil, err
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(1<<30))
	if err != nil {
		return nil, err
	}
	return &Repository{
		Clock: time.Now, storage: storage, key: key, encoder: encoder, decoder: decoder,
		index: &index{}, pending: map[Handle]struct{}{}, unlisted: map[ID][]packedBlob{},
		unproven: map[ID]bool{}, stores: map[*pack]chan struct{}{},
		storing: make(chan struct{}, 2),
		scratch: sync.Pool{New: func() any { return new([]byte) }},
	}, nil
}

// Failed returns the error after which the Repository stores nothing more, nil
// while all is well. It still reads.
func (r *Repository) Failed() error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.failed
}

// Polynomial returns what files of this repository are cut with. It is
// secret: sizes of chunks would tell which files are stored.
func (r *Repository) Polynomial() chunker.Pol { return r.config.Polynomial }

// ID returns the repository's own 64 hex digits.
func (r *Repository) ID() string { return r.config.ID }

// AddPassword lets another password open the repository too.
func (r *Repository) AddPassword(ctx context.Context, password string) (err error) {
	defer upkeep.Wrap(&err, "add password")
	if password == "" {
		return upkeep.Errorf(upkeep.CodeInvalid, "the password is empty")
	}
	return r.saveKey(ctx, password)
}

func (r *Repository) saveKey(ctx context.Context, password string) error {
	file := keyFile{Created: r.Clock(), KDF: "scrypt", N: seal.ScryptN, R: seal.ScryptR, P: seal.ScryptP}
	file.Hostname, file.Username = whereAndWho()
	file.Salt = make([]byte, seal.SaltSize)
	_, _ = rand.Read(file.Salt) // never fails: the runtime aborts instead
	protect, err := seal.FromPassword(password, file.Salt, file.N, file.R, file.P)
	if err != nil {
		return err
	}
	text, err := r.key.Marshal()
	if err != nil {
		return err
	}
	file.Data = protect.Seal(nil, text)
	data, err := json.Marshal(&file)
	if err != nil {
		return err
	}
	return r.storage.Save(ctx, fileName(keysFolder, sha256.Sum256(data)), data)
}

// whereAndWho names this machine and user for key files, locks and
// snapshots; either may be unknown.
func whereAndWho() (host, name string) {
	host, _ = os.Hostname()
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return host, name
}

func findKey(ctx context.Context, storage Storage, password string) (*seal.Key, error) {
	var found *seal.Key
	var unusable error
	stop := errors.New("found")
	err := storage.List(ctx, keysFolder, func(info FileInfo) error {
		key, err := tryKey(ctx, storage, info.Name, password)
		if errors.Is(err, seal.ErrForged) {
			return nil // another password's key
		}
		if err != nil {
			// One that is damaged must not keep the others from opening.
			unusable = errors.Join(unusable, err)
			return ctx.Err()
		}
		found = key
		return stop
	})
	if found != nil {
		return found, nil
	}
	if err = errors.Join(err, unusable); err == nil {
		err = upkeep.Errorf(upkeep.CodeUnauthorized, "no key fits the password").
			WithHint("Check the vault's password.")
	}
	return nil, err
}

func tryKey(ctx context.Context, storage Storage, name, password string) (*seal.Key, error) {
	data, err := storage.Load(ctx, name, 0, 0)
	if err != nil {
		return nil, err
	}
	var file keyFile
	if err := json.Unmarshal(data, &file); err != nil || file.KDF != "scrypt" {
		return nil, upkeep.Errorf(upkeep.CodeDamaged, "%s is not a key file", name)
	}
	// Bounds on what a planted key file may make us spend: 1 GiB at most.
	if file.N < 2 || file.N > 1<<22 || file.R < 1 || file.R > (1<<23)/file.N || file.P < 1 || file.P > 64 {
		return nil, upkeep.Errorf(upkeep.CodeDamaged, "%s asks for too much work", name)
	}
	protect, err := seal.FromPassword(password, file.Salt, file.N, file.R, file.P)
	if err != nil {
		return nil, err
	}
	text, err := protect.Open(file.Data)
	if err != nil {
		return nil, err
	}
	return seal.Unmarshal(text)
}

// compressedJSON marks the text of an unpacked file as compressed.
const compressedJSON = 2

// saveFile stores text as an index, lock or snapshot file and returns its ID.
func (r *Repository) saveFile(ctx context.Context, folder string, text []byte) (ID, error) {
	data := r.key.Seal(nil, r.encoder.EncodeAll(text, []byte{compressedJSON}))
	id := ID(sha256.Sum256(data))
	return id, r.storage.Save(ctx, fileName(folder, id), data)
}

// repairs says what to do about a damaged file of a folder.
var repairs = map[string]upkeep.Phrase{
	indexFolder:     "Run restic repair index on the vault (restic rebuild-index before 0.16): it is made again from the packs.",
	locksFolder:     "Run restic unlock --remove-all on the vault when nothing else works in it.",
	snapshotsFolder: "Bring the file back from a copy of the vault. Without one that backup is lost: move the file away.",
}

// loadFile returns the text of an index, lock or snapshot file.
func (r *Repository) loadFile(ctx context.Context, folder string, id ID) (text []byte, err error) {
	defer upkeep.Wrap(&err, "%s/%s", folder, id)
	data, err := r.storage.Load(ctx, fileName(folder, id), 0, 0)
	if err != nil {
		return nil, err
	}
	if sha256.Sum256(data) != id {
		return nil, upkeep.Errorf(upkeep.CodeDamaged, "content does not match the name").WithHint("%s", repairs[folder])
	}
	if text, err = r.key.Open(data); err != nil {
		return nil, upkeep.Errorf(upkeep.CodeDamaged, "%w", err).WithHint("%s", repairs[folder])
	}
	switch {
	case len(text) == 0 || text[0] == '{' || text[0] == '[':
		return text, nil
	case text[0] == compressedJSON:
		return r.decoder.DecodeAll(text[1:], nil)
	}
	return nil, upkeep.Errorf(upkeep.CodeDamaged, "encoding %d is unknown", text[0])
}

// listIDs returns the IDs of the files in a folder; names that are no IDs
// are none of ours.
func (r *Repository) listIDs(ctx context.Context, folder string) ([]ID, error) {
	var ids []ID
	err := r.storage.List(ctx, folder, func(info FileInfo) error {
		if id, err := ParseID(path.Base(info.Name)); err == nil {
			ids = append(ids, id)
		}
		return nil
	})
	return ids, err
}

// needLock refuses to write without a lock, a mistake of the caller that
// would let a prune elsewhere remove what is being written.
func (r *Repository) needLock() error {
	if r.locks.Load() == 0 {
		return upkeep.Causef("vault: write without a lock")
	}
	return nil
}
