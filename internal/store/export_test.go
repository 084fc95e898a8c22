package store

import (
	"context"
	"fmt"

	"upkeep/internal/store/records"
)

// LimitPages makes the database full at that many pages, as a disk would.
func (db *DB) LimitPages(ctx context.Context, pages int) error {
	return db.records.Write(ctx, func(tx *records.Tx) error {
		_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA max_page_count = %d", pages))
		return err
	})
}
