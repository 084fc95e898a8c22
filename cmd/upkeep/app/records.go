package app

import (
	"context"
	"path/filepath"

	"upkeep"
	"upkeep/internal/store"
)

// recordsOf says where the records are.
func recordsOf(c Config) store.Config {
	return store.Config{Path: filepath.Join(c.Dir, "upkeep.db"), URL: c.Database.Reveal()}
}

// keyMark is a secret that says nothing: whoever opens it has the key that
// sealed all others of these records.
const keyMark = "key"

// checkKey refuses records that several machines share to one whose state
// folder has another key: what it would seal no other could open.
func (a *app) checkKey(ctx context.Context) error {
	if a.Database.Reveal() == "" {
		return nil
	}
	sealed, err := a.keeper.Seal([]byte(keyMark))
	if err != nil {
		return err
	}
	err = a.db.CreateSecret(ctx, keyMark, sealed)
	if upkeep.CodeOf(err) != upkeep.CodeConflict {
		return err
	}
	if sealed, err = a.db.Secret(ctx, keyMark); err != nil {
		return err
	}
	if _, err := a.keeper.Open(sealed); err != nil {
		return upkeep.Errorf(upkeep.CodeConflict, "the key in %s is not that of these records", a.Dir).
			WithHint("Copy the file key from the state folder of a machine that uses the same database.")
	}
	return nil
}
