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

// CountRows counts the rows of every table of the site's database.
func (m mariadb) CountRows(ctx context.Context) (map[string]int64, error) {
	names, err := m.Query(ctx, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE LIKE 'BASE%'")
	if err != nil {
		return nil, err
	}
	// One table at a time: a single statement would name too many.
	counts := map[string]int64{}
	for _, row := range names {
		name := string(row[0])
		counted, err := m.Query(ctx, "SELECT COUNT(*) FROM `"+strings.ReplaceAll(name, "`", "``")+"`")
		if err != nil {
			return nil, err
		}
		if counts[name], err = strconv.ParseInt(string(counted[0][0]), 10, 64); err != nil {
			return nil, err
		}
	}
	return counts, nil
}
