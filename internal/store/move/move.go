// Package move copies the records of a SQLite file into an empty PostgreSQL, and
// proves that they are the same there.
package move

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"upkeep"
	"upkeep/internal/store/records"
)

// Table is what was moved of one table.
type Table struct {
	Name   string `json:"table"`
	Rows   int    `json:"rows"`
	Digest string `json:"digest"` // hex; of all rows, in whatever order
}

// seeded are the tables that new records have rows in.
var seeded = []string{"plan", "time_window", "transition"}

// Move copies all records from a SQLite file to a PostgreSQL, all or nothing;
// nobody writes either meanwhile. CodeConflict when there are records in the
// PostgreSQL already, CodeDamaged when what it then has differs.
func Move(ctx context.Context, from, to *records.DB) (moved []Table, err error) {
	defer upkeep.Wrap(&err, "move records")
	err = from.Write(ctx, func(source *records.Tx) error {
		return to.Write(ctx, func(target *records.Tx) error {
			moved, err = move(ctx, source, target)
			return err
		})
	})
	return moved, err
}

func move(ctx context.Context, source, target *records.Tx) (moved []Table, err error) {
	names, err := tables(ctx, source)
	if err != nil {
		return nil, err
	}
	if err := checkEmpty(ctx, target, names); err != nil {
		return nil, err
	}
	// An intervention begins planned, unless it began elsewhere.
	const trigger = ` TRIGGER intervention_begins_planned`
	if _, err := target.ExecContext(ctx, `ALTER TABLE intervention DISABLE`+trigger); err != nil {
		return nil, err
	}
	for _, name := range names {
		table, err := moveTable(ctx, source, target, name)
		if err != nil {
			return nil, err
		}
		moved = append(moved, table)
	}
	if err := continueNumbers(ctx, source, target); err != nil {
		return nil, err
	}
	_, err = target.ExecContext(ctx, `ALTER TABLE intervention ENABLE`+trigger)
	return moved, err
}

// tables lists the tables of records, each after those that it refers to.
func tables(ctx context.Context, source *records.Tx) (ordered []string, err error) {
	names, err := records.Collect(ctx, source, `SELECT name FROM sqlite_schema
		WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'migration' ORDER BY name`, nil, records.One[string])
	if err != nil {
		return nil, err
	}
	needs := map[string][]string{}
	for _, name := range names {
		needs[name], err = records.Collect(ctx, source, `SELECT "table" FROM pragma_foreign_key_list($1)`, []any{name}, records.One[string])
		if err != nil {
			return nil, err
		}
	}
	var visit func(name string)
	visit = func(name string) {
		if slices.Contains(ordered, name) {
			return
		}
		for _, other := range needs[name] {
			if other != name {
				visit(other)
			}
		}
		ordered = append(ordered, name)
	}
	for _, name := range names {
		visit(name)
	}
	return ordered, nil
}

