package store

import (
	"context"

	"upkeep"
	"upkeep/internal/store/records"
)

// Secret returns the sealed bytes kept under name, such as "vault/3".
func (db *DB) Secret(ctx context.Context, name string) (sealed []byte, err error) {
	err = db.records.Read(ctx, func(tx *records.Tx) error {
		row := tx.QueryRowContext(ctx, `SELECT sealed FROM secret WHERE name = $1`, name)
		sealed, err = records.Single(row, records.One[[]byte], "secret", name)
		return err
	})
	return sealed, err
}

// CreateSecret keeps sealed bytes under a new name. CodeConflict when the
// name is taken: what opens backups is never overwritten.
func (db *DB) CreateSecret(ctx context.Context, name string, sealed []byte) (err error) {
	defer upkeep.Wrap(&err, "create secret %s", name)
	return db.records.Write(ctx, func(tx *records.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO secret (name, sealed) VALUES ($1, $2)`, name, sealed)
		return err
	})
}

// DeleteSecret forgets a secret.
func (db *DB) DeleteSecret(ctx context.Context, name string) (err error) {
	defer upkeep.Wrap(&err, "delete secret %s", name)
	return db.records.Write(ctx, func(tx *records.Tx) error {
		deleted, err := records.Changed(tx.ExecContext(ctx, `DELETE FROM secret WHERE name = $1`, name))
		if err == nil && !deleted {
			return upkeep.Errorf(upkeep.CodeNotFound, "secret %s does not exist", name)
		}
		return err
	})
}
