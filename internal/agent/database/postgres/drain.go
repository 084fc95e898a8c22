package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"upkeep"
	"upkeep/internal/agent/database/postgres/sqlstate"
)

// The watch on other connections.
const (
	pollEvery  = 50 * time.Millisecond
	quietPolls = 2               // in a row, before a database counts as quiet
	idleAfter  = 5 * time.Second // asleep so long without a transaction: nobody waits for its answer
	killGrace  = 5 * time.Second // for an ended connection to roll back
)

// connection is somebody else's.
type connection struct {
	id, user, host, state string
	since                 time.Duration
}

// Drain waits, after the site's gate was closed, until nobody but us is
// connected to its database: two polls in a row, 50 ms apart. Connections long
// idle without a transaction, as pools keep them, are ended at once; whoever
// else is left after timeout is ended too. CodeConflict, naming them, when some
// cannot be ended: another account's. It returns how many were ended at work.
//
// With neighbours in the same database nobody can tell whose a connection is:
// then only those are awaited that were there when Drain began, and none is
// ended.
func (db *DB) Drain(ctx context.Context, timeout time.Duration) (ended int, err error) {
	defer upkeep.Wrap(&err, "drain database %s", db.site.Name)
	defer func() { err = sqlstate.Translate(ctx, err) }()
	s, err := db.connect(ctx)
	if err != nil {
		return 0, err
	}
	defer s.close()
	w := &watch{session: s, now: db.now, killed: map[string]bool{}}
	if len(db.site.Neighbours) > 0 || db.site.Schema != "" {
		others, err := w.poll(ctx)
		if err != nil {
			return 0, err
		}
		w.only = []string{}
		for _, c := range others {
			w.only = append(w.only, c.id)
		}
	}
	err = w.drain(ctx, timeout)
	return len(w.killed), err
}

// watch looks at the server's connections through one of ours.
type watch struct {
	*session
	now    upkeep.Clock
	only   []string // when set, just these are looked at, and none is ended
	killed map[string]bool
}

// poll returns the connections of others to this database, now. Of other
// accounts' a server may hide what they do. Those that are kept for questions, by
// this agent or another, wait for nothing and write nothing.
func (w *watch) poll(ctx context.Context) ([]connection, error) {
	rows, err := w.table(ctx, `SELECT pid, coalesce(usename, ''), coalesce(client_addr::text, 'local'), coalesce(state, 'hidden'), coalesce(extract(epoch FROM clock_timestamp() - state_change)::int, 0)
		FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND (state = 'idle' AND application_name = '`+questions+`') IS NOT TRUE`)
	if err != nil {
		return nil, err
	}
	var others []connection
	for _, row := range rows {
		if w.only != nil && !slices.Contains(w.only, row[0]) {
			continue
		}
		seconds, _ := strconv.Atoi(row[4]) // a number by the query
		others = append(others, connection{row[0], row[1], row[2], row[3], time.Duration(seconds) * time.Second})
	}
	return others, nil
}

// drain polls until the database is quiet, ending who may be ended on the way.
func (w *watch) drain(ctx context.Context, timeout time.Duration) error {
	start := w.now()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for quiet := 0; ; {
		others, err := w.poll(ctx)
		if err != nil {
			return err
		}
		if quiet++; len(others) > 0 {
			quiet = 0
		}
		if quiet == quietPolls {
			return nil
		}
		waited := w.now().Sub(start)
		if len(others) > 0 && (waited > timeout+killGrace || w.only != nil && waited > timeout) {
			return upkeep.Errorf(upkeep.CodeConflict, "still connected: %s", describeConnections(others)).
				WithHint("End these connections, or what makes them, and try again.")
		}
		for _, c := range others {
			idle := c.state == "idle" && c.since >= idleAfter
			if w.only == nil && (idle || waited > timeout) {
				if err := w.end(ctx, c, idle); err != nil {
					return err
				}
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// end ends a connection. One that may not be ended shows in the next poll.
func (w *watch) end(ctx context.Context, c connection, idle bool) error {
	err := w.exec(ctx, "SELECT pg_terminate_backend("+c.id+")")
	if err == nil && !idle {
		w.killed[c.id] = true
	}
	if code := sqlstate.CodeOf(err); err != nil && code == upkeep.CodeUnreachable {
		return err
	}
	return nil
}

// describeConnections names the first few for an error, so that an operator can
// find the program that holds them.
func describeConnections(connections []connection) string {
	var words []string
	for _, c := range connections[:min(len(connections), 5)] {
		words = append(words, fmt.Sprintf("%s of %s@%s (%s for %s)", c.id, c.user, c.host, c.state, c.since))
	}
	return fmt.Sprintf("%d, %s", len(connections), strings.Join(words, ", "))
}
