package app

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"upkeep"
	"upkeep/internal/engine"
	"upkeep/internal/ledger"
	"upkeep/internal/secret"
	"upkeep/internal/store"
	"upkeep/internal/store/move"
	"upkeep/internal/web/listen"
)

// The files of an application whose records are in its folder.
const (
	recordsFile = "upkeep.db"
	queueFile   = "queue.db"
	movedFile   = "upkeep.db.moved" // what recordsFile was before its records moved
)

// openRecords opens the records, those of the folder only when they are still
// there.
func openRecords(ctx context.Context, c Config) (*store.DB, error) {
	path := filepath.Join(c.Dir, recordsFile)
	if c.Database.Reveal() != "" {
		return store.Open(ctx, store.Config{URL: c.Database.Reveal()})
	}
	if there(filepath.Join(c.Dir, movedFile)) && !there(path) {
		return nil, upkeep.Errorf(upkeep.CodeConflict, "the records of %s were moved to PostgreSQL", c.Dir).
			WithHint("Set UPKEEP_DATABASE_URL to where they are.")
	}
	return store.Open(ctx, store.Config{Path: path})
}

func there(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// keyMark is a secret that says nothing: whoever opens it has the key that
// sealed all others of these records.
const keyMark = "key"

// checkKey refuses records that several machines share to one whose state
// folder has another key: what it would seal no other could open.
func checkKey(ctx context.Context, c Config, db *store.DB, keeper *secret.Keeper) error {
	if c.Database.Reveal() == "" {
		return nil
	}
	sealed, err := keeper.Seal([]byte(keyMark))
	if err != nil {
		return err
	}
	err = db.CreateSecret(ctx, keyMark, sealed)
	if upkeep.CodeOf(err) != upkeep.CodeConflict {
		return err
	}
	if sealed, err = db.Secret(ctx, keyMark); err != nil {
		return err
	}
	if _, err := keeper.Open(sealed); err != nil {
		return upkeep.Errorf(upkeep.CodeConflict, "the key in %s is not that of these records", c.Dir).
			WithHint("Copy the file key from the state folder of a machine that uses the same database.")
	}
	return nil
}

// Move moves the records of a folder to the empty PostgreSQL of config, and
// says what it moved. Nothing may run on the folder. CodeConflict when something
// does, or when there are records in the PostgreSQL. The file is kept beside,
// under another name.
func Move(ctx context.Context, config Config) (moved []move.Table, err error) {
	defer upkeep.Wrap(&err, "move the records of %s to PostgreSQL", config.Dir)
	path := filepath.Join(config.Dir, recordsFile)
	if !there(path) {
		return nil, upkeep.Errorf(upkeep.CodeNotFound, "there are no records in %s", config.Dir)
	}
	// Whoever would serve this folder meanwhile finds the socket taken.
	socket, err := listen.Unix(ctx, filepath.Join(config.Dir, listen.SocketName))
	if err != nil {
		return nil, err
	}
	defer socket.Close()
	if err := checkIdle(ctx, config.Dir); err != nil {
		return nil, err
	}
	if moved, err = moveRecords(ctx, path, config); err != nil {
		return nil, err
	}
	if err := os.Rename(path, filepath.Join(config.Dir, movedFile)); err != nil {
		return nil, err
	}
	// The queue is made anew from the records.
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(filepath.Join(config.Dir, queueFile+suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return moved, nil
}

func checkIdle(ctx context.Context, dir string) error {
	queue, err := engine.Open(ctx, engine.Config{Path: filepath.Join(dir, queueFile)})
	if err != nil {
		return err
	}
	defer queue.Close()
	count, err := queue.Alive(ctx)
	if err == nil && count > 0 {
		return upkeep.Errorf(upkeep.CodeConflict, "upkeep runs on this folder: %d processes", count).
			WithHint("Stop upkeep serve, and wait for commands under way.")
	}
	return err
}

// moveRecords copies the records; the ledger's chain is verified before and
// after.
func moveRecords(ctx context.Context, path string, config Config) (moved []move.Table, err error) {
	keeper, err := secret.OpenKeeper(filepath.Join(config.Dir, "key"))
	if err != nil {
		return nil, err
	}
	from, err := store.Open(ctx, store.Config{Path: path})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := store.Open(ctx, store.Config{URL: config.Database.Reveal()})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	if err := verifyLedger(ctx, from); err != nil {
		return nil, err
	}
	if moved, err = move.Move(ctx, from.Records(), to.Records()); err != nil {
		return nil, err
	}
	if err := verifyLedger(ctx, to); err != nil {
		return nil, err
	}
	return moved, checkKey(ctx, config, to, keeper)
}

func verifyLedger(ctx context.Context, db *store.DB) error {
	return ledger.Verify((&ledger.Ledger{Rows: db, Clock: time.Now}).Entries(ctx))
}
