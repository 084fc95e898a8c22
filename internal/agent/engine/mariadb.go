package engine

import (
	"context"
	"strconv"
	"strings"
	"time"

	"upkeep"
	"upkeep/internal/agent/database"
)

// mariadb answers what the transaction asks with what package database says.
type mariadb struct{ *database.DB }

// Restore is DB.Restore, and returns what the database then holds.
func (m mariadb) Restore(ctx context.Context, dir string, progress func(upkeep.Progress)) ([]upkeep.Object, error) {
	stats, err := m.DB.Restore(ctx, dir, progress)
	return stats.Objects, err
}

// RestoreInto is DB.RestoreInto.
func (m mariadb) RestoreInto(ctx context.Context, dir string, progress func(upkeep.Progress)) error {
	_, err := m.DB.RestoreInto(ctx, dir, progress)
	return err
}

// Drain is DB.Drain, and returns how many connections were ended at work.
func (m mariadb) Drain(ctx context.Context, timeout time.Duration) (int, error) {
	result, err := m.DB.Drain(ctx, timeout)
	return len(result.Killed), err
}

// CountRows counts the rows of every table of the site's database, of some no
// further than enough.
func (m mariadb) CountRows(ctx context.Context, enough map[string]int64) (map[string]int64, error) {
	names, err := m.Query(ctx, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE LIKE 'BASE%'")
	if err != nil {
		return nil, err
	}
	// One table at a time: a single statement would name too many.
	counts := map[string]int64{}
	for _, row := range names {
		name := string(row[0])
		if counts[name], err = m.countTable(ctx, "`"+strings.ReplaceAll(name, "`", "``")+"`", enough[name]); err != nil {
			return nil, err
		}
	}
	return counts, nil
}

// countTable asks for the row that makes it enough first: a large table is then
// read half, and nothing of it is copied.
func (m mariadb) countTable(ctx context.Context, table string, enough int64) (int64, error) {
	if enough > 0 {
		found, err := m.Query(ctx, "SELECT 1 FROM "+table+" LIMIT 1 OFFSET "+strconv.FormatInt(enough-1, 10))
		if err != nil || len(found) > 0 {
			return enough, err
		}
	}
	counted, err := m.Query(ctx, "SELECT COUNT(*) FROM "+table)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(string(counted[0][0]), 10, 64)
}
