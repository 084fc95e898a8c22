package records

import (
	"context"
	"database/sql"
	"errors"

	"upkeep"
)

// Row is one row of an answer.
type Row interface{ Scan(dest ...any) error }

// One scans a row of one column.
func One[T any](row Row) (value T, err error) {
	err = row.Scan(&value)
	return value, err
}

// Collect returns the scanned rows of a query.
func Collect[T any](ctx context.Context, tx *Tx, query string, args []any, scan func(Row) (T, error)) ([]T, error) {
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

// Single scans the one row, and answers CodeNotFound naming what is missing.
func Single[T any](row *sql.Row, scan func(Row) (T, error), what upkeep.Phrase, name any) (value T, err error) {
	value, err = scan(row)
	if errors.Is(err, sql.ErrNoRows) {
		return value, upkeep.Errorf(upkeep.CodeNotFound, "%s %v does not exist", what, name)
	}
	return value, err
}

// Changed reports whether a statement touched any row.
func Changed(result sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	rows, err := result.RowsAffected()
	return rows > 0, err
}
