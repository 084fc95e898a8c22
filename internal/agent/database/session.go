package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"

	"upkeep"
)

// session is one connection of ours with known settings, spoken to below
// database/sql: rows are handed on without a copy.
type session struct {
	conn *sql.Conn
	raw  driver.Conn
}

// settings make every reading and writing independent of the server's
// configuration: bytes pass unconverted, times are UTC, zero and impossible
// dates are values like others, 0 is not "next number".
var settings = []string{
	"SET NAMES binary",
	"SET SESSION character_set_results = NULL",
	"SET SESSION time_zone = '+00:00'",
	"SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION'",
	"SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
	"SET SESSION foreign_key_checks = 0",
	"SET SESSION sql_quote_show_create = 1",
	"SET SESSION max_sort_length = 4096", // above the longest key
	"SET SESSION net_write_timeout = 3600, net_read_timeout = 3600, wait_timeout = 28800",
	"SET SESSION lock_wait_timeout = 10, innodb_lock_wait_timeout = 10",
	// A data import's settings: rows that were once accepted stay acceptable.
	"SET SESSION innodb_strict_mode = 0",
	"/*M! SET SESSION check_constraint_checks = 0 */",
	"/*M! SET SESSION max_statement_time = 0 */",
	"/*M! SET SESSION system_versioning_alter_history = KEEP */",
}

func (db *DB) session(ctx context.Context) (_ *session, err error) {
	conn, err := db.pool.Conn(ctx)
	if err != nil {
		return nil, translate(ctx, err)
	}
	s := &session{conn: conn}
	err = conn.Raw(func(raw any) error { s.raw = raw.(driver.Conn); return nil })
	if err != nil {
		return nil, translate(ctx, err)
	}
	for _, set := range settings {
		if err := s.exec(ctx, set); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

// close ends the connection instead of handing its settings to the next user.
func (s *session) close() {
	_ = s.conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = s.conn.Close() // already gone
}

// exec runs a statement.
func (s *session) exec(ctx context.Context, query string) error {
	_, err := s.execCount(ctx, query)
	return err
}

func (s *session) execCount(ctx context.Context, query string) (int64, error) {
	result, err := s.raw.(driver.ExecerContext).ExecContext(ctx, query, nil)
	if err != nil {
		return 0, named(translate(ctx, err), query)
	}
	n, err := result.RowsAffected()
	return n, err
}

// each calls fn for every row; cells are only valid during the call.
func (s *session) each(ctx context.Context, query string, fn func(row []driver.Value) error) error {
	if err := rawRows(ctx, s.raw, query, fn); err != nil {
		return named(translate(ctx, err), query)
	}
	return nil
}

// table returns all rows as strings, NULL as "".
func (s *session) table(ctx context.Context, query string) ([][]string, error) {
	var rows [][]string
	err := s.each(ctx, query, func(row []driver.Value) error {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = text(cell)
		}
		rows = append(rows, cells)
		return nil
	})
	return rows, err
}

// row returns the first row, or CodeNotFound.
func (s *session) row(ctx context.Context, query string) ([]string, error) {
	rows, err := s.table(ctx, query)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, upkeep.Errorf(upkeep.CodeNotFound, "%s: nothing", query)
	}
	return rows[0], nil
}

func text(cell driver.Value) string {
	switch v := cell.(type) {
	case nil:
		return ""
	case []byte:
		return string(v)
	default:
		return fmt.Sprint(v)
	}
}

// named puts the beginning of a statement before its error; never its values.
func named(err error, query string) error {
	words := strings.Fields(query[:min(len(query), 60)])
	upkeep.Wrap(&err, "%s", strings.Join(words[:min(len(words), 3)], " "))
	return err
}

func rawRows(ctx context.Context, conn driver.Conn, query string, fn func(row []driver.Value) error) (err error) {
	rows, err := conn.(driver.QueryerContext).QueryContext(ctx, query, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	cells := make([]driver.Value, len(rows.Columns()))
	for {
		switch err := rows.Next(cells); {
		case err == io.EOF: // the bare value: a broken connection wraps it
			return nil
		case err != nil:
			return err
		}
		if err := fn(cells); err != nil {
			return err
		}
	}
}

// ident quotes a name for SQL.
func ident(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// literal quotes a string for SQL.
func literal(s string) string { return string(appendQuoted(nil, []byte(s))) }
