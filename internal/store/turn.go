package store

import (
	"context"
	"database/sql"
	"errors"

	"upkeep"
	"upkeep/internal/store/column"
	"upkeep/internal/store/records"
)

// Sight notes that a site of a CMS was offered releases, and sets when the
// fleet first knew of each, and first knew of it as a security update.
func (db *DB) Sight(ctx context.Context, cms upkeep.CMS, sightings []upkeep.Sighting) (err error) {
	defer upkeep.Wrap(&err, "note releases")
	// Most are known: a transaction that only reads does for these.
	missing := false
	err = db.records.Read(ctx, func(tx *records.Tx) error {
		for i := range sightings {
			s := &sightings[i]
			if err := findSighting(ctx, tx, cms, s); err != nil {
				return err
			}
			missing = missing || s.Seen.IsZero() || s.Security && s.Flagged.IsZero()
		}
		return nil
	})
	if err != nil || !missing {
		return err
	}
	return db.records.Write(ctx, func(tx *records.Tx) error {
		for i := range sightings {
			s := &sightings[i]
			flagged := column.Stamp{}
			if s.Security {
				flagged = column.Stamp(tx.Now)
			}
			err := tx.QueryRowContext(ctx, `INSERT INTO sighting (cms, component, version, seen, flagged) VALUES ($1, $2, $3, $4, $5)
				ON CONFLICT (cms, component, version) DO UPDATE SET flagged = coalesce(sighting.flagged, excluded.flagged)
				RETURNING seen, flagged`,
				cms, s.Component, s.Version, column.Stamp(tx.Now), flagged).Scan((*column.Stamp)(&s.Seen), (*column.Stamp)(&s.Flagged))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func findSighting(ctx context.Context, tx *records.Tx, cms upkeep.CMS, s *upkeep.Sighting) error {
	err := tx.QueryRowContext(ctx, `SELECT seen, flagged FROM sighting WHERE cms = $1 AND component = $2 AND version = $3`,
		cms, s.Component, s.Version).Scan((*column.Stamp)(&s.Seen), (*column.Stamp)(&s.Flagged))
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}

// Approve notes somebody's yes to updates of a site, and closes the task that
// asked for it, whose code is task. The first yes to an update stays.
func (db *DB) Approve(ctx context.Context, approvals []upkeep.Approval, task string) (err error) {
	defer upkeep.Wrap(&err, "approve updates")
	return db.records.Write(ctx, func(tx *records.Tx) error {
		for i := range approvals {
			a := &approvals[i]
			a.At = tx.Now
			if _, err := tx.ExecContext(ctx, `INSERT INTO approval (site, component, version, actor, at) VALUES ($1, $2, $3, $4, $5)
				ON CONFLICT (site, component, version) DO NOTHING`, a.Site, a.Component, a.Version, a.Actor, column.Stamp(a.At)); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `UPDATE task SET closed = $1 WHERE site = $2 AND code = $3 AND closed IS NULL`,
				column.Stamp(tx.Now), a.Site, task); err != nil {
				return err
			}
		}
		return nil
	})
}

// Approvals returns what was said yes to on a site, oldest first.
func (db *DB) Approvals(ctx context.Context, site upkeep.SiteID) (found []upkeep.Approval, err error) {
	err = db.records.Read(ctx, func(tx *records.Tx) error {
		found, err = records.Collect(ctx, tx, `SELECT site, component, version, actor, at FROM approval WHERE site = $1 ORDER BY at, component`,
			[]any{site}, func(row records.Row) (a upkeep.Approval, err error) {
				err = row.Scan(&a.Site, &a.Component, &a.Version, &a.Actor, (*column.Stamp)(&a.At))
				return a, err
			})
		return err
	})
	return found, err
}

// Attempt returns how the last attempts on a site went, zero when there was
// none.
func (db *DB) Attempt(ctx context.Context, site upkeep.SiteID) (a upkeep.Attempt, err error) {
	err = db.records.Read(ctx, func(tx *records.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT site, failures, tried, why FROM attempt WHERE site = $1`, site).
			Scan(&a.Site, &a.Failures, (*column.Stamp)(&a.Tried), &a.Why)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return upkeep.Attempt{Site: site}, nil
	}
	return a, err
}

// PutAttempt notes how an attempt on a site went: why it failed, "" when it did
// not.
func (db *DB) PutAttempt(ctx context.Context, site upkeep.SiteID, why string) (err error) {
	defer upkeep.Wrap(&err, "note the attempt on site %s", site)
	return db.records.WriteOn(ctx, SiteLease(site), func(tx *records.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO attempt (site, failures, tried, why)
			VALUES ($1, CASE WHEN $2 = '' THEN 0 ELSE 1 END, $3, $2)
			ON CONFLICT (site) DO UPDATE SET tried = excluded.tried, why = excluded.why,
				failures = CASE WHEN excluded.why = '' THEN 0 ELSE attempt.failures + 1 END`,
			site, why, column.Stamp(tx.Now))
		return err
	})
}
