package agent

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
)

// transientTables are words in the names of tables that may be emptied at any
// time: what they hold is made anew.
var transientTables = [...]string{"cache", "session", "log", "queue", "lock", "transient", "tmp", "temp"}

// rowChecks notices data that an update lost although every page still looks
// well: a table that is gone, or that lost more than half of its rows. A table
// that a migration replaced shows as a new one with as many rows.
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
	return compareRows(before.Tables, now), nil
}

func compareRows(before []upkeep.Object, now map[string]int64) []upkeep.Check {
	known := map[string]bool{}
	for _, table := range before {
		known[table.Name] = true
	}
	var newest int64 // rows of the largest new table
	for name, rows := range now {
		if !known[name] {
			newest = max(newest, rows)
		}
	}
	var checks []upkeep.Check
	for _, table := range before {
		if table.Kind != "table" || table.Rows == 0 || isTransient(table.Name) {
			continue
		}
		rows, there := now[table.Name]
		if there && rows*2 >= table.Rows || newest >= table.Rows {
			continue
		}
		check := upkeep.Check{Code: "rows", Subject: table.Name, Want: fmt.Sprint(table.Rows), Got: fmt.Sprint(rows)}
		if !there {
			check.Got = "no table"
		}
		checks = append(checks, check)
	}
	if len(checks) == 0 {
		checks = []upkeep.Check{{Code: "rows", OK: true}}
	}
	return checks
}

func isTransient(table string) bool {
	for _, word := range transientTables {
		if strings.Contains(table, word) {
			return true
		}
	}
	return false
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
