package database

import (
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

// Sync says when a commit is on the disk.
type Sync string

// When a commit survives: a power cut, or only the death of the process.
const (
	SyncFull   Sync = "full"
	SyncNormal Sync = "normal"
)

// PrepareFile makes the SQLite file at path, which must be absolute, and its
// folder, readable by nobody else, and locks the folder until unlock is called:
// SQLite answers "busy" at once, without waiting, to two processes that both
// switch a new file to WAL.
func PrepareFile(path string) (unlock func(), err error) {
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

// File returns a pool on a SQLite file. Transactions take the write lock at
// their start unless they are read-only: one that would ask for it later can
// be refused without waiting.
func File(path string, sync Sync, connections int) (*sql.DB, error) {
	query := url.Values{
		"_txlock": {"immediate"},
		"_pragma": {"busy_timeout(10000)", "journal_mode(wal)", "synchronous(" + string(sync) + ")", "foreign_keys(on)"},
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

func sqliteKind(err error) kind {
	driverErr, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return other
	}
	switch driverErr.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return exists
	case sqlite3.SQLITE_CONSTRAINT_TRIGGER:
		return refused
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return orphaned
	case sqlite3.SQLITE_CONSTRAINT_CHECK, sqlite3.SQLITE_CONSTRAINT_NOTNULL:
		return invalid
	}
	switch driverErr.Code() & 0xff { // the primary code; the extended one only says where
	case sqlite3.SQLITE_FULL:
		return full
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return busy
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return damaged
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY:
		return shut
	}
	return other
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