// checkEmpty refuses records that hold anything, and takes out what new ones
// are made with.
func checkEmpty(ctx context.Context, target *records.Tx, names []string) error {
	for _, name := range names {
		if slices.Contains(seeded, name) {
			continue
		}
		full, err := records.One[bool](target.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM `+name+`)`))
		if err != nil {
			return err
		}
		if full {
			return upkeep.Errorf(upkeep.CodeConflict, "there are records in that database already: table %s has rows", name).
				WithHint("Create another database, and name it in UPKEEP_DATABASE_URL.")
		}
	}
	for _, name := range seeded {
		if _, err := target.ExecContext(ctx, `DELETE FROM `+name); err != nil {
			return err
		}
	}
	return nil
}

// moveTable copies a table and compares what either database then reads back.
func moveTable(ctx context.Context, source, target *records.Tx, name string) (_ Table, err error) {
	defer upkeep.Wrap(&err, "table %s", name)
	columns, err := records.Collect(ctx, target, `SELECT column_name, data_type FROM information_schema.columns
		WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position`, []any{name}, scanColumn)
	if err != nil {
		return Table{}, err
	}
	s := sheet{name: name, columns: columns}
	had := newDigest()
	if err := s.read(ctx, source, s.inserter(ctx, target, had)); err != nil {
		return Table{}, err
	}
	has := newDigest()
	if err := s.read(ctx, target, func(rows [][]any) error { has.add(rows); return nil }); err != nil {
		return Table{}, err
	}
	if had.rows != has.rows || had.String() != has.String() {
		return Table{}, upkeep.Errorf(upkeep.CodeDamaged, "%d rows were read and %d rows stand there, or they differ", had.rows, has.rows).
			WithHint("Nothing was moved: the state folder goes on as before.")
	}
	return Table{name, has.rows, has.String()}, nil
}

// continueNumbers has new rows numbered after the highest number there ever
// was: that of a deleted site still names folders.
func continueNumbers(ctx context.Context, source, target *records.Tx) error {
	type count struct {
		table string
		last  int64
	}
	counts, err := records.Collect(ctx, source, `SELECT name, seq FROM sqlite_sequence WHERE seq > 0`, nil, func(row records.Row) (c count, err error) {
		err = row.Scan(&c.table, &c.last)
		return c, err
	})
	if err != nil {
		return err
	}
	for _, c := range counts {
		if _, err := target.ExecContext(ctx, `SELECT setval(pg_get_serial_sequence($1, 'id'), $2)`, c.table, c.last); err != nil {
			return err
		}
	}
	return nil
}

// column is a column of either database, with its kind in PostgreSQL.
type column struct{ name, kind string }

func scanColumn(row records.Row) (c column, err error) {
	err = row.Scan(&c.name, &c.kind)
	return c, err
}

// sheet is a table as it is copied.
type sheet struct {
	name    string
	columns []column
}

func (s *sheet) names() string {
	var names []string
	for _, c := range s.columns {
		names = append(names, `"`+c.name+`"`)
	}
	return strings.Join(names, ", ")
}

// batch is how many rows go together.
const batch = 200

// read hands all rows on, some at a time, in the order of their first column.
func (s *sheet) read(ctx context.Context, tx *records.Tx, take func(rows [][]any) error) error {
	rows, err := tx.QueryContext(ctx, `SELECT `+s.names()+` FROM `+s.name+` ORDER BY 1`)
	if err != nil {
		return err
	}
	defer rows.Close()
	var some [][]any
	for rows.Next() {
		values := make([]any, len(s.columns))
		into := make([]any, len(values))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		for i := range values {
			values[i] = alike(values[i], s.columns[i].kind)
		}
		if some = append(some, values); len(some) < batch {
			continue
		}
		if err := take(some); err != nil {
			return err
		}
		some = nil
	}
	if err := rows.Err(); err != nil || len(some) == 0 {
		return err
	}
	return take(some)
}

// alike is a value as PostgreSQL has it: SQLite tells neither truths from
// numbers nor, always, bytes from text.
func alike(value any, kind string) any {
	switch v := value.(type) {
	case int64:
		if kind == "boolean" {
			return v != 0
		}
	case string:
		if kind == "bytea" {
			return []byte(v)
		}
	case []byte:
		if kind == "text" {
			return string(v)
		}
	}
	return value
}

// inserter writes rows to the target, and adds them to a digest.
func (s *sheet) inserter(ctx context.Context, target *records.Tx, had *digest) func([][]any) error {
	return func(rows [][]any) error {
		had.add(rows)
		var text strings.Builder
		text.WriteString(`INSERT INTO ` + s.name + ` (` + s.names() + `) VALUES `)
		var args []any
		for i, row := range rows {
			text.WriteString([]string{"", ", "}[min(i, 1)] + "(")
			for j, value := range row {
				args = append(args, value)
				fmt.Fprintf(&text, "%s$%d", []string{"", ", "}[min(j, 1)], len(args))
			}
			text.WriteByte(')')
		}
		_, err := target.ExecContext(ctx, text.String(), args...)
		return err
	}
}
