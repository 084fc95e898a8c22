package feed

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"upkeep"
)

// Keys are those that a publisher signs its packages with, by OpenPGP.
type Keys struct{ ring openpgp.EntityList }

// ReadKeys reads a file of public keys, as text or not. CodeInvalid when it holds
// none.
func ReadKeys(path string) (_ *Keys, err error) {
	defer upkeep.Wrap(&err, "keys in %s", path)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "%w", err)
	}
	ring, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(text))
	if err != nil {
		ring, err = openpgp.ReadKeyRing(bytes.NewReader(text))
	}
	if err != nil || len(ring) == 0 {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "no OpenPGP keys").
			WithHint("Put the publisher's public keys there, as gpg --export writes them.")
	}
	return &Keys{ring}, nil
}

// Bounds of a signature, and how long one that was fetched is good: the package
// that it is of does not change.
const (
	maxSignature = 64 << 10
	signatureAge = 365 * 24 * time.Hour
)

// signed checks that a package is signed by one of keys. CodeRefused when it is
// not.
func (p *Packages) signed(ctx context.Context, keys *Keys, address, path string) error {
	answer, err := p.client.Ask(ctx, Request{URL: address, MaxAge: signatureAge, Limit: maxSignature, Valid: func(entry *Entry) error {
		if entry.Status != http.StatusOK {
			return upkeep.Errorf(upkeep.CodeRefused, "the package has no signature (status %d)", entry.Status)
		}
		return nil
	}})
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	check := openpgp.CheckDetachedSignature
	if bytes.HasPrefix(bytes.TrimSpace(answer.Body), []byte("-----BEGIN")) {
		check = openpgp.CheckArmoredDetachedSignature
	}
	if _, err := check(keys.ring, f, bytes.NewReader(answer.Body), &packet.Config{Time: p.client.clock}); err != nil {
		return upkeep.Errorf(upkeep.CodeRefused, "the signature of the package is not valid: %w", err).
			WithHint("When the publisher has new keys, add them to the file that config.json names.")
	}
	return nil
}
