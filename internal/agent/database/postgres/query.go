package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"upkeep"
	"upkeep/internal/agent/database/postgres/sqlstate"
)

// Limits of Query, which serves drivers that read settings, not content.
const (
	queryTime  = 30 * time.Second
	queryRows  = 100_000
	queryBytes = 64 << 20
)

// questions is what a connection that is kept for them calls itself. It is at
// work on nothing that anybody waits for, and can only read.
const questions = "upkeep, to ask"

// Query reads in a transaction that cannot write, one question in one round
// trip, with bounds on time (30 s), rows (100,000) and bytes (64 MiB); beyond
// them CodeRefused. A ? stands for an argument. Cells are text in UTF-8, nil for
// NULL.
func (db *DB) Query(ctx context.Context, query string, args ...any) (_ [][][]byte, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, queryTime, upkeep.Errorf(upkeep.CodeRefused, "no answer within %s", queryTime))
	defer cancel()
	defer func() { err = sqlstate.Translate(ctx, err) }()
	batch := db.batch(query, args)
	select {
	case s := <-db.kept:
		rows, err := db.ask(ctx, s, batch)
		if upkeep.CodeOf(sqlstate.Translate(ctx, err)) != upkeep.CodeUnreachable || ctx.Err() != nil {
			return rows, err
		}
		batch = db.batch(query, args) // the server ended it since: who drains a database does
	default:
	}
	s, err := db.dial(ctx, questions)
	if err != nil {
		return nil, err
	}
	return db.ask(ctx, s, batch)
}

// batch is a question as a transaction of its own, which leaves nothing behind
// where several share a connection to the server.
func (db *DB) batch(query string, args []any) *pgconn.Batch {
	values := make([][]byte, len(args))
	for i, arg := range args {
		values[i] = argument(arg)
	}
	batch := &pgconn.Batch{}
	batch.ExecParams("BEGIN READ ONLY", nil, nil, nil, nil)
	if db.site.Schema != "" {
		batch.ExecParams("SET LOCAL search_path = "+ident(db.site.Schema)+", public", nil, nil, nil, nil)
	}
	batch.ExecParams(numbered(query), values, nil, nil, nil)
	batch.ExecParams("COMMIT", nil, nil, nil, nil)
	return batch
}

// ask sends a question, and keeps the connection when all went well.
func (db *DB) ask(ctx context.Context, s *session, batch *pgconn.Batch) (rows [][][]byte, err error) {
	defer func() {
		if err == nil {
			select {
			case db.kept <- s:
				return
			default: // one is enough
			}
		}
		s.close()
	}()
	answers := s.ExecBatch(ctx, batch)
	size := 0
	for answers.NextResult() {
		for reader := answers.ResultReader(); reader.NextRow(); {
			cells := make([][]byte, len(reader.Values()))
			for i, cell := range reader.Values() {
				if cell != nil {
					cells[i] = append([]byte{}, cell...)
				}
				size += len(cell)
			}
			if rows = append(rows, cells); len(rows) > queryRows || size > queryBytes {
				return nil, upkeep.Errorf(upkeep.CodeRefused, "query gives more than %d rows or %d bytes", queryRows, queryBytes)
			}
		}
	}
	return rows, answers.Close()
}

// argument writes a value of a query as the server reads it, nil for NULL.
func argument(value any) []byte {
	switch v := value.(type) {
	case nil:
		return nil
	case []byte:
		return v
	}
	return fmt.Append([]byte{}, value) // an empty text is no NULL
}

// numbered writes the question marks of a query, outside of strings and names,
// as the server wants them: $1, $2.
func numbered(query string) string {
	var b strings.Builder
	var quote byte
	n := 0
	for i := range len(query) {
		switch c := query[i]; {
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
			b.WriteByte(c)
		case c == quote:
			quote = 0
			b.WriteByte(c)
		case quote == 0 && c == '?':
			n++
			b.WriteString("$" + strconv.Itoa(n))
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
