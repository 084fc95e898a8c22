package engine

import (
	"context"
	"database/sql"
	"strconv"
	"time"

	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"

	"upkeep/internal/database"
)

// openFile opens the queue in a SQLite file. River has one connection, as its
// driver asks for; the engine's own does not wait for the disk.
func (e *Engine) openFile(ctx context.Context) error {
	unlock, err := database.PrepareFile(e.config.Path)
	if err != nil {
		return err
	}
	defer unlock()
	if e.jobs, err = database.File(e.config.Path, database.SyncFull, 1); err != nil {
		return err
	}
	if e.own, err = database.File(e.config.Path, database.SyncNormal, 1); err != nil {
		return err
	}
	e.dialect = dialect{
		driver:  riversqlite.New(e.jobs),
		holder:  `json_extract(attempted_by, '$[#-1]')`,
		subject: `json_extract(args, '$.id')`,
		stamp:   func(t time.Time) any { return t.UTC().Format("2006-01-02 15:04:05.000") }, // text that sorts
		await:   func(context.Context, *sql.Tx) (time.Time, error) { return e.config.Clock(), nil },
	}
	return e.migrateFile(ctx)
}

// migrateFile brings River's tables and ours up to date, all or nothing. The
// file remembers which of River's migrations it has, so that opening it again
// costs one look: River's own check takes many.
func (e *Engine) migrateFile(ctx context.Context) error {
	migrator, err := rivermigrate.New(e.driver, &rivermigrate.Config{Logger: e.config.Log})
	if err != nil {
		return err
	}
	all := migrator.AllVersions()
	newest := all[len(all)-1].Version
	var version int
	if err := e.jobs.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version); err != nil || version == newest {
		return err
	}
	if version > newest {
		return newer()
	}
	tx, err := e.jobs.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	//lint:ignore SA1019 of SQLite every statement goes into a transaction
	if _, err := migrator.MigrateTx(ctx, tx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, processes); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `PRAGMA user_version = `+strconv.Itoa(newest)); err != nil {
		return err
	}
	return tx.Commit()
}
