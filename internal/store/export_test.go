package store

import (
	"context"
	"fmt"
)

// LimitPages makes the database full at that many pages, as a disk would.
func (db *DB) LimitPages(ctx context.Context, pages int) error {
	_, err := db.writer.ExecContext(ctx, fmt.Sprintf("PRAGMA max_page_count = %d", pages))
	return err
}
