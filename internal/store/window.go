package store

import (
	"context"
	"time"

	"upkeep"
	"upkeep/internal/store/column"
	"upkeep/internal/store/records"
)

const windowColumns = `SELECT id, scope, subject, closed, begins, length, rule, zone, note FROM time_window`

// Windows returns every window and all closed dates, oldest first.
func (db *DB) Windows(ctx context.Context) (found []upkeep.Window, err error) {
	err = db.records.Read(ctx, func(tx *records.Tx) error {
		found, err = records.Collect(ctx, tx, windowColumns+` ORDER BY id`, nil, scanWindow)
		return err
	})
	return found, err
}

// CreateWindow adds a window and sets its ID. CodeNotFound when the plan,
// client or site that it is for does not exist; a client does as long as a
// site is its own.
func (db *DB) CreateWindow(ctx context.Context, w *upkeep.Window) (err error) {
	defer upkeep.Wrap(&err, "create window")
	if err := w.Validate(); err != nil {
		return err
	}
	return db.records.Write(ctx, func(tx *records.Tx) error {
		site, err := checkSubject(ctx, tx, w)
		if err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `INSERT INTO time_window (scope, subject, site, closed, begins, length, rule, zone, note)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id`,
			w.Scope, w.Subject, column.Optional(site), w.Closed, w.Begin, time.Duration(w.Length).Microseconds(), w.Rule, w.Zone, w.Note).
			Scan(&w.ID)
	})
}

// checkSubject finds whom a window is for; the number is that of a site.
func checkSubject(ctx context.Context, tx *records.Tx, w *upkeep.Window) (site int64, err error) {
	switch w.Scope {
	case upkeep.ForPlan:
		_, err = records.Single(tx.QueryRowContext(ctx, `SELECT name FROM plan WHERE name = $1`, w.Subject), records.One[string], "plan", w.Subject)
	case upkeep.ForClient:
		row := tx.QueryRowContext(ctx, `SELECT client FROM subscription WHERE client = $1 LIMIT 1`, w.Subject)
		_, err = records.Single(row, records.One[string], "client", w.Subject)
	case upkeep.ForSite:
		site, err = records.Single(tx.QueryRowContext(ctx, `SELECT id FROM site WHERE name = $1`, w.Subject), records.One[int64], "site", w.Subject)
	}
	return site, err
}

// DeleteWindow removes a window and returns what it was.
func (db *DB) DeleteWindow(ctx context.Context, id int64) (w upkeep.Window, err error) {
	defer upkeep.Wrap(&err, "delete window %d", id)
	err = db.records.Write(ctx, func(tx *records.Tx) error {
		w, err = records.Single(tx.QueryRowContext(ctx, windowColumns+` WHERE id = $1`, id), scanWindow, "window", id)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM time_window WHERE id = $1`, id)
		return err
	})
	return w, err
}

func scanWindow(row records.Row) (w upkeep.Window, err error) {
	var length int64
	err = row.Scan(&w.ID, &w.Scope, &w.Subject, &w.Closed, &w.Begin, &length, &w.Rule, &w.Zone, &w.Note)
	w.Length = upkeep.Duration(time.Duration(length) * time.Microsecond)
	return w, err
}

// FleetHold returns what keeps interventions from beginning anywhere, nil when
// nothing does.
func (db *DB) FleetHold(ctx context.Context) (*upkeep.FleetHold, error) {
	var holds []upkeep.FleetHold
	err := db.records.Read(ctx, func(tx *records.Tx) (err error) {
		holds, err = records.Collect(ctx, tx, `SELECT actor, because, since FROM fleet_hold`, nil, func(row records.Row) (h upkeep.FleetHold, err error) {
			err = row.Scan(&h.Actor, &h.Because, (*column.Stamp)(&h.Since))
			return h, err
		})
		return err
	})
	if err != nil || len(holds) == 0 {
		return nil, err
	}
	return &holds[0], nil
}

// PutFleetHold holds the fleet, or with nil lets it go on. A hold that is
// there stays as it is, and is written to hold.
func (db *DB) PutFleetHold(ctx context.Context, hold *upkeep.FleetHold) (err error) {
	defer upkeep.Wrap(&err, "hold the fleet")
	return db.records.Write(ctx, func(tx *records.Tx) error {
		if hold == nil {
			_, err := tx.ExecContext(ctx, `DELETE FROM fleet_hold`)
			return err
		}
		return tx.QueryRowContext(ctx, `INSERT INTO fleet_hold (id, actor, because, since) VALUES (1, $1, $2, $3)
			ON CONFLICT (id) DO UPDATE SET since = fleet_hold.since
			RETURNING actor, because, since`,
			hold.Actor, hold.Because, column.Stamp(tx.Now)).Scan(&hold.Actor, &hold.Because, (*column.Stamp)(&hold.Since))
	})
}
