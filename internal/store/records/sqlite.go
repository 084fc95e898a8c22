package records

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"upkeep"
)

// What SQLite wants otherwise than another database would: this file, and the
// migrations in the folder migration/sqlite.

const (
	dialect = "sqlite"
	readers = 4 // connections that read, of one process
)

// prepareFile makes the database file and its folder, readable by nobody
// else, and locks the folder until unlock is called: SQLite answers "busy" at
// once, without waiting, to two processes that both switch a new file to WAL.
func prepareFile(path string) (unlock func(), err error) {
	if !filepath.IsAbs(path) {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "path %q is not absolute", path)
	}
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fileError(err)
	}
	lock, err := os.Open(folder)
	if err != nil {
		return nil, fileError(err)
	}
	unlock = func() { _ = lock.Close() } // closing releases the lock and has nothing else to lose
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		unlock()
		return nil, fileError(&fs.PathError{Op: "lock", Path: folder, Err: err})
	}
	// Only a new file is opened here: closing any descriptor of an open
	// database would drop the locks that SQLite holds in this process.
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	switch {
	case err == nil:
		err = file.Close()
	case errors.Is(err, fs.ErrExist):
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		unlock()
		return nil, fileError(err)
	}
	return unlock, nil
}

// connect returns a pool on the file. Transactions take the write lock at
// their start unless they are read-only: one that would ask for it later can
// be refused without waiting. Commits are synced, because an intervention
// relies on its state after a power cut.
func connect(path string, connections int) (*sql.DB, error) {
	query := url.Values{
		"_txlock": {"immediate"},
		"_pragma": {"busy_timeout(10000)", "journal_mode(wal)", "synchronous(full)", "foreign_keys(on)"},
	}
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}
	pool, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	return pool, nil
}

func (db *DB) hasMigrationTable(ctx context.Context) (exists bool, err error) {
	err = db.Read(ctx, func(tx *Tx) error {
		return tx.QueryRowContext(ctx,
			`SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'migration')`).Scan(&exists)
	})
	return exists, err
}

// translate gives the driver's errors our codes. Everything else passes.
func translate(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if cause := ctx.Err(); cause != nil && upkeep.CodeOf(err) == upkeep.CodeInternal {
		return upkeep.Errorf(upkeep.CodeInterrupted, "stopped before the records were written: %w", cause)
	}
	driverErr, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return err
	}
	switch driverErr.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return upkeep.Errorf(upkeep.CodeConflict, "it exists already: %w", err)
	case sqlite3.SQLITE_CONSTRAINT_TRIGGER:
		return upkeep.Errorf(upkeep.CodeConflict, "the records refuse it: %w", err)
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return upkeep.Errorf(upkeep.CodeNotFound, "what it belongs to does not exist: %w", err)
	case sqlite3.SQLITE_CONSTRAINT_CHECK, sqlite3.SQLITE_CONSTRAINT_NOTNULL:
		return upkeep.Errorf(upkeep.CodeInvalid, "a field has a value the records do not take: %w", err)
	}
	switch driverErr.Code() & 0xff { // the primary code; the extended one only says where
	case sqlite3.SQLITE_FULL:
		return upkeep.Errorf(upkeep.CodeNoSpace, "no space left for the records: %w", err).
			WithHint("Free some space on the disk that holds the state folder.")
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return upkeep.Errorf(upkeep.CodeConflict, "another process is writing the records: %w", err).
			WithHint("Try again; if it lasts, look for a stuck upkeep process.")
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return upkeep.Errorf(upkeep.CodeDamaged, "the records do not read back: %w", err).
			WithHint("Stop upkeep and restore the state folder from a copy.")
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY:
		return upkeep.Errorf(upkeep.CodeUnauthorized, "the records cannot be opened for writing: %w", err).
			WithHint("Run upkeep as the owner of the state folder.")
	}
	return err
}

// fileError gives errors of the file system our codes.
func fileError(err error) error {
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return upkeep.Errorf(upkeep.CodeNoSpace, "%w", err)
	case errors.Is(err, fs.ErrPermission):
		return upkeep.Errorf(upkeep.CodeUnauthorized, "%w", err).WithHint("Run upkeep as the owner of the state folder.")
	}
	return err
}
