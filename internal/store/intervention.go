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

const interventionColumns = `SELECT id, site, state, requester, created, started, ended, cancel_at, body
	FROM intervention`

// Intervention returns an intervention by number.
func (db *DB) Intervention(ctx context.Context, id upkeep.InterventionID) (iv *upkeep.Intervention, err error) {
	err = db.records.Read(ctx, func(tx *records.Tx) error {
		iv, err = findIntervention(ctx, tx, id)
		return err
	})
	return iv, err
}

// Interventions returns the interventions that filter leaves, newest first.
func (db *DB) Interventions(
	ctx context.Context, filter upkeep.InterventionFilter,
) (found []*upkeep.Intervention, err error) {
	err = db.records.Read(ctx, func(tx *records.Tx) error {
		var w column.Where
		w.Add(filter.Site != 0, "site = ?", filter.Site)
		w.Plain(filter.Unended, "ended IS NULL")
		w.Add(!filter.EndedAfter.IsZero(), "ended > ?", column.Stamp(filter.EndedAfter))
		w.Add(filter.Unleased, `NOT EXISTS (SELECT 1 FROM lease
			WHERE lease.key = 'intervention/' || intervention.id AND lease.expires > ?)`, column.Stamp(tx.Now))
		query, args := w.Query(interventionColumns, "id DESC", filter.Limit)
		found, err = records.Collect(ctx, tx, query, args, scanIntervention)
		return err
	})
	return found, err
}

// CreateIntervention adds a planned intervention and sets its ID, State and
// Created. CodeConflict while another one on the site has not ended.
func (db *DB) CreateIntervention(ctx context.Context, iv *upkeep.Intervention) (err error) {
	defer upkeep.Wrap(&err, "create intervention on site %s", iv.Site)
	return db.records.Write(ctx, func(tx *records.Tx) error {
		if _, err := findSite(ctx, tx, iv.Site); err != nil {
			return err
		}
		if err := checkNoneUnended(ctx, tx, iv.Site); err != nil {
			return err
		}
		iv.State, iv.Created, iv.Started, iv.Ended = upkeep.Planned, tx.Now, time.Time{}, time.Time{}
		err := tx.QueryRowContext(ctx, `INSERT INTO intervention (site, state, requester, created, cancel_at, body)
			VALUES ($1, $2, $3, $4, $5, $6) RETURNING id`,
			iv.Site, iv.State, iv.Requester, column.Stamp(iv.Created), column.Stamp(iv.CancelAt), interventionBody(iv)).Scan(&iv.ID)
		if err != nil {
			return err
		}
		return createEvent(ctx, tx, &upkeep.Event{Intervention: iv.ID, State: iv.State, Code: "state"})
	})
}

// AdvanceIntervention changes the state of an intervention from change[0] to
// change[1], applies edit (which may be nil) and writes the event "state", all
// or nothing. Started and Ended are set from the change; what it proved is kept
// with the end. CodeConflict when
// holder does not have the lease, the state is not change[0] any more, or
// there is no such transition; the database itself refuses the last.
func (db *DB) AdvanceIntervention(
	ctx context.Context, id upkeep.InterventionID, holder string, change [2]upkeep.State,
	edit func(*upkeep.Intervention) error,
) (err error) {
	from, to := change[0], change[1]
	defer upkeep.Wrap(&err, "advance intervention %s from %s to %s", id, from, to)
	return db.records.WriteOn(ctx, InterventionLease(id), func(tx *records.Tx) error {
		iv, err := editIntervention(ctx, tx, id, holder, edit)
		if err != nil {
			return err
		}
		if iv.State != from {
			return upkeep.Errorf(upkeep.CodeConflict, "intervention %s is %s now", id, iv.State)
		}
		if from == to {
			return upkeep.Errorf(upkeep.CodeConflict, "no such transition")
		}
		iv.State = to
		if iv.Started.IsZero() {
			iv.Started = tx.Now
		}
		iv.Ended = time.Time{}
		if to.Ended() {
			iv.Ended = tx.Now
		}
		if err := writeIntervention(ctx, tx, iv); err != nil {
			return err
		}
		if to.Ended() {
			if err := writeEvidence(ctx, tx, iv); err != nil {
				return err
			}
		}
		event := upkeep.Event{Intervention: id, State: to, Code: "state", Params: map[string]any{"from": from}}
		return createEvent(ctx, tx, &event)
	})
}

