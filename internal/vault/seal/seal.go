// Package seal encrypts and authenticates what a repository holds, as restic's
// format prescribes: AES-256 in counter mode, Poly1305-AES over the result, and
// keys that are kept sealed with one derived from a password.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"errors"

	//lint:ignore SA1019 the format prescribes Poly1305-AES
	"golang.org/x/crypto/poly1305"
	"golang.org/x/crypto/scrypt"

	"upkeep"
)

const (
	ivSize = aes.BlockSize
	// Overhead is what encryption adds to a text: IV and tag.
	Overhead = ivSize + poly1305.TagSize
	// SaltSize is that of the salt beside a key sealed with a password.
	SaltSize = 64

	// The cost of guessing a password: 32 MiB and about a quarter second of
	// one core. The format stores it, so it may change.
	ScryptN, ScryptR, ScryptP = 1 << 15, 8, 3
)

// ErrForged tells of a text that was changed, or sealed with another key. The
// two cannot be told apart.
var ErrForged = errors.New("authentication tag does not match")

// Key encrypts and authenticates everything in a repository.
type Key struct {
	encrypt [32]byte
	macK    [16]byte
	macR    [16]byte
	block   cipher.Block // of encrypt
	macAES  cipher.Block // of macK
}

// masterKeyJSON is the key as key files hold it.
type masterKeyJSON struct {
	MAC struct {
		K []byte `json:"k"`
		R []byte `json:"r"`
	} `json:"mac"`
	Encrypt []byte `json:"encrypt"`
}

// newMasterKey takes 64 bytes: AES-256 key, AES-128 key of the MAC, r of the
// MAC.
func newMasterKey(material []byte) *Key {
	k := &Key{}
	copy(k.encrypt[:], material[:32])
	copy(k.macK[:], material[32:48])
	copy(k.macR[:], material[48:64])
	// The sizes are right by construction, so neither call returns an error.
	k.block, _ = aes.NewCipher(k.encrypt[:])
	k.macAES, _ = aes.NewCipher(k.macK[:])
	return k
}

// Random makes the key of a new repository.
func Random() *Key {
	material := make([]byte, 64)
	_, _ = rand.Read(material) // never fails: the runtime aborts instead
	return newMasterKey(material)
}

// Marshal writes the key as key files hold it. It must be sealed before it is
// stored.
func (k *Key) Marshal() ([]byte, error) {
	var out masterKeyJSON
	out.MAC.K, out.MAC.R, out.Encrypt = k.macK[:], k.macR[:], k.encrypt[:]
	return json.Marshal(out)
}

// Unmarshal reads what marshal wrote. CodeDamaged when its parts have
// other sizes.
func Unmarshal(data []byte) (*Key, error) {
	var in masterKeyJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return nil, err
	}
	if len(in.Encrypt) != 32 || len(in.MAC.K) != 16 || len(in.MAC.R) != 16 {
		return nil, upkeep.Errorf(upkeep.CodeDamaged, "master key has the wrong size")
	}
	material := append(append(append([]byte(nil), in.Encrypt...), in.MAC.K...), in.MAC.R...)
	return newMasterKey(material), nil
}

// Seal appends the encrypted and authenticated text to dst. dst and text
// must not overlap.
func (k *Key) Seal(dst, text []byte) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, ivSize)...)
	iv := dst[start:]
	_, _ = rand.Read(iv) // never fails: the runtime aborts instead
	dst = append(dst, text...)
	body := dst[start+ivSize:]
	cipher.NewCTR(k.block, dst[start:start+ivSize]).XORKeyStream(body, body)
	tag := k.tag(body, dst[start:start+ivSize])
	return append(dst, tag[:]...)
}

// Open authenticates and decrypts sealed in place and returns the text,
// which shares its memory.
func (k *Key) Open(sealed []byte) ([]byte, error) {
	if len(sealed) < Overhead {
		return nil, ErrForged
	}
	iv, rest := sealed[:ivSize], sealed[ivSize:]
	body, given := rest[:len(rest)-poly1305.TagSize], rest[len(rest)-poly1305.TagSize:]
	oneTime := k.oneTimeKey(iv)
	if !poly1305.Verify((*[poly1305.TagSize]byte)(given), body, &oneTime) {
		return nil, ErrForged
	}
	cipher.NewCTR(k.block, iv).XORKeyStream(body, body)
	return body, nil
}

// tag authenticates an encrypted body.
func (k *Key) tag(body, iv []byte) (tag [poly1305.TagSize]byte) {
	oneTime := k.oneTimeKey(iv)
	poly1305.Sum(&tag, body, &oneTime)
	return tag
}

// oneTimeKey returns r followed by the encrypted nonce, as Poly1305-AES
// prescribes.
func (k *Key) oneTimeKey(iv []byte) (key [32]byte) {
	copy(key[:16], k.macR[:])
	k.macAES.Encrypt(key[16:], iv)
	return key
}

// FromPassword derives the key that protects a master key.
func FromPassword(password string, salt []byte, n, r, p int) (*Key, error) {
	material, err := scrypt.Key([]byte(password), salt, n, r, p, 64)
	if err != nil {
		return nil, err
	}
	return newMasterKey(material), nil
}
