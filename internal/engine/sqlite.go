package engine

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"golang.org/x/sys/unix"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"upkeep"
)

// prepareFile makes the file and its folder, readable by nobody else, and
// locks the folder until unlock is called, because two processes that switch a
// new file to WAL at once are refused.
func prepareFile(path string) (unlock func(), err error) {
	if !filepath.IsAbs(path) {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "the path is not absolute")
	}
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	lock, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	unlock = func() { _ = lock.Close() } // closing releases the lock and has nothing else to lose
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		unlock()
		return nil, &fs.PathError{Op: "lock", Path: folder, Err: err}
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	switch {
	case err == nil:
		err = file.Close()
	case errors.Is(err, fs.ErrExist):
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

// connect returns a pool of one connection whose transactions take the write
// lock at their start: waiting for it then is possible, later it is not.
func connect(path, synchronous string) (*sql.DB, error) {
	query := url.Values{
		"_txlock": {"immediate"},
		"_pragma": {"busy_timeout(10000)", "journal_mode(wal)", "synchronous(" + synchronous + ")"},
	}
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}
	pool, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(1)
	pool.SetMaxIdleConns(1)
	return pool, nil
}

// processes is what the engine adds to River's tables.
const processes = `CREATE TABLE IF NOT EXISTS process (
	id   TEXT   PRIMARY KEY,
	beat BIGINT NOT NULL -- microseconds since 1970
)`

// migrate brings River's tables and ours up to date, all or nothing. The file
// remembers which of River's migrations it has, so that opening it again costs
// one look: River's own check takes many.
func (e *Engine) migrate(ctx context.Context) error {
	migrator, err := rivermigrate.New(riversqlite.New(e.jobs), &rivermigrate.Config{Logger: e.config.Log})
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
		return upkeep.Errorf(upkeep.CodeConflict, "the queue was written by a newer version").
			WithHint("Install the newer version of upkeep again.")
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

// riverTime is a time as River's tables keep it: text that sorts.
func riverTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000") }

// translate gives the driver's errors our codes. Everything else passes.
func translate(err error) error {
	driverErr, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return err
	}
	switch driverErr.Code() & 0xff { // the primary code; the extended one only says where
	case sqlite3.SQLITE_FULL:
		return upkeep.Errorf(upkeep.CodeNoSpace, "no space left for the queue: %w", err).
			WithHint("Free some space on the disk that holds the state folder.")
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return upkeep.Errorf(upkeep.CodeConflict, "another process is writing the queue: %w", err).
			WithHint("Try again; if it lasts, look for a stuck upkeep process.")
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return upkeep.Errorf(upkeep.CodeDamaged, "the queue does not read back: %w", err).
			WithHint("Stop upkeep and move the file away: the queue is made anew from the records.")
	}
	return err
}