// UpdateIntervention applies edit to what an intervention knows: progress,
// outcomes, backups, search. Its state, times and requester stay, and so does
// CancelAt. CodeConflict when holder does not have the lease.
func (db *DB) UpdateIntervention(
	ctx context.Context, id upkeep.InterventionID, holder string, edit func(*upkeep.Intervention) error,
) (err error) {
	defer upkeep.Wrap(&err, "update intervention %s", id)
	return db.records.WriteOn(ctx, InterventionLease(id), func(tx *records.Tx) error {
		iv, err := editIntervention(ctx, tx, id, holder, edit)
		if err != nil {
			return err
		}
		return writeIntervention(ctx, tx, iv)
	})
}

// CancelIntervention notes that a person asked at the instant at to stop an
// intervention. Whoever advances it sees that at its next look. The first
// request stays; CodeConflict when the intervention has ended.
func (db *DB) CancelIntervention(ctx context.Context, id upkeep.InterventionID, at time.Time) (err error) {
	defer upkeep.Wrap(&err, "cancel intervention %s", id)
	return db.records.WriteOn(ctx, InterventionLease(id), func(tx *records.Tx) error {
		iv, err := findIntervention(ctx, tx, id)
		if err != nil {
			return err
		}
		if iv.State.Ended() {
			return upkeep.Errorf(upkeep.CodeConflict, "it is %s already", iv.State)
		}
		if !iv.CancelAt.IsZero() {
			return nil
		}
		if _, err := tx.ExecContext(ctx, `UPDATE intervention SET cancel_at = $1 WHERE id = $2`, column.Stamp(at), id); err != nil {
			return err
		}
		return createEvent(ctx, tx, &upkeep.Event{Intervention: id, State: iv.State, Code: "cancel_asked"})
	})
}

func findIntervention(ctx context.Context, tx *records.Tx, id upkeep.InterventionID) (*upkeep.Intervention, error) {
	row := tx.QueryRowContext(ctx, interventionColumns+` WHERE id = $1`, id)
	return records.Single(row, scanIntervention, "intervention", id)
}

// editIntervention reads an intervention that holder may change and applies
// edit to all of it but what the columns keep.
func editIntervention(
	ctx context.Context, tx *records.Tx, id upkeep.InterventionID, holder string, edit func(*upkeep.Intervention) error,
) (*upkeep.Intervention, error) {
	iv, err := findIntervention(ctx, tx, id)
	if err != nil {
		return nil, err
	}
	if err := checkLease(ctx, tx, InterventionLease(id), holder); err != nil {
		return nil, err
	}
	if edit == nil {
		return iv, nil
	}
	columns := *iv
	if err := edit(iv); err != nil {
		return nil, err
	}
	copyColumns(iv, &columns)
	return iv, nil
}

func writeIntervention(ctx context.Context, tx *records.Tx, iv *upkeep.Intervention) error {
	_, err := tx.ExecContext(ctx,
		`UPDATE intervention SET state = $1, started = $2, ended = $3, body = $4 WHERE id = $5`,
		iv.State, column.Stamp(iv.Started), column.Stamp(iv.Ended), interventionBody(iv), iv.ID)
	return err
}

// interventionBody is iv without what the columns keep, so that no fact is
// written twice.
func interventionBody(iv *upkeep.Intervention) column.Document {
	body := *iv
	copyColumns(&body, &upkeep.Intervention{})
	return column.Document{Of: body}
}

func copyColumns(to, from *upkeep.Intervention) {
	to.ID, to.Site, to.State, to.Requester = from.ID, from.Site, from.State, from.Requester
	to.Created, to.Started, to.Ended, to.CancelAt = from.Created, from.Started, from.Ended, from.CancelAt
}

func scanIntervention(row records.Row) (*upkeep.Intervention, error) {
	var iv, columns upkeep.Intervention
	err := row.Scan(&columns.ID, &columns.Site, &columns.State, &columns.Requester, (*column.Stamp)(&columns.Created),
		(*column.Stamp)(&columns.Started), (*column.Stamp)(&columns.Ended), (*column.Stamp)(&columns.CancelAt), column.Document{Of: &iv})
	copyColumns(&iv, &columns)
	return &iv, err
}

// checkNoneUnended names the intervention that is in the way, which the
// constraint's own error would not tell.
func checkNoneUnended(ctx context.Context, tx *records.Tx, site upkeep.SiteID) error {
	row := tx.QueryRowContext(ctx, interventionColumns+` WHERE site = $1 AND ended IS NULL`, site)
	other, err := scanIntervention(row)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return upkeep.Errorf(upkeep.CodeConflict, "intervention %s on site %s is %s", other.ID, site, other.State).
		WithHint("Wait until it has ended, or stop it with: upkeep intervention cancel %s", other.ID)
}
