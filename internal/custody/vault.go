package custody

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"os"
	"time"

	"upkeep"
	"upkeep/internal/vault"
	"upkeep/internal/vault/link"
	"upkeep/internal/vault/local"
	"upkeep/internal/vault/s3"
	"upkeep/internal/vault/sftp"
)

// The names, among the secrets, of the vault's password and of its place.
const (
	secretVault = "vault"
	secretPlace = "vault place"
)

// Place is where the vault is, and what lets us in there.
type Place struct {
	upkeep.Storage
	AccessKey  string           `json:"access_key,omitempty"` // of S3
	SecretKey  string           `json:"secret_key,omitempty"`
	Keys       []upkeep.HostKey `json:"host_keys,omitempty"`  // by SFTP, of all hops
	Repository string           `json:"repository,omitempty"` // that is there
}

// host is the machine of a place by SFTP.
func (p *Place) host() *upkeep.Host {
	return &upkeep.Host{Name: p.At.Address, At: p.At, Keys: p.Keys}
}

// opened is the vault as it is open.
type opened struct {
	sealed     []byte // place that it is at
	storage    vault.Storage
	repository *vault.Repository
}

// Place returns where the vault is: what was chosen last, or the folder that
// the configuration names.
func (c *Custody) Place(ctx context.Context) (*Place, error) {
	sealed, err := c.sealedPlace(ctx)
	if err != nil {
		return nil, err
	}
	return c.placeOf(sealed)
}

func (c *Custody) sealedPlace(ctx context.Context) ([]byte, error) {
	sealed, err := c.Secrets.Secret(ctx, secretPlace)
	if upkeep.CodeOf(err) == upkeep.CodeNotFound {
		return nil, nil
	}
	return sealed, err
}

func (c *Custody) placeOf(sealed []byte) (*Place, error) {
	if sealed == nil {
		return &Place{Storage: upkeep.Storage{Kind: upkeep.FolderStorage, Path: c.VaultDir}}, nil
	}
	text, err := c.Sealer.Open(sealed)
	if err != nil {
		return nil, err
	}
	place := &Place{}
	return place, json.Unmarshal(text, place)
}

// storage returns the storage at a place. It connects to nothing yet.
func (c *Custody) storage(place *Place) (vault.Storage, error) {
	switch place.Kind {
	case upkeep.S3Storage:
		bucket, err := s3.Open(&place.Storage, s3.Keys{Access: place.AccessKey, Secret: place.SecretKey}, c.Upload)
		return &link.Storage{Under: bucket, Pace: c.Upload}, err
	case upkeep.SFTPStorage:
		folder := sftp.Open(place.Path, func(ctx context.Context) (io.ReadWriteCloser, error) {
			stream, err := c.Remote.Subsystem(ctx, place.host(), "sftp")
			if err != nil {
				return nil, err
			}
			return c.Upload.Stream(stream), nil
		})
		return &link.Storage{Under: folder, Pace: c.Upload}, nil
	}
	return local.Dir(place.Path), nil
}

// Password returns the vault's password, CodeNotFound before there is a vault.
func (c *Custody) Password(ctx context.Context) (string, error) {
	sealed, err := c.Secrets.Secret(ctx, secretVault)
	if err != nil {
		return "", err
	}
	plain, err := c.Sealer.Open(sealed)
	return string(plain), err
}

// password is Password, and chooses one when there is none.
func (c *Custody) password(ctx context.Context) (string, error) {
	password, err := c.Password(ctx)
	if upkeep.CodeOf(err) == upkeep.CodeNotFound {
		return c.choosePassword(ctx)
	}
	return password, err
}

// choosePassword keeps a new password before anything is encrypted with it.
// When another process was faster, its password counts.
func (c *Custody) choosePassword(ctx context.Context) (string, error) {
	password := c.NewPassword()
	sealed, err := c.Sealer.Seal([]byte(password))
	if err != nil {
		return "", err
	}
	err = c.Secrets.CreateSecret(ctx, secretVault, sealed)
	if upkeep.CodeOf(err) == upkeep.CodeConflict {
		return c.Password(ctx)
	}
	return password, err
}

