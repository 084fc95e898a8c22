package engine

import (
	"context"
	"database/sql"
	"time"

	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/rivermigrate"

	"upkeep/internal/database"
)

// connections are those of River in one process.
const connections = 4

// Locks of the engine's: space tells them from those that others take in the
// same database.
const (
	space     = 0x75706b71
	migration = 1
	ticking   = 2
)

// openServer opens the queue in a PostgreSQL database.
func (e *Engine) openServer(ctx context.Context) (err error) {
	if e.jobs, err = database.Server(e.config.URL, connections); err != nil {
		return err
	}
	if e.own, err = database.Server(e.config.URL, 2); err != nil {
		return err
	}
	e.dialect = dialect{
		driver:  riverdatabasesql.New(e.jobs),
		holder:  `attempted_by[array_upper(attempted_by, 1)]`,
		subject: `(args ->> 'id')::bigint`,
		stamp:   func(t time.Time) any { return t },
		await:   awaitTick,
	}
	return e.migrateServer(ctx)
}

// awaitTick waits until no other process ticks, so that none takes a job for
// lost that another has just given away. Who lives is told by the server's
// clock: those of the machines may differ.
func awaitTick(ctx context.Context, tx *sql.Tx) (now time.Time, err error) {
	err = tx.QueryRowContext(ctx, `SELECT clock_timestamp() FROM (SELECT pg_advisory_xact_lock($1, $2) OFFSET 0) AS lock`, space, ticking).Scan(&now)
	return now, err
}

// migrateServer brings River's tables and ours up to date. Several of River's
// migrations need transactions of their own, hence the lock is the session's;
// one cut short is gone on with at the next opening.
func (e *Engine) migrateServer(ctx context.Context) error {
	migrator, err := rivermigrate.New(e.driver, &rivermigrate.Config{Logger: e.config.Log})
	if err != nil {
		return err
	}
	all := migrator.AllVersions()
	newest := all[len(all)-1].Version
	version, err := e.version(ctx)
	if err != nil || version == newest {
		return err
	}
	if version > newest {
		return newer()
	}
	lock, err := e.own.Conn(ctx)
	if err != nil {
		return err
	}
	defer lock.Close()
	if _, err := lock.ExecContext(ctx, `SELECT pg_advisory_lock($1, $2)`, space, migration); err != nil {
		return err
	}
	defer func() { // with the connection it ends in any case
		_, _ = lock.ExecContext(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1, $2)`, space, migration)
	}()
	if _, err := lock.ExecContext(ctx, processes); err != nil {
		return err
	}
	_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
	return err
}

// version is the newest of River's migrations that the database has.
func (e *Engine) version(ctx context.Context) (version int, err error) {
	var exists bool
	if err := e.own.QueryRowContext(ctx, `SELECT to_regclass('river_migration') IS NOT NULL`).Scan(&exists); err != nil || !exists {
		return 0, err
	}
	err = e.own.QueryRowContext(ctx, `SELECT coalesce(max(version), 0) FROM river_migration`).Scan(&version)
	return version, err
}
