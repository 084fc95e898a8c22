package records

import (
	"context"
	"database/sql"
	"hash/fnv"
	"time"
)

// dialect is what one database wants otherwise than the other: this file, and
// the migrations in the folder of its name.
type dialect struct {
	name      string
	hasTable  string // query: whether a table exists
	isolation func(turn) sql.IsolationLevel
	await     func(context.Context, *sql.Tx, turn) (now time.Time, err error) // until it is the transaction's turn
}

// sqlite has one writer at a time by itself, whose transaction began with the
// file's lock.
func sqlite() dialect {
	return dialect{
		name:      "sqlite",
		hasTable:  `SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = $1)`,
		isolation: func(turn) sql.IsolationLevel { return sql.LevelDefault },
		await:     func(context.Context, *sql.Tx, turn) (time.Time, error) { return time.Time{}, nil },
	}
}

// postgres lets writers overlap, and our transactions decide by what they have
// read. So each takes its turn first: on a subject, it shares a lock with those
// on other subjects and has one of its own alone; on everything, it has that
// first lock alone. All ask for them in the same order, and each statement after
// them sees what those before have committed, hence no transaction fails for
// another's sake and none has to be repeated.
func postgres() dialect {
	return dialect{
		name:     "postgres",
		hasTable: `SELECT to_regclass($1) IS NOT NULL`,
		isolation: func(t turn) sql.IsolationLevel {
			if t.read {
				return sql.LevelRepeatableRead
			}
			return sql.LevelReadCommitted
		},
		await: awaitLocks,
	}
}

// space tells our locks from those that others take in the same database.
const space = 0x75706b70

func awaitLocks(ctx context.Context, tx *sql.Tx, t turn) (now time.Time, err error) {
	query, args := `SELECT clock_timestamp()`, []any(nil)
	switch { // of both locks, the instant is read when they are there
	case t.read:
	case t.subject == "":
		query += ` FROM (SELECT pg_advisory_xact_lock($1, 0) OFFSET 0) AS locks`
		args = []any{space}
	default:
		query += ` FROM (SELECT pg_advisory_xact_lock_shared($1, 0), pg_advisory_xact_lock($1, $2) OFFSET 0) AS locks`
		args = []any{space, number(t.subject)}
	}
	err = tx.QueryRowContext(ctx, query, args...).Scan(&now)
	return now, err
}

// number is a subject as locks name it, never 0. Two that share one only wait
// for each other.
func number(subject string) int32 {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(subject)) // it never fails
	return int32(sum.Sum32() | 1)
}
