// Package session speaks to a MariaDB or MySQL server through single
// connections with known settings, below database/sql, and gives the server's
// errors codes and hints.
package session

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

// Session is one connection of ours with known settings, spoken to below
// database/sql: rows are handed on without a copy.
type Session struct {
	conn *sql.Conn
	raw  driver.Conn
}

// Settings that making a stored program changes for a moment.
const (
	SetZone = "SET SESSION time_zone = '+00:00'"
	SetMode = "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION'"
)

// Settings make every reading and writing independent of the server's
// configuration: bytes pass unconverted, times are UTC, zero and impossible
// dates are values like others, 0 is not "next number".
var Settings = [...]string{
	"SET NAMES binary",
	"SET SESSION character_set_results = NULL",
	SetZone,
	SetMode,
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

// Open takes a connection out of a pool and sets it. The caller closes it.
func Open(ctx context.Context, pool *sql.DB) (_ *Session, err error) {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, Translate(ctx, err)
	}
	s := &Session{conn: conn}
	err = conn.Raw(func(raw any) error { s.raw = raw.(driver.Conn); return nil })
	if err != nil {
		return nil, Translate(ctx, err)
	}
	for _, set := range Settings {
		if err := s.Exec(ctx, set); err != nil {
			s.Close()
			return nil, err
		}
	}
	return s, nil
}

// Close ends the connection instead of handing its settings to the next user.
func (s *Session) Close() {
	_ = s.conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = s.conn.Close() // already gone
}

// Exec runs a statement.
func (s *Session) Exec(ctx context.Context, query string) error {
	_, err := s.execCount(ctx, query)
	return err
}

// ExecAll runs statements one after the other.
func (s *Session) ExecAll(ctx context.Context, queries []string) error {
	for _, query := range queries {
		if err := s.Exec(ctx, query); err != nil {
			return err
		}
	}
	return nil
}

// execCount runs a statement and returns how many rows it changed.
func (s *Session) execCount(ctx context.Context, query string) (int64, error) {
	result, err := s.raw.(driver.ExecerContext).ExecContext(ctx, query, nil)
	if err != nil {
		return 0, named(Translate(ctx, err), query)
	}
	n, err := result.RowsAffected()
	return n, err
}

// Each calls fn for every row; cells are only valid during the call.
func (s *Session) Each(ctx context.Context, query string, fn func(row []driver.Value) error) error {
	if err := rawRows(ctx, s.raw, query, fn); err != nil {
		return named(Translate(ctx, err), query)
	}
	return nil
}

// Table returns all rows as strings, NULL as "".
func (s *Session) Table(ctx context.Context, query string) ([][]string, error) {
	var rows [][]string
	err := s.Each(ctx, query, func(row []driver.Value) error {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = Text(cell)
		}
		rows = append(rows, cells)
		return nil
	})
	return rows, err
}

// Row returns the first row, or CodeNotFound.
func (s *Session) Row(ctx context.Context, query string) ([]string, error) {
	rows, err := s.Table(ctx, query)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, upkeep.Errorf(upkeep.CodeNotFound, "%s: nothing", query)
	}
	return rows[0], nil
}

// Text is a cell as the server would print it, "" for NULL.
func Text(cell driver.Value) string {
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

// rawRows calls fn for every row of a query on a driver's connection; cells
// are only valid during the call.
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

// Ident quotes a name for SQL.
func Ident(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// Literal quotes a string for SQL.
func Literal(s string) string { return string(AppendQuoted(nil, []byte(s))) }

// escapes gives the letter after the backslash for the bytes that need one,
// in a literal on one line that survives the mariadb client: it drops
// carriage returns and stops at NUL.
var escapes = [256]byte{0: '0', '\n': 'n', '\r': 'r', 0x1a: 'Z', '\'': '\'', '\\': '\\'}

// AppendQuoted writes v as a string literal of SQL.
func AppendQuoted(b, v []byte) []byte {
	b = append(b, '\'')
	start := 0
	for i, c := range v {
		if e := escapes[c]; e != 0 {
			b = append(append(b, v[start:i]...), '\\', e)
			start = i + 1
		}
	}
	return append(append(b, v[start:]...), '\'')
}
