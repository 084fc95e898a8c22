package store

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"upkeep"
)

// stamp is a time as columns keep it: microseconds since 1970, NULL for the
// zero time.
type stamp time.Time

// Value implements driver.Valuer.
func (s stamp) Value() (driver.Value, error) {
	if time.Time(s).IsZero() {
		return nil, nil
	}
	return time.Time(s).UnixMicro(), nil
}

// Scan implements sql.Scanner.
func (s *stamp) Scan(value any) error {
	switch value := value.(type) {
	case nil:
		*s = stamp{}
	case int64:
		*s = stamp(time.UnixMicro(value).UTC())
	default:
		return upkeep.Causef("a time is a number of microseconds, not %T", value)
	}
	return nil
}

// optional is a reference as columns keep it: NULL for none.
type optional int64

// Value implements driver.Valuer.
func (o optional) Value() (driver.Value, error) {
	if o == 0 {
		return nil, nil
	}
	return int64(o), nil
}

// Scan implements sql.Scanner.
func (o *optional) Scan(value any) error {
	var number sql.NullInt64
	err := number.Scan(value)
	*o = optional(number.Int64)
	return err
}

// document is any value as columns keep it: JSON text. To scan, it holds a
// pointer. Numbers in untyped places stay as they are written, so that what
// was hashed hashes the same again.
type document struct{ value any }

// Value implements driver.Valuer.
func (d document) Value() (driver.Value, error) {
	text, err := json.Marshal(d.value)
	return string(text), err
}

// Scan implements sql.Scanner.
func (d document) Scan(value any) error {
	text, ok := value.(string)
	if !ok {
		return upkeep.Causef("a document is text, not %T", value)
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(d.value); err != nil {
		return upkeep.Errorf(upkeep.CodeDamaged, "a stored document does not read back: %w", err)
	}
	return nil
}

// scanner is one row.
type scanner interface{ Scan(dest ...any) error }

// scanOne scans a row of one column.
func scanOne[T any](row scanner) (value T, err error) {
	err = row.Scan(&value)
	return value, err
}

// collect returns the scanned rows of a query.
func collect[T any](ctx context.Context, tx *tx, query string, args []any, scan func(scanner) (T, error)) ([]T, error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []T
	for rows.Next() {
		value, err := scan(rows)
		if err != nil {
			return nil, err
		}
		found = append(found, value)
	}
	return found, rows.Err()
}

// single scans the one row, and answers CodeNotFound naming what is missing.
func single[T any](row *sql.Row, scan func(scanner) (T, error), what upkeep.Phrase, name any) (value T, err error) {
	value, err = scan(row)
	if errors.Is(err, sql.ErrNoRows) {
		return value, upkeep.Errorf(upkeep.CodeNotFound, "%s %v does not exist", what, name)
	}
	return value, err
}

// changed reports whether a statement touched any row.
func changed(result sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	rows, err := result.RowsAffected()
	return rows > 0, err
}

// where gathers the conditions of a list. Its placeholders are numbered, the
// notation that both databases read.
type where struct {
	text bytes.Buffer
	args []any
}

// add narrows by condition, in which "?" stands for arg, when given is true.
func (w *where) add(given bool, condition string, arg any) {
	if !given {
		return
	}
	w.args = append(w.args, arg)
	w.plain(given, strings.Replace(condition, "?", fmt.Sprintf("$%d", len(w.args)), 1))
}

// plain narrows by a condition without an argument when given is true.
func (w *where) plain(given bool, condition string) {
	if !given {
		return
	}
	if w.text.Len() == 0 {
		w.text.WriteString(" WHERE ")
	} else {
		w.text.WriteString(" AND ")
	}
	w.text.WriteString(condition)
}

// query ends a SELECT with the conditions, the order and the limit.
func (w *where) query(columns, order string, limit int) (string, []any) {
	text := columns + w.text.String() + " ORDER BY " + order
	if limit > 0 {
		w.args = append(w.args, limit)
		text += fmt.Sprintf(" LIMIT $%d", len(w.args))
	}
	return text, w.args
}
