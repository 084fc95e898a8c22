package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"upkeep"
	"upkeep/internal/store/column"
	"upkeep/internal/store/records"
)

// FeedAnswers remembers what publishers answered, so that an unchanged answer
// costs them nothing and an outage leaves us what we knew.
type FeedAnswers struct{ db *DB }

// FeedAnswers returns the remembered answers.
func (db *DB) FeedAnswers() FeedAnswers { return FeedAnswers{db} }

// Get returns the last answer kept under key, its ETag and the instant it was
// known to be current. ok is false when there is none.
func (f FeedAnswers) Get(ctx context.Context, key string) (body []byte, etag string, at time.Time, ok bool, err error) {
	err = f.db.records.Read(ctx, func(tx *records.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT body, etag, at FROM feed_answer WHERE key = $1`, key).
			Scan(&body, &etag, (*column.Stamp)(&at))
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, "", time.Time{}, false, nil
	}
	return body, etag, at, err == nil, err
}

// Put keeps an answer under key in place of the one before.
func (f FeedAnswers) Put(ctx context.Context, key string, body []byte, etag string, at time.Time) (err error) {
	defer upkeep.Wrap(&err, "keep answer %s", key)
	return f.db.records.WriteOn(ctx, "feed/"+key, func(tx *records.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO feed_answer (key, etag, at, body) VALUES ($1, $2, $3, $4)
			ON CONFLICT (key) DO UPDATE SET etag = excluded.etag, at = excluded.at, body = excluded.body`,
			key, etag, column.Stamp(at), body)
		return err
	})
}
