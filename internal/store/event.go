package store

import (
	"context"
	"math"

	"upkeep"
	"upkeep/internal/store/column"
	"upkeep/internal/store/records"
)

// Events returns events of an intervention whose ID is greater than after,
// oldest first, at most limit when that is not 0. A follower asks again with
// the last ID it saw.
func (db *DB) Events(
	ctx context.Context, intervention upkeep.InterventionID, after int64, limit int,
) (events []upkeep.Event, err error) {
	if limit <= 0 {
		limit = math.MaxInt32
	}
	err = db.records.Read(ctx, func(tx *records.Tx) error {
		events, err = records.Collect(ctx, tx, `SELECT id, intervention, at, state, code, params FROM event
			WHERE intervention = $1 AND id > $2 ORDER BY id LIMIT $3`, []any{intervention, after, limit}, scanEvent)
		return err
	})
	return events, err
}

// CreateEvent appends an event and sets its ID, and its At when that is zero.
func (db *DB) CreateEvent(ctx context.Context, event *upkeep.Event) (err error) {
	defer upkeep.Wrap(&err, "create event %s of intervention %s", event.Code, event.Intervention)
	return db.records.WriteOn(ctx, InterventionLease(event.Intervention), func(tx *records.Tx) error { return createEvent(ctx, tx, event) })
}

func createEvent(ctx context.Context, tx *records.Tx, event *upkeep.Event) error {
	if event.At.IsZero() {
		event.At = tx.Now
	}
	return tx.QueryRowContext(ctx,
		`INSERT INTO event (intervention, at, state, code, params) VALUES ($1, $2, $3, $4, $5) RETURNING id`,
		event.Intervention, column.Stamp(event.At), event.State, event.Code, column.Document{Of: event.Params}).Scan(&event.ID)
}

func scanEvent(row records.Row) (event upkeep.Event, err error) {
	err = row.Scan(&event.ID, &event.Intervention, (*column.Stamp)(&event.At), &event.State, &event.Code, column.Document{Of: &event.Params})
	return event, err
}
