package store

import (
	"context"
	"database/sql"
	"errors"
	"math"

	"upkeep"
	"upkeep/internal/store/column"
	"upkeep/internal/store/records"
)

const ledgerColumns = `SELECT seq, at, site, actor, kind, facts, previous, hash FROM ledger`

// LedgerEntries returns entries whose Seq is greater than after, in order, at
// most limit when that is not 0. Numbers among the facts are json.Number.
func (db *DB) LedgerEntries(ctx context.Context, after int64, limit int) (entries []upkeep.LedgerEntry, err error) {
	if limit <= 0 {
		limit = math.MaxInt32
	}
	err = db.records.Read(ctx, func(tx *records.Tx) error {
		entries, err = records.Collect(ctx, tx, ledgerColumns+` WHERE seq > $1 ORDER BY seq LIMIT $2`,
			[]any{after, limit}, scanLedgerEntry)
		return err
	})
	return entries, err
}

// LedgerHead returns the last entry, a zero one when there is none.
func (db *DB) LedgerHead(ctx context.Context) (head upkeep.LedgerEntry, err error) {
	err = db.records.Read(ctx, func(tx *records.Tx) error {
		head, err = ledgerHead(ctx, tx)
		return err
	})
	return head, err
}

// CreateLedgerEntry appends the entry that seal makes of the last one, which
// is zero on an empty ledger. No other append happens in between. The database
// refuses an entry that does not continue the last one, and any change of one
// that is written.
func (db *DB) CreateLedgerEntry(
	ctx context.Context, seal func(last upkeep.LedgerEntry) (upkeep.LedgerEntry, error),
) (entry upkeep.LedgerEntry, err error) {
	defer upkeep.Wrap(&err, "create ledger entry")
	err = db.records.WriteOn(ctx, "ledger", func(tx *records.Tx) error {
		last, err := ledgerHead(ctx, tx)
		if err != nil {
			return err
		}
		if entry, err = seal(last); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO ledger (seq, at, site, actor, kind, facts, previous, hash)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, entry.Seq, column.Stamp(entry.At), column.Optional(entry.Site), entry.Actor,
			entry.Kind, column.Document{Of: entry.Facts}, entry.Previous, entry.Hash)
		return err
	})
	return entry, err
}

func ledgerHead(ctx context.Context, tx *records.Tx) (upkeep.LedgerEntry, error) {
	head, err := scanLedgerEntry(tx.QueryRowContext(ctx, ledgerColumns+` ORDER BY seq DESC LIMIT 1`))
	if errors.Is(err, sql.ErrNoRows) {
		return upkeep.LedgerEntry{}, nil
	}
	return head, err
}

func scanLedgerEntry(row records.Row) (entry upkeep.LedgerEntry, err error) {
	err = row.Scan(&entry.Seq, (*column.Stamp)(&entry.At), (*column.Optional)(&entry.Site), &entry.Actor, &entry.Kind,
		column.Document{Of: &entry.Facts}, &entry.Previous, &entry.Hash)
	return entry, err
}
