package app

import (
	"context"

	"upkeep"
)

// vaults gives out the vault's password.
type vaults struct{ *app }

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
