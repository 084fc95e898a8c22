package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"upkeep"
	"upkeep/internal/store/column"
	"upkeep/internal/store/records"
)

// A lease says who may act on something, and until when: "intervention/12",
// "site/3". Holders are unique per attempt, not per process, so that a late
// holder is never mistaken for the one that came after it.

// InterventionLease is the key of the lease without which nobody advances an
// intervention.
func InterventionLease(id upkeep.InterventionID) string { return "intervention/" + id.String() }

// SiteLease is the key of the lease on a site.
func SiteLease(id upkeep.SiteID) string { return "site/" + id.String() }

// AcquireLease gives the lease to holder for ttl: when nobody has it, when it
// expired, or when holder has it already. Otherwise CodeConflict naming who
// has it and until when.
func (db *DB) AcquireLease(ctx context.Context, key, holder string, ttl time.Duration) (err error) {
	defer upkeep.Wrap(&err, "acquire lease")
	return db.records.WriteOn(ctx, key, func(tx *records.Tx) error {
		acquired, err := records.Changed(tx.ExecContext(ctx, `INSERT INTO lease (key, holder, expires) VALUES ($1, $2, $3)
			ON CONFLICT (key) DO UPDATE SET holder = excluded.holder, expires = excluded.expires
			WHERE lease.holder = excluded.holder OR lease.expires <= $4`,
			key, holder, column.Stamp(tx.Now.Add(ttl)), column.Stamp(tx.Now)))
		if err != nil || acquired {
			return err
		}
		return checkLease(ctx, tx, key, holder)
	})
}

// RenewLease gives holder ttl more from now. CodeConflict when the lease
// expired or another has it: the caller must stop at once.
func (db *DB) RenewLease(ctx context.Context, key, holder string, ttl time.Duration) (err error) {
	defer upkeep.Wrap(&err, "renew lease")
	return db.records.WriteOn(ctx, key, func(tx *records.Tx) error {
		if err := checkLease(ctx, tx, key, holder); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE lease SET expires = $1 WHERE key = $2`, column.Stamp(tx.Now.Add(ttl)), key)
		return err
	})
}

// ReleaseLease gives the lease back. A lease that holder no longer has is
// left alone.
func (db *DB) ReleaseLease(ctx context.Context, key, holder string) (err error) {
	defer upkeep.Wrap(&err, "release lease")
	return db.records.WriteOn(ctx, key, func(tx *records.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM lease WHERE key = $1 AND holder = $2`, key, holder)
		return err
	})
}

// checkLease returns CodeConflict unless holder has the lease now.
func checkLease(ctx context.Context, tx *records.Tx, key, holder string) error {
	var has string
	var expires time.Time
	err := tx.QueryRowContext(ctx, `SELECT holder, expires FROM lease WHERE key = $1`, key).Scan(&has, (*column.Stamp)(&expires))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return upkeep.Errorf(upkeep.CodeConflict, "%s is leased to nobody", key)
	case err != nil:
		return err
	case has != holder:
		return upkeep.Errorf(upkeep.CodeConflict, "%s is leased to %s until %s", key, has, expires.Format(time.RFC3339))
	case !expires.After(tx.Now):
		return upkeep.Errorf(upkeep.CodeConflict, "the lease of %s expired at %s", key, expires.Format(time.RFC3339))
	}
	return nil
}
