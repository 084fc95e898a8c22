// Package secret keeps credentials at rest: it seals bytes for the identity in
// one key file, generates passwords, and holds secret texts in a type that
// does not print.
package secret

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"

	"upkeep"
)

// Keeper seals and opens with the identity of one key file. Its methods may
// be called concurrently.
type Keeper struct {
	identity *age.X25519Identity
}

// OpenKeeper reads the key file at path, which must be absolute, and makes
// it, with its folder, when there is none. CodeUnauthorized when others than
// its owner may read it, CodeDamaged when it holds no key. Of several
// processes that make it at once, one wins and all read the same key.
func OpenKeeper(path string) (_ *Keeper, err error) {
	defer upkeep.Wrap(&err, "open key %s", path)
	if !filepath.IsAbs(path) {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "the path is not absolute")
	}
	identity, err := readIdentity(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := createIdentity(path); err != nil {
			return nil, err
		}
		identity, err = readIdentity(path)
	}
	if err != nil {
		return nil, err
	}
	return &Keeper{identity}, nil
}

// Seal encrypts plain. Two seals of the same bytes differ.
func (k *Keeper) Seal(plain []byte) (sealed []byte, err error) {
	defer upkeep.Wrap(&err, "seal")
	var out bytes.Buffer
	w, err := age.Encrypt(&out, k.identity.Recipient())
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Open decrypts what Seal gave. CodeDamaged when it was changed or sealed for
// another key.
func (k *Keeper) Open(sealed []byte) (plain []byte, err error) {
	r, err := age.Decrypt(bytes.NewReader(sealed), k.identity)
	if err == nil {
		plain, err = io.ReadAll(r)
	}
	if err != nil {
		return nil, upkeep.Errorf(upkeep.CodeDamaged, "a sealed secret does not open with this key: %w", err).
			WithHint("Check that the key file is the one this state folder was made with.")
	}
	return plain, nil
}

// SigningKey returns the key that signs for purpose, such as "ledger". It is
// derived from the identity, so that one file is all there is to keep: whoever
// has it can sign, and losing it loses no signature already made.
func (k *Keeper) SigningKey(purpose string) (ed25519.PrivateKey, error) {
	seed, err := hkdf.Key(sha256.New, []byte(k.identity.String()), nil, "upkeep signing key: "+purpose, ed25519.SeedSize)
	if err != nil {
		return nil, err
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

func readIdentity(path string) (*age.X25519Identity, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if mode := info.Mode(); !mode.IsRegular() || mode.Perm()&0o077 != 0 {
		return nil, upkeep.Errorf(upkeep.CodeUnauthorized, "mode %v lets others than the owner use it", mode).
			WithHint("If nobody else had access, run: chmod 600 %s", path)
	}
	text, err := io.ReadAll(io.LimitReader(file, 4096))
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		identity, err := age.ParseX25519Identity(line)
		if err != nil {
			break // its text could quote the key
		}
		return identity, nil
	}
	return nil, upkeep.Errorf(upkeep.CodeDamaged, "it holds no age identity").
		WithHint("Restore the key file from its copy; without it the stored credentials cannot be read.")
}

// createIdentity writes a new key beside path and links it there, so that the
// file is never seen half written and an existing one is never replaced.
func createIdentity(path string) (err error) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return err
	}
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(folder, ".key-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(file.Name())) }()
	_, err = file.WriteString("# Opens all credentials of upkeep. Keep a copy away from this machine.\n# public key: " +
		identity.Recipient().String() + "\n" + identity.String() + "\n")
	if err == nil {
		err = file.Sync()
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := os.Link(file.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncFolder(folder)
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
