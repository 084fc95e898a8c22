package store

import (
	"context"
	"database/sql"
	"errors"

	"upkeep"
)

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
