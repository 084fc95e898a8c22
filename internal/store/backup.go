package store

import (
	"context"

	"upkeep"
	"upkeep/internal/store/column"
	"upkeep/internal/store/records"
)

const backupColumns = `SELECT id, site, intervention, moment, snapshot, taken, frozen, complete, verified,
	files, bytes, added, tables, manifest, note FROM backup`

// Backup returns a backup by number.
func (db *DB) Backup(ctx context.Context, id upkeep.BackupID) (backup *upkeep.Backup, err error) {
	err = db.records.Read(ctx, func(tx *records.Tx) error {
		backup, err = findBackup(ctx, tx, id)
		return err
	})
	return backup, err
}

// Backups returns the backups that filter leaves, newest first.
func (db *DB) Backups(ctx context.Context, filter upkeep.BackupFilter) (found []*upkeep.Backup, err error) {
	err = db.records.Read(ctx, func(tx *records.Tx) error {
		var w column.Where
		w.Add(filter.Site != 0, "site = ?", filter.Site)
		w.Add(filter.Intervention != 0, "intervention = ?", filter.Intervention)
		w.Add(filter.Moment != "", "moment = ?", filter.Moment)
		w.Plain(filter.Complete, "complete")
		query, args := w.Query(backupColumns, "id DESC", filter.Limit)
		found, err = records.Collect(ctx, tx, query, args, scanBackup)
		return err
	})
	return found, err
}

// CreateBackup adds a backup and sets its ID, and its Taken when that is
// zero. CodeConflict when the snapshot is recorded already.
func (db *DB) CreateBackup(ctx context.Context, backup *upkeep.Backup) (err error) {
	defer upkeep.Wrap(&err, "create backup of site %s", backup.Site)
	return db.records.Write(ctx, func(tx *records.Tx) error {
		if backup.Taken.IsZero() {
			backup.Taken = tx.Now
		}
		return tx.QueryRowContext(ctx, `INSERT INTO backup (moment, snapshot, taken, frozen, complete, verified,
				files, bytes, added, tables, manifest, note, site, intervention)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) RETURNING id`,
			append(backupValues(backup), backup.Site, column.Optional(backup.Intervention))...).Scan(&backup.ID)
	})
}

// UpdateBackup changes a backup by change; its ID, Site and Intervention stay.
func (db *DB) UpdateBackup(ctx context.Context, id upkeep.BackupID, change func(*upkeep.Backup) error) (err error) {
	defer upkeep.Wrap(&err, "update backup %s", id)
	return db.records.Write(ctx, func(tx *records.Tx) error {
		backup, err := findBackup(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := change(backup); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE backup SET moment = $1, snapshot = $2, taken = $3, frozen = $4,
				complete = $5, verified = $6, files = $7, bytes = $8, added = $9, tables = $10, manifest = $11, note = $12
			WHERE id = $13`, append(backupValues(backup), id)...)
		return err
	})
}

// DeleteBackup forgets a backup that was removed from its vault.
func (db *DB) DeleteBackup(ctx context.Context, id upkeep.BackupID) (err error) {
	defer upkeep.Wrap(&err, "delete backup %s", id)
	return db.records.Write(ctx, func(tx *records.Tx) error {
		deleted, err := records.Changed(tx.ExecContext(ctx, `DELETE FROM backup WHERE id = $1`, id))
		if err == nil && !deleted {
			return upkeep.Errorf(upkeep.CodeNotFound, "backup %s does not exist", id)
		}
		return err
	})
}

func findBackup(ctx context.Context, tx *records.Tx, id upkeep.BackupID) (*upkeep.Backup, error) {
	row := tx.QueryRowContext(ctx, backupColumns+` WHERE id = $1`, id)
	return records.Single(row, scanBackup, "backup", id)
}

// backupValues lists what may change, in the order both statements name it.
func backupValues(b *upkeep.Backup) []any {
	return []any{b.Moment, b.Snapshot, column.Stamp(b.Taken), b.Frozen, b.Complete, column.Stamp(b.Verified),
		b.Files, b.Bytes, b.Added, b.Tables, b.Manifest, b.Note}
}

func scanBackup(row records.Row) (*upkeep.Backup, error) {
	var b upkeep.Backup
	err := row.Scan(&b.ID, &b.Site, (*column.Optional)(&b.Intervention), &b.Moment, &b.Snapshot, (*column.Stamp)(&b.Taken),
		&b.Frozen, &b.Complete, (*column.Stamp)(&b.Verified), &b.Files, &b.Bytes, &b.Added, &b.Tables, &b.Manifest, &b.Note)
	return &b, err
}
