package engine

import (
	"context"
	"database/sql"
	"time"

	"github.com/riverqueue/river/riverdriver"

	"upkeep"
	"upkeep/internal/database"
)

// dialect is what one database wants otherwise than the other.
type dialect struct {
	driver  riverdriver.Driver[*sql.Tx]
	holder  string                                                  // SQL: the process that works on a row of river_job
	subject string                                                  // SQL: the number of its job
	stamp   func(time.Time) any                                     // a time as columns of River's keep it
	await   func(context.Context, *sql.Tx) (now time.Time, _ error) // until it is this tick's turn
}

// processes is what the engine adds to River's tables.
const processes = `CREATE TABLE IF NOT EXISTS process (
	id   TEXT   PRIMARY KEY,
	beat BIGINT NOT NULL -- microseconds since 1970
)`

// newer is the answer to a queue with migrations of River's that we do not have.
func newer() error {
	return upkeep.Errorf(upkeep.CodeConflict, "the queue was written by a newer version").
		WithHint("Install the newer version of upkeep again.")
}

// translate gives the drivers' errors our codes. Everything else passes.
func translate(ctx context.Context, err error) error {
	err = database.Translate(ctx, err)
	if upkeep.CodeOf(err) == upkeep.CodeDamaged {
		return upkeep.Errorf(upkeep.CodeDamaged, "the queue does not read back: %w", err).
			WithHint("Stop upkeep and move queue.db away: the queue is made anew from the records.")
	}
	return err
}
