package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"upkeep"
	"upkeep/internal/store/column"
	"upkeep/internal/store/records"
)

const inventoryColumns = `SELECT seen, body FROM inventory`

// Inventory returns the last inventory of a site, Taken when it was last seen
// so. CodeNotFound when none was taken.
func (db *DB) Inventory(ctx context.Context, site upkeep.SiteID) (inventory *upkeep.Inventory, err error) {
	err = db.records.Read(ctx, func(tx *records.Tx) error {
		row := tx.QueryRowContext(ctx, inventoryColumns+` WHERE site = $1 ORDER BY id DESC LIMIT 1`, site)
		inventory, err = records.Single(row, scanInventory, "inventory of site", site)
		return err
	})
	return inventory, err
}

// Inventories returns the inventories that differed from the one before,
// newest first.
func (db *DB) Inventories(ctx context.Context, filter upkeep.InventoryFilter) (found []*upkeep.Inventory, err error) {
	err = db.records.Read(ctx, func(tx *records.Tx) error {
		var w column.Where
		w.Add(filter.Site != 0, "site = ?", filter.Site)
		query, args := w.Query(inventoryColumns, "id DESC", filter.Limit)
		found, err = records.Collect(ctx, tx, query, args, scanInventory)
		return err
	})
	return found, err
}

// CreateInventory keeps an inventory. When nothing but the instant differs
// from the last one, only that instant is noted and changed is false. An
// inventory older than the last one is not kept.
func (db *DB) CreateInventory(
	ctx context.Context, site upkeep.SiteID, inventory *upkeep.Inventory,
) (isNew bool, err error) {
	defer upkeep.Wrap(&err, "create inventory of site %s", site)
	timeless := *inventory
	timeless.Taken = time.Time{}
	body, err := json.Marshal(timeless)
	if err != nil {
		return false, err
	}
	sum := sha256.Sum256(body)
	digest := hex.EncodeToString(sum[:])
	err = db.records.WriteOn(ctx, SiteLease(site), func(tx *records.Tx) error {
		var id int64
		var last string
		var seen time.Time
		err := tx.QueryRowContext(ctx,
			`SELECT id, digest, seen FROM inventory WHERE site = $1 ORDER BY id DESC LIMIT 1`, site).
			Scan(&id, &last, (*column.Stamp)(&seen))
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if inventory.Taken.Before(seen) {
			return nil
		}
		if last == digest {
			_, err = tx.ExecContext(ctx, `UPDATE inventory SET seen = $1 WHERE id = $2`, column.Stamp(inventory.Taken), id)
			return err
		}
		isNew = true
		_, err = tx.ExecContext(ctx,
			`INSERT INTO inventory (site, digest, taken, seen, body) VALUES ($1, $2, $3, $4, $5)`,
			site, digest, column.Stamp(inventory.Taken), column.Stamp(inventory.Taken), string(body))
		return err
	})
	return isNew && err == nil, err
}

func scanInventory(row records.Row) (*upkeep.Inventory, error) {
	var inventory upkeep.Inventory
	var seen time.Time
	err := row.Scan((*column.Stamp)(&seen), column.Document{Of: &inventory})
	inventory.Taken = seen
	return &inventory, err
}
