package database

import (
	"context"
	"strconv"
	"strings"
	"time"

	"upkeep"
)

// Engine is a database as the agent asks for one, whichever engine runs it.
type Engine struct{ *DB }

// Restore is DB.Restore, and returns what the database then holds.
func (e Engine) Restore(ctx context.Context, dir string, progress func(upkeep.Progress)) ([]upkeep.Object, error) {
	stats, err := e.DB.Restore(ctx, dir, progress)
	return stats.Objects, err
}

// RestoreInto is DB.RestoreInto.
func (e Engine) RestoreInto(ctx context.Context, dir string, progress func(upkeep.Progress)) error {
	_, err := e.DB.RestoreInto(ctx, dir, progress)
	return err
}

// Drain is DB.Drain, and returns how many connections were ended at work.
func (e Engine) Drain(ctx context.Context, timeout time.Duration) (int, error) {
	result, err := e.DB.Drain(ctx, timeout)
	return len(result.Killed), err
}

// CountRows counts the rows of every table of the site's database.
func (db *DB) CountRows(ctx context.Context) (map[string]int64, error) {
	names, err := db.Query(ctx, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE LIKE 'BASE%'")
	if err != nil {
		return nil, err
	}
	// One table at a time: a single statement would name too many.
	counts := map[string]int64{}
	for _, row := range names {
		name := string(row[0])
		counted, err := db.Query(ctx, "SELECT COUNT(*) FROM `"+strings.ReplaceAll(name, "`", "``")+"`")
		if err != nil {
			return nil, err
		}
		if counts[name], err = strconv.ParseInt(string(counted[0][0]), 10, 64); err != nil {
			return nil, err
		}
	}
	return counts, nil
}
