// Package records opens the database that keeps the records, brings its schema
// up to date, and runs transactions on it. What the records speak of stands in
// the packages above it, in the SQL that SQLite and PostgreSQL share.
package records

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"upkeep"
	"upkeep/internal/database"
)

// Config says where the records are.
type Config struct {
	Path  string       // of a SQLite file; it and its folder are made when absent
	URL   string       // of a PostgreSQL database, in place of a file
	Clock upkeep.Clock // nil is the machine's for a file, and PostgreSQL's own, which all its users share
}

// DB is the open records. Its methods may be called concurrently, and other
// processes may have the same records open.
type DB struct {
	dialect
	reader *sql.DB
	writer *sql.DB
	clock  upkeep.Clock
}

// Open opens the records and brings their schema up to date. Of several
// processes that open new ones at once, one does the work and the others
// wait for it.
func Open(ctx context.Context, config Config) (_ *DB, err error) {
	if config.URL != "" {
		return openServer(ctx, config)
	}
	return openFile(ctx, config)
}

// connections are those of one process that read, or write to a PostgreSQL.
const connections = 4

func openFile(ctx context.Context, config Config) (_ *DB, err error) {
	defer upkeep.Wrap(&err, "open records %s", config.Path)
	unlock, err := database.PrepareFile(config.Path)
	if err != nil {
		return nil, err
	}
	defer unlock()
	db := &DB{dialect: sqlite(), clock: config.Clock}
	if db.clock == nil {
		db.clock = time.Now
	}
	// One connection writes, so that writers of this process queue in Go,
	// fairly and under their contexts, and only those of other processes
	// wait for the file's lock. Commits are synced, because an intervention
	// relies on its state after a power cut.
	if db.writer, err = database.File(config.Path, database.SyncFull, 1); err != nil {
		return nil, err
	}
	if db.reader, err = database.File(config.Path, database.SyncFull, connections); err != nil {
		return nil, err
	}
	return db.migrated(ctx)
}

func openServer(ctx context.Context, config Config) (_ *DB, err error) {
	defer upkeep.Wrap(&err, "open records in PostgreSQL")
	db := &DB{dialect: postgres(), clock: config.Clock}
	if db.writer, err = database.Server(config.URL, connections); err != nil {
		return nil, err
	}
	if db.reader, err = database.Server(config.URL, connections); err != nil {
		return nil, err
	}
	return db.migrated(ctx)
}

// migrated is db with its schema up to date; it closes what is not to be used.
func (db *DB) migrated(ctx context.Context) (*DB, error) {
	if err := db.migrate(ctx); err != nil {
		_ = db.Close() // the migration's error says more
		return nil, err
	}
	return db, nil
}

// Close closes the records. Calls under way end first.
func (db *DB) Close() error { return errors.Join(db.reader.Close(), db.writer.Close()) }

// Tx is a transaction with the one instant at which all of it happens.
type Tx struct {
	*sql.Tx
	Now time.Time
}

// Read calls fn in a transaction that sees one state of the records. It and
// Write return CodeNotFound for what does not exist, CodeConflict for what the
// state forbids now, CodeNoSpace when the disk is full, CodeDamaged when the
// database does not read back and CodeUnreachable when it does not answer.
func (db *DB) Read(ctx context.Context, fn func(*Tx) error) error {
	return db.transact(ctx, db.reader, turn{read: true}, fn)
}

// Write calls fn in a transaction that no other writer overlaps, and commits
// it when fn returns nil.
func (db *DB) Write(ctx context.Context, fn func(*Tx) error) error {
	return db.transact(ctx, db.writer, turn{}, fn)
}

// WriteOn is Write for what concerns subject alone, such as "ledger": no other
// writer on the same subject overlaps it, and none of Write. What it changes,
// or relies on to be unchanged, nothing but Write and WriteOn of this subject
// may change.
func (db *DB) WriteOn(ctx context.Context, subject string, fn func(*Tx) error) error {
	return db.transact(ctx, db.writer, turn{subject: subject}, fn)
}

// turn is what a transaction waits for.
type turn struct {
	read    bool
	subject string // "" is all
}

func (db *DB) transact(ctx context.Context, pool *sql.DB, turn turn, fn func(*Tx) error) error {
	sqlTx, err := pool.BeginTx(ctx, &sql.TxOptions{ReadOnly: turn.read, Isolation: db.isolation(turn)})
	if err != nil {
		return database.Translate(ctx, err)
	}
	defer func() { _ = sqlTx.Rollback() }() // after a commit it does nothing
	now, err := db.await(ctx, sqlTx, turn)
	if err != nil {
		return database.Translate(ctx, err)
	}
	if db.clock != nil {
		now = db.clock()
	}
	// Microseconds are what the columns keep; what callers get back now must
	// equal what they read later.
	if err := fn(&Tx{Tx: sqlTx, Now: now.UTC().Truncate(time.Microsecond)}); err != nil {
		return database.Translate(ctx, err)
	}
	return database.Translate(ctx, sqlTx.Commit())
}