// vault opens the repository, making it when there is none. Whoever chooses
// another place, in another process too, has it opened there.
func (c *Custody) vault(ctx context.Context) (_ *vault.Repository, err error) {
	defer upkeep.Wrap(&err, "open the vault")
	select {
	case c.opening <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-c.opening }()
	sealed, err := c.sealedPlace(ctx)
	if err != nil {
		return nil, err
	}
	place, now := (*Place)(nil), c.open
	if now == nil || !bytes.Equal(now.sealed, sealed) {
		now = &opened{sealed: sealed}
	}
	// One that could not store something, on a full disk, stores nothing more:
	// whoever comes next gets a new one.
	failed := now.repository != nil && now.repository.Failed() != nil
	if now.repository != nil && !failed {
		return now.repository, nil
	}
	if place, err = c.placeOf(sealed); err != nil {
		return nil, err
	}
	if now.storage == nil {
		if now.storage, err = c.storage(place); err != nil {
			return nil, err
		}
	}
	repository, err := c.openAt(ctx, place, now.storage, place.Repository == "")
	if err == nil && failed {
		err = salvage(ctx, repository)
	}
	if err != nil {
		return nil, err
	}
	c.open = &opened{sealed, now.storage, repository}
	return repository, nil
}

// lockVault opens the vault and locks it to write. Who waited for the lock while
// the vault was moved away gets it where it is now.
func (c *Custody) lockVault(ctx context.Context) (_ *vault.Repository, held context.Context, release func(), err error) {
	for {
		repository, err := c.vault(ctx)
		if err != nil {
			return nil, nil, nil, err
		}
		held, release, err := repository.Lock(ctx)
		if err != nil {
			return nil, nil, nil, err
		}
		now, err := c.vault(ctx)
		if err == nil && now == repository {
			return repository, held, release, nil
		}
		release()
		if err != nil {
			return nil, nil, nil, err
		}
	}
}

// salvage takes in what was stored before a storage failed.
func salvage(ctx context.Context, repository *vault.Repository) error {
	held, release, err := repository.Lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	return repository.Salvage(held)
}

// openAt opens the repository at a place, and may make one. It must not where
// one is known to have been: whoever mounted nothing there, or emptied it, is
// told.
func (c *Custody) openAt(ctx context.Context, place *Place, storage vault.Storage, create bool) (*vault.Repository, error) {
	password, err := c.password(ctx)
	if err != nil {
		return nil, err
	}
	repository, err := vault.Open(ctx, storage, password)
	if upkeep.CodeOf(err) != upkeep.CodeNotFound || !create {
		return repository, err
	}
	// Of several processes that want it at once, one makes it and the others open
	// what it made.
	release, err := c.alone(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	repository, err = vault.Open(ctx, storage, password)
	if upkeep.CodeOf(err) != upkeep.CodeNotFound {
		return repository, err
	}
	if place.Kind == upkeep.FolderStorage {
		if err := os.MkdirAll(place.Path, 0o700); err != nil {
			return nil, err
		}
	}
	return vault.Create(ctx, storage, password)
}

const (
	vaultLease = 30 * time.Second // longer than making a repository takes
	vaultRetry = 100 * time.Millisecond
)

// alone waits until no other process makes the vault.
func (c *Custody) alone(ctx context.Context) (release func(), err error) {
	if c.Leases == nil {
		return func() {}, nil
	}
	holder := rand.Text() // unlike any other
	for {
		err := c.Leases.AcquireLease(ctx, secretVault, holder, vaultLease)
		if err == nil {
			return func() { _ = c.Leases.ReleaseLease(context.WithoutCancel(ctx), secretVault, holder) }, nil // it expires by itself
		}
		if upkeep.CodeOf(err) != upkeep.CodeConflict {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(vaultRetry):
		}
	}
}
