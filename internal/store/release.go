package store

import (
	"context"

	"upkeep"
	"upkeep/internal/store/column"
	"upkeep/internal/store/records"
)

// ReleaseHolds returns the releases of a CMS that are held for the fleet, of
// every CMS when it is "", oldest first.
func (db *DB) ReleaseHolds(ctx context.Context, cms upkeep.CMS) (found []upkeep.ReleaseHold, err error) {
	err = db.records.Read(ctx, func(tx *records.Tx) error {
		var w column.Where
		w.Add(cms != "", "cms = ?", cms)
		query, args := w.Query(`SELECT cms, component, version, actor, because, created FROM release_hold`, "created, component", 0)
		found, err = records.Collect(ctx, tx, query, args, func(row records.Row) (h upkeep.ReleaseHold, err error) {
			err = row.Scan(&h.CMS, &h.Component, &h.Version, &h.Actor, &h.Because, (*column.Stamp)(&h.Created))
			return h, err
		})
		return err
	})
	return found, err
}

// PutReleaseHold holds a release, in place of a hold of the same one.
func (db *DB) PutReleaseHold(ctx context.Context, hold *upkeep.ReleaseHold) (err error) {
	defer upkeep.Wrap(&err, "hold %s %s", hold.Component, hold.Version)
	return db.records.Write(ctx, func(tx *records.Tx) error {
		hold.Created = tx.Now
		_, err := tx.ExecContext(ctx, `INSERT INTO release_hold (cms, component, version, actor, because, created)
			VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (cms, component, version) DO UPDATE SET
				actor = excluded.actor, because = excluded.because, created = excluded.created`,
			hold.CMS, hold.Component, hold.Version, hold.Actor, hold.Because, column.Stamp(hold.Created))
		return err
	})
}

// DeleteReleaseHold lifts a hold. CodeNotFound when there is none.
func (db *DB) DeleteReleaseHold(ctx context.Context, cms upkeep.CMS, component string, version upkeep.Version) error {
	return db.records.Write(ctx, func(tx *records.Tx) error {
		deleted, err := records.Changed(tx.ExecContext(ctx,
			`DELETE FROM release_hold WHERE cms = $1 AND component = $2 AND version = $3`, cms, component, version))
		if err == nil && !deleted {
			return upkeep.Errorf(upkeep.CodeNotFound, "no hold of %s %s", component, version).
				WithHint("Known holds: upkeep release show.")
		}
		return err
	})
}
