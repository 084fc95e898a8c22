package agent

import (
	"context"
	"strconv"
	"strings"

	"upkeep"
	"upkeep/internal/agent/rows"
	"upkeep/internal/cms"
)

// rowChecks compares how many rows there are with how many there were.
func (a *Agent) rowChecks(ctx context.Context, s *session) ([]upkeep.Check, error) {
	if s.layout.Database == nil {
		return nil, nil
	}
	before, err := readManifest(a.path("manifest"))
	if err != nil {
		return nil, err
	}
	now, err := s.host.countRows(ctx, s.layout.Database)
	if err != nil {
		return nil, err
	}
	return rows.Compare(before.Tables, now), nil
}

// countRows counts the rows of every table of the site's database.
func (h *host) countRows(ctx context.Context, db *cms.Database) (map[string]int64, error) {
	names, err := h.Query(ctx, db, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE LIKE 'BASE%'")
	if err != nil || len(names) == 0 {
		return nil, err
	}
	// One table at a time: a single statement would name too many.
	counts := map[string]int64{}
	for _, row := range names {
		name := string(row[0])
		quoted := "`" + strings.ReplaceAll(name, "`", "``") + "`"
		counted, err := h.Query(ctx, db, "SELECT COUNT(*) FROM "+quoted)
		if err != nil {
			return nil, err
		}
		if counts[name], err = strconv.ParseInt(string(counted[0][0]), 10, 64); err != nil {
			return nil, err
		}
	}
	return counts, nil
}
