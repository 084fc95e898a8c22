package records

import (
	"context"
	"io/fs"
	"path"
	"slices"

	"upkeep"
	"upkeep/internal/store/column"
	"upkeep/internal/store/migration"
)

// migrate applies the migrations that the database has not seen, in order of
// their names, each in its own transaction. There is no way back: a newer
// schema than this program knows is refused.
func (db *DB) migrate(ctx context.Context) (err error) {
	defer upkeep.Wrap(&err, "migrate")
	files, err := fs.Glob(migration.Files, db.name+"/*.sql")
	if err != nil {
		return err
	}
	applied, err := db.applied(ctx)
	if err != nil {
		return err
	}
	known := make([]string, len(files))
	for i, file := range files {
		known[i] = path.Base(file)
	}
	for _, name := range applied {
		if !slices.Contains(known, name) {
			return upkeep.Errorf(upkeep.CodeConflict, "the records were written by a newer version (migration %s)", name).
				WithHint("Install the newer version of upkeep again.")
		}
	}
	for _, file := range files {
		if slices.Contains(applied, path.Base(file)) {
			continue
		}
		if err := db.migrateFile(ctx, file); err != nil {
			return err
		}
	}
	return nil
}

// applied lists the migrations that the database has seen. On a new database
// it makes the table that remembers them.
func (db *DB) applied(ctx context.Context) (names []string, err error) {
	var exists bool
	err = db.Read(ctx, func(tx *Tx) error { return tx.QueryRowContext(ctx, db.hasTable, "migration").Scan(&exists) })
	if err != nil || exists {
		if err == nil {
			err = db.Read(ctx, func(tx *Tx) error {
				names, err = Collect(ctx, tx, `SELECT name FROM migration ORDER BY name`, nil, One[string])
				return err
			})
		}
		return names, err
	}
	return nil, db.Write(ctx, func(tx *Tx) error {
		_, err := tx.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS migration (name TEXT PRIMARY KEY, applied BIGINT NOT NULL)`)
		return err
	})
}

func (db *DB) migrateFile(ctx context.Context, file string) (err error) {
	name := path.Base(file)
	defer upkeep.Wrap(&err, "%s", name)
	text, err := migration.Files.ReadFile(file)
	if err != nil {
		return err
	}
	return db.Write(ctx, func(tx *Tx) error {
		// The name first: another process that came between is then seen
		// here, before any of the migration runs twice.
		inserted, err := Changed(tx.ExecContext(ctx,
			`INSERT INTO migration (name, applied) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`, name, column.Stamp(tx.Now)))
		if err != nil || !inserted {
			return err
		}
		_, err = tx.ExecContext(ctx, string(text))
		return err
	})
}
