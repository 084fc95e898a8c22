package app

import (
	"context"
	"slices"
	"time"

	"upkeep"
	"upkeep/internal/custody"
	"upkeep/internal/web"
)

// vaults looks after the place of the vault, and gives out its password.
type vaults struct{ *app }

var _ web.Vaults = vaults{}

// VaultPassword notes who asked before it answers: the ledger has it even
// when the answer is lost on the way.
func (v vaults) VaultPassword(ctx context.Context, actor string) (string, error) {
	password, err := v.custody.Password(ctx)
	if upkeep.CodeOf(err) == upkeep.CodeNotFound {
		return "", upkeep.Errorf(upkeep.CodeNotFound, "there is no vault yet").WithHint("The first backup makes it.")
	}
	if err != nil {
		return "", err
	}
	if _, err := v.ledger.Append(ctx, upkeep.LedgerEntry{Actor: actor, Kind: "vault_password_shown"}); err != nil {
		return "", err
	}
	return password, nil
}

// Vault says where the vault is.
func (v vaults) Vault(ctx context.Context) (*web.Vault, error) {
	place, err := v.custody.Place(ctx)
	if err != nil {
		return nil, err
	}
	return shown(place), nil
}

func shown(place *custody.Place) *web.Vault {
	return &web.Vault{URL: place.String(), Kind: string(place.Kind), Restic: place.Restic(), AccessKey: place.AccessKey, Keys: place.Keys}
}

// CheckVault goes to the vault.
func (v vaults) CheckVault(ctx context.Context) (*web.VaultCheck, error) {
	checked, err := v.custody.CheckVault(ctx)
	if err != nil {
		return nil, err
	}
	return &web.VaultCheck{Vault: *shown(checked.Place), Snapshots: checked.Snapshots, Took: upkeep.Duration(checked.Took.Round(time.Millisecond))}, nil
}

// placeOf is the place that a request means.
func placeOf(req web.UseVaultRequest) (*custody.Place, error) {
	at, err := upkeep.ParseStorage(req.URL)
	if err != nil {
		return nil, err
	}
	if at.Kind == upkeep.S3Storage && (req.AccessKey == "" || req.SecretKey == "") {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "S3 needs an access key and a secret key").
			WithHint("Give --access-key, and the other by --secret-file or in AWS_SECRET_ACCESS_KEY.")
	}
	return &custody.Place{Storage: *at, AccessKey: req.AccessKey, SecretKey: req.SecretKey}, nil
}

// StorageKeys returns the keys that the hops to a storage present.
func (v vaults) StorageKeys(ctx context.Context, req web.UseVaultRequest) ([]web.HostKey, error) {
	place, err := placeOf(req)
	if err != nil {
		return nil, err
	}
	keys, err := v.custody.LearnPlace(ctx, place, req.Fingerprints)
	shown := make([]web.HostKey, len(keys))
	for i, key := range keys {
		shown[i] = web.HostKey{HostKey: key, Confirmed: slices.Contains(req.Fingerprints, key.Fingerprint)}
	}
	return shown, err
}

// UseVault has the vault at another storage, whose keys must be confirmed.
func (v vaults) UseVault(ctx context.Context, actor string, req web.UseVaultRequest, progress func(upkeep.Progress)) (*web.Vault, error) {
	place, err := placeOf(req)
	if err != nil {
		return nil, err
	}
	if place.Keys, err = v.custody.LearnPlace(ctx, place, req.Fingerprints); err != nil {
		return nil, err
	}
	if err := upkeep.Unconfirmed(place.Keys, req.Fingerprints); err != nil {
		return nil, err
	}
	before, err := v.custody.Place(ctx)
	if err != nil {
		return nil, err
	}
	if req.Move {
		err = v.custody.MoveVault(ctx, place, progress)
	} else {
		err = v.custody.UsePlace(ctx, place)
	}
	if err != nil {
		return nil, err
	}
	_, err = v.ledger.Append(ctx, upkeep.LedgerEntry{Actor: actor, Kind: "vault_used",
		Facts: map[string]any{"from": before.String(), "to": place.String(), "moved": req.Move}})
	return shown(place), err
}
