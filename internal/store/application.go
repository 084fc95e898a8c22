package store

import (
	"context"

	"upkeep"
	"upkeep/internal/store/column"
	"upkeep/internal/store/records"
)

const applicationColumns = `SELECT id, host, found, first, last, gone, dismissed FROM application`

// Applications returns all that scans found, by host and root.
func (db *DB) Applications(ctx context.Context) (found []*upkeep.Hosted, err error) {
	err = db.records.Read(ctx, func(tx *records.Tx) error {
		found, err = records.Collect(ctx, tx, applicationColumns+` ORDER BY host, place`, nil, scanApplication)
		return err
	})
	return found, err
}

// Application returns one of them.
func (db *DB) Application(ctx context.Context, id upkeep.ApplicationID) (found *upkeep.Hosted, err error) {
	err = db.records.Read(ctx, func(tx *records.Tx) error {
		found, err = records.Single(tx.QueryRowContext(ctx, applicationColumns+` WHERE id = $1`, id), scanApplication, "application", id)
		return err
	})
	return found, err
}

// Uncovered counts the applications that are there, no site, and not
// dismissed.
func (db *DB) Uncovered(ctx context.Context) (count int, err error) {
	err = db.records.Read(ctx, func(tx *records.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT count(*) FROM application
			WHERE gone IS NULL AND dismissed = 'null' AND place NOT IN (SELECT root FROM site)`).Scan(&count)
	})
	return count, err
}

// KeepScan keeps what a scan of a host brought, and says what changed.
func (db *DB) KeepScan(ctx context.Context, host upkeep.HostID, scan *upkeep.Scan) (changes *upkeep.ScanChanges, err error) {
	defer upkeep.Wrap(&err, "keep scan")
	err = db.records.Write(ctx, func(tx *records.Tx) error {
		changes = &upkeep.ScanChanges{}
		for i := range scan.Discoveries {
			if err := keepDiscovery(ctx, tx, host, &scan.Discoveries[i], changes); err != nil {
				return err
			}
		}
		for _, root := range scan.Missing {
			gone, err := records.Collect(ctx, tx, applicationColumns+` WHERE place = $1 AND gone IS NULL`, []any{placeOf(host, root)}, scanApplication)
			if err != nil {
				return err
			}
			if len(gone) == 0 {
				continue
			}
			if _, err := tx.ExecContext(ctx, `UPDATE application SET gone = $1 WHERE id = $2`, column.Stamp(tx.Now), gone[0].ID); err != nil {
				return err
			}
			gone[0].Gone = tx.Now
			changes.Gone = append(changes.Gone, gone[0])
		}
		return nil
	})
	return changes, err
}

func keepDiscovery(ctx context.Context, tx *records.Tx, host upkeep.HostID, d *upkeep.Discovery, changes *upkeep.ScanChanges) error {
	place := placeOf(host, d.Root)
	had, err := records.Collect(ctx, tx, applicationColumns+` WHERE place = $1`, []any{place}, scanApplication)
	if err != nil {
		return err
	}
	now := &upkeep.Hosted{Host: host, Discovery: *d, First: tx.Now, Last: tx.Now}
	if len(had) == 0 {
		changes.New = append(changes.New, now)
		return tx.QueryRowContext(ctx, `INSERT INTO application (host, place, found, first, last, dismissed)
			VALUES ($1, $2, $3, $4, $5, 'null') RETURNING id`, column.Optional(host), place, column.Document{Of: d}, column.Stamp(now.First), column.Stamp(now.Last)).Scan(&now.ID)
	}
	before := had[0]
	now.ID, now.First, now.Dismissed = before.ID, before.First, before.Dismissed
	switch {
	case before.Dismissed != nil && !before.Same(d):
		now.Dismissed = nil
		changes.Back = append(changes.Back, now)
	case before.Dismissed == nil && !before.Gone.IsZero():
		changes.Back = append(changes.Back, now)
	}
	_, err = tx.ExecContext(ctx, `UPDATE application SET found = $1, last = $2, gone = NULL, dismissed = $3 WHERE id = $4`,
		column.Document{Of: d}, column.Stamp(tx.Now), column.Document{Of: now.Dismissed}, now.ID)
	return err
}

// DismissApplication keeps why an application is not to be kept.
func (db *DB) DismissApplication(ctx context.Context, id upkeep.ApplicationID, dismissal *upkeep.Dismissal) (err error) {
	defer upkeep.Wrap(&err, "dismiss application %s", id)
	return db.records.Write(ctx, func(tx *records.Tx) error {
		dismissal.At = tx.Now
		found, err := records.Changed(tx.ExecContext(ctx, `UPDATE application SET dismissed = $1 WHERE id = $2`, column.Document{Of: dismissal}, id))
		if err == nil && !found {
			return upkeep.Errorf(upkeep.CodeNotFound, "application %s does not exist", id)
		}
		return err
	})
}

func scanApplication(row records.Row) (*upkeep.Hosted, error) {
	var a upkeep.Hosted
	err := row.Scan(&a.ID, (*column.Optional)(&a.Host), column.Document{Of: &a.Discovery}, (*column.Stamp)(&a.First), (*column.Stamp)(&a.Last), (*column.Stamp)(&a.Gone), column.Document{Of: &a.Dismissed})
	return &a, err
}
