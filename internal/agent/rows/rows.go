// Package rows notices data that an update lost although every page still looks
// well.
package rows

import (
	"fmt"
	"strings"

	"upkeep"
)

// transientTables are words in the names of tables that may be emptied at any
// time: what they hold is made anew.
var transientTables = [...]string{"cache", "session", "log", "queue", "lock", "transient", "tmp", "temp"}

// Enough says for each table from how many rows on it is no use to count more:
// half of those it had. Of a table that was not there all count.
func Enough(before []upkeep.Object) map[string]int64 {
	enough := make(map[string]int64, len(before))
	for _, table := range before {
		if table.Kind == "table" {
			enough[table.Name] = (table.Rows + 1) / 2
		}
	}
	return enough
}

// Compare judges how many rows each table has now: one that is gone, or that
// lost more than half of its rows, is lost. A table that a migration replaced
// shows as a new one with as many rows.
func Compare(before []upkeep.Object, now map[string]int64) []upkeep.Check {
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
			check.Get(upkeep.Words("no table"))
		}
		checks = append(checks, check)
	}
	if len(checks) == 0 {
		checks = []upkeep.Check{{Code: "rows", OK: true}}
	}
	return checks
}

func isTransient(table string) bool {
	table = table[strings.LastIndexByte(table, '/')+1:] // of several databases each has its label before
	for _, word := range transientTables {
		if strings.Contains(table, word) {
			return true
		}
	}
	return false
}
