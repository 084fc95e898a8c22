package store

import (
	"context"

	"upkeep"
	"upkeep/internal/store/column"
	"upkeep/internal/store/records"
)

const holdColumns = `SELECT id, site, component, version, reason, created, lifted FROM hold`

// Hold returns a hold by number.
func (db *DB) Hold(ctx context.Context, id int64) (hold *upkeep.Hold, err error) {
	err = db.records.Read(ctx, func(tx *records.Tx) error {
		hold, err = findHold(ctx, tx, id)
		return err
	})
	return hold, err
}

// Holds returns the holds that filter leaves, oldest first.
func (db *DB) Holds(ctx context.Context, filter upkeep.HoldFilter) (found []*upkeep.Hold, err error) {
	err = db.records.Read(ctx, func(tx *records.Tx) error {
		var w column.Where
		w.Add(filter.Site != 0, "site = ?", filter.Site)
		w.Add(filter.Component != "", "component = ?", filter.Component)
		w.Plain(filter.Current, "lifted IS NULL")
		query, args := w.Query(holdColumns, "id", filter.Limit)
		found, err = records.Collect(ctx, tx, query, args, scanHold)
		return err
	})
	return found, err
}

// CreateHold adds a hold and sets its ID and Created. While the same version
// of the same component of the site is held, it is that hold that gets the new
// reason.
func (db *DB) CreateHold(ctx context.Context, hold *upkeep.Hold) (err error) {
	defer upkeep.Wrap(&err, "create hold of %s on site %s", hold.Component, hold.Site)
	return db.records.Write(ctx, func(tx *records.Tx) error {
		return tx.QueryRowContext(ctx, `INSERT INTO hold (site, component, version, reason, created)
			VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (site, component, version) WHERE lifted IS NULL DO UPDATE SET reason = excluded.reason
			RETURNING id, created`,
			hold.Site, hold.Component, hold.Version, column.Document{Of: hold.Reason}, column.Stamp(tx.Now)).
			Scan(&hold.ID, (*column.Stamp)(&hold.Created))
	})
}

// UpdateHold changes the reason of a hold, or lifts it.
func (db *DB) UpdateHold(ctx context.Context, id int64, change func(*upkeep.Hold) error) (err error) {
	defer upkeep.Wrap(&err, "update hold %d", id)
	return db.records.Write(ctx, func(tx *records.Tx) error {
		hold, err := findHold(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := change(hold); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE hold SET reason = $1, lifted = $2 WHERE id = $3`,
			column.Document{Of: hold.Reason}, column.Stamp(hold.Lifted), id)
		return err
	})
}

// DeleteHold removes a hold.
func (db *DB) DeleteHold(ctx context.Context, id int64) (err error) {
	defer upkeep.Wrap(&err, "delete hold %d", id)
	return db.records.Write(ctx, func(tx *records.Tx) error {
		deleted, err := records.Changed(tx.ExecContext(ctx, `DELETE FROM hold WHERE id = $1`, id))
		if err == nil && !deleted {
			return upkeep.Errorf(upkeep.CodeNotFound, "hold %d does not exist", id)
		}
		return err
	})
}

func findHold(ctx context.Context, tx *records.Tx, id int64) (*upkeep.Hold, error) {
	return records.Single(tx.QueryRowContext(ctx, holdColumns+` WHERE id = $1`, id), scanHold, "hold", id)
}

func scanHold(row records.Row) (*upkeep.Hold, error) {
	var h upkeep.Hold
	err := row.Scan(&h.ID, &h.Site, &h.Component, &h.Version, column.Document{Of: &h.Reason},
		(*column.Stamp)(&h.Created), (*column.Stamp)(&h.Lifted))
	return &h, err
}
