// Package records opens the database that keeps the records, brings its schema
// up to date, and runs transactions on it. What the records speak of stands in
// the packages above it, in the SQL that SQLite and PostgreSQL share.
package records

import (
	"context"
	"database/sql"
	"time"

	"upkeep"
)

// Config says where the records are.
type Config struct {
	Path  string       // of the SQLite file; it and its folder are made when absent
	Clock upkeep.Clock // nil is the machine's
}

// DB is the open records. Its methods may be called concurrently, and other
// processes may have the same records open.
type DB struct {
	reader *sql.DB
	writer *sql.DB
	clock  upkeep.Clock
}

// Open opens the records and brings their schema up to date. Of several
// processes that open a new file at once, one does the work and the others
// wait for it.
func Open(ctx context.Context, config Config) (_ *DB, err error) {
	defer upkeep.Wrap(&err, "open records %s", config.Path)
	db := &DB{clock: config.Clock}
	if db.clock == nil {
		db.clock = time.Now
	}
	unlock, err := prepareFile(config.Path)
	if err != nil {
		return nil, err
	}
	defer unlock()
	// One connection writes, so that writers of this process queue in Go,
	// fairly and under their contexts, and only those of other processes
	// wait for the file's lock.
	if db.writer, err = connect(config.Path, 1); err != nil {
		return nil, err
	}
	if db.reader, err = connect(config.Path, readers); err != nil {
		return nil, err
	}
	if err := db.migrate(ctx); err != nil {
		_ = db.Close() // the migration's error says more
		return nil, err
	}
	return db, nil
}

// Close closes the records. Calls under way end first.
func (db *DB) Close() error {
	if err := db.reader.Close(); err != nil {
		return err
	}
	return db.writer.Close()
}

// Tx is a transaction with the one instant at which all of it happens.
type Tx struct {
	*sql.Tx
	Now time.Time
}

// Read calls fn in a transaction that sees one state of the records. It and
// Write return CodeNotFound for what does not exist, CodeConflict for what the
// state forbids now, CodeNoSpace when the disk is full and CodeDamaged when the
// file does not read back.
func (db *DB) Read(ctx context.Context, fn func(*Tx) error) error {
	return db.transact(ctx, db.reader, &sql.TxOptions{ReadOnly: true}, fn)
}

// Write calls fn in a transaction that no other writer overlaps, and commits
// it when fn returns nil.
func (db *DB) Write(ctx context.Context, fn func(*Tx) error) error {
	return db.transact(ctx, db.writer, nil, fn)
}

func (db *DB) transact(ctx context.Context, pool *sql.DB, options *sql.TxOptions, fn func(*Tx) error) error {
	sqlTx, err := pool.BeginTx(ctx, options)
	if err != nil {
		return translate(ctx, err)
	}
	defer func() { _ = sqlTx.Rollback() }() // after a commit it does nothing
	// Microseconds are what the columns keep; what callers get back now must
	// equal what they read later.
	now := db.clock().UTC().Truncate(time.Microsecond)
	if err := fn(&Tx{Tx: sqlTx, Now: now}); err != nil {
		return translate(ctx, err)
	}
	return translate(ctx, sqlTx.Commit())
}
