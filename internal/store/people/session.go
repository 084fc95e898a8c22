package people

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"upkeep"
	"upkeep/internal/store/column"
	"upkeep/internal/store/records"
	"upkeep/person"
)

const sessionColumns = `SELECT id, account, proof, half, address, agent, created, seen, expires FROM session`

func scanSession(row records.Row) (s person.Session, err error) {
	err = row.Scan(&s.ID, &s.Account, &s.Proof, &s.Half, &s.Address, &s.Agent, (*column.Stamp)(&s.Created),
		(*column.Stamp)(&s.Seen), (*column.Stamp)(&s.Expires))
	return s, err
}

// CreateSession adds a session under the hash of its token, sets its ID, and
// notes a whole one at its account. Sessions that have ended are dropped.
func (r Records) CreateSession(ctx context.Context, s *person.Session, hash string) error {
	return r.Write(ctx, func(tx *records.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM session WHERE expires < $1`, column.Stamp(tx.Now)); err != nil {
			return err
		}
		err := tx.QueryRowContext(ctx, `INSERT INTO session (account, hash, proof, half, address, agent, created, seen, expires)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id`, s.Account, hash, s.Proof, s.Half, s.Address, s.Agent,
			column.Stamp(s.Created), column.Stamp(s.Seen), column.Stamp(s.Expires)).Scan(&s.ID)
		if err != nil || s.Half {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE account SET signed_in = $1 WHERE id = $2`, column.Stamp(s.Created), s.Account)
		return err
	})
}

// Session returns the session that the hash of a token stands for.
func (r Records) Session(ctx context.Context, hash string) (*person.Session, error) {
	var s person.Session
	err := r.Read(ctx, func(tx *records.Tx) (err error) {
		s, err = scanSession(tx.QueryRowContext(ctx, sessionColumns+` WHERE hash = $1`, hash))
		return missing(err, "session")
	})
	return &s, err
}

// missing is CodeNotFound for no row, without the name that was asked for: it
// is a secret's.
func missing(err error, what upkeep.Phrase) error {
	if errors.Is(err, sql.ErrNoRows) {
		return upkeep.Errorf(upkeep.CodeNotFound, "there is no such %s", what)
	}
	return err
}

// Sessions returns an account's sessions, the last seen first.
func (r Records) Sessions(ctx context.Context, account person.AccountID) (all []person.Session, err error) {
	err = r.Read(ctx, func(tx *records.Tx) error {
		all, err = records.Collect(ctx, tx, sessionColumns+` WHERE account = $1 ORDER BY seen DESC, id DESC`, []any{account}, scanSession)
		return err
	})
	return all, err
}

// SeeSession notes that a session was used now.
func (r Records) SeeSession(ctx context.Context, id person.SessionID) error {
	return r.Write(ctx, func(tx *records.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE session SET seen = $1 WHERE id = $2`, column.Stamp(tx.Now), id)
		return err
	})
}

// DeleteSessions ends one session of an account, CodeNotFound when it has no
// such; with 0 all but spare.
func (r Records) DeleteSessions(ctx context.Context, account person.AccountID, id, spare person.SessionID) error {
	if id != 0 {
		return r.removed(ctx, "session", `DELETE FROM session WHERE account = $1 AND id = $2`, account, id)
	}
	return r.Write(ctx, func(tx *records.Tx) error { return deleteSessions(ctx, tx, account, spare) })
}

func deleteSessions(ctx context.Context, tx *records.Tx, account person.AccountID, spare person.SessionID) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM session WHERE account = $1 AND id <> $2`, account, spare)
	return err
}

// CreateLink adds a one-time link under the hash of its token. Those before of
// the same account count no more.
func (r Records) CreateLink(ctx context.Context, link *person.Link, hash string) error {
	return r.Write(ctx, func(tx *records.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM link WHERE account = $1 OR expires < $2`, link.Account, column.Stamp(tx.Now)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO link (hash, account, expires) VALUES ($1, $2, $3)`, hash, link.Account, column.Stamp(link.Expires))
		return err
	})
}

const openLink = ` WHERE hash = $1 AND used IS NULL AND expires > $2`

// Link returns a link that can still be used.
func (r Records) Link(ctx context.Context, hash string) (*person.Link, error) {
	var link person.Link
	err := r.Read(ctx, func(tx *records.Tx) error {
		row := tx.QueryRowContext(ctx, `SELECT account, expires FROM link`+openLink, hash, column.Stamp(tx.Now))
		return missing(row.Scan(&link.Account, (*column.Stamp)(&link.Expires)), "link")
	})
	return &link, err
}

// UseLink uses a link, which nobody can after. CodeNotFound when somebody did
// before, or it is too old.
func (r Records) UseLink(ctx context.Context, hash string) error {
	return r.Write(ctx, func(tx *records.Tx) error {
		used, err := records.Changed(tx.ExecContext(ctx, `UPDATE link SET used = $2`+openLink, hash, column.Stamp(tx.Now)))
		if err == nil && !used {
			return missing(sql.ErrNoRows, "link")
		}
		return err
	})
}

// CreateChallenge keeps a challenge until it is taken or expires. Those that
// have expired are dropped.
func (r Records) CreateChallenge(ctx context.Context, hash string, record []byte, expires time.Time) error {
	return r.Write(ctx, func(tx *records.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM challenge WHERE expires < $1`, column.Stamp(tx.Now)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO challenge (hash, record, expires) VALUES ($1, $2, $3)`, hash, record, column.Stamp(expires))
		return err
	})
}

// TakeChallenge returns a challenge, which nobody can take after.
func (r Records) TakeChallenge(ctx context.Context, hash string) (record []byte, err error) {
	err = r.Write(ctx, func(tx *records.Tx) error {
		row := tx.QueryRowContext(ctx, `DELETE FROM challenge WHERE hash = $1 AND expires > $2 RETURNING record`, hash, column.Stamp(tx.Now))
		return missing(row.Scan(&record), "challenge")
	})
	return record, err
}

// triesKept is how long tries that are over are kept.
const triesKept = 48 * time.Hour

// Try calls heard with the tries under key, which it may change, and keeps
// them in the same transaction, unless it returns an error.
func (r Records) Try(ctx context.Context, key string, heard func(tries *person.Tries, now time.Time) error) error {
	return r.Write(ctx, func(tx *records.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM tries WHERE last < $1`, column.Stamp(tx.Now.Add(-triesKept))); err != nil {
			return err
		}
		var tries person.Tries
		row := tx.QueryRowContext(ctx, `SELECT failures, last, until FROM tries WHERE key = $1`, key)
		err := row.Scan(&tries.Failures, (*column.Stamp)(&tries.Last), (*column.Stamp)(&tries.Until))
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if err := heard(&tries, tx.Now); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO tries (key, failures, last, until) VALUES ($1, $2, $3, $4)
			ON CONFLICT (key) DO UPDATE SET failures = excluded.failures, last = excluded.last, until = excluded.until`,
			key, tries.Failures, column.Stamp(tries.Last), column.Stamp(tries.Until))
		return err
	})
}

// ForgetTries forgets the tries under key.
func (r Records) ForgetTries(ctx context.Context, key string) error {
	return r.Write(ctx, func(tx *records.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM tries WHERE key = $1`, key)
		return err
	})
}
