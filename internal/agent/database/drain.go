package database

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"upkeep"
	"upkeep/internal/agent/database/session"
)

// The watch on other connections.
const (
	pollEvery  = 50 * time.Millisecond
	quietPolls = 2               // in a row, before a database counts as quiet
	idleAfter  = 5 * time.Second // asleep so long without a transaction: nobody waits for its answer
	killGrace  = 5 * time.Second // for a killed statement to roll back
)

// Connection is somebody else's connection to the site's database.
type Connection struct {
	ID          string        `json:"id"`
	User        string        `json:"user"`
	Host        string        `json:"host"`
	Command     string        `json:"command"` // "Query", "Sleep", …
	State       string        `json:"state,omitempty"`
	For         time.Duration `json:"for"`         // in this command
	Transaction bool          `json:"transaction"` // open, or not known to be closed
}

// DrainResult is how a database became quiet.
type DrainResult struct {
	Waited time.Duration `json:"waited"`
	Idle   []Connection  `json:"idle,omitempty"`   // long asleep without a transaction, ended
	Killed []Connection  `json:"killed,omitempty"` // still at work after the timeout, ended: what they had not committed is undone
}

// Busy returns the connections of others to this database, or of this
// database's account to none. Without the PROCESS right a server shows only
// those of the account itself.
func (db *DB) Busy(ctx context.Context) (_ []Connection, err error) {
	defer upkeep.Wrap(&err, "watch database %s", db.site.Name)
	s, err := db.session(ctx)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return db.watch(s).poll(ctx)
}

// Drain waits, after the site's gate was closed, until nobody but us is
// connected to its database: two polls in a row, 50 ms apart. Connections
// long asleep without a transaction, as pools keep them, are ended at once;
// whoever else is left after timeout is ended too. CodeConflict, naming them,
// when some cannot be ended.
//
// With neighbours in the same database nobody can tell whose a connection
// is: then only those are awaited that were there when Drain began, and none
// is ended.
func (db *DB) Drain(ctx context.Context, timeout time.Duration) (_ DrainResult, err error) {
	defer upkeep.Wrap(&err, "drain database %s", db.site.Name)
	s, err := db.session(ctx)
	if err != nil {
		return DrainResult{}, err
	}
	defer s.Close()
	w := db.watch(s)
	if len(db.site.Neighbours) > 0 {
		first, err := w.poll(ctx)
		if err != nil {
			return DrainResult{}, err
		}
		w.only = ids(first)
	}
	err = w.drain(ctx, timeout)
	return w.result, err
}

// watch looks at the server's connections through one of ours.
type watch struct {
	*session.Session
	own          *session.Connections
	now          upkeep.Clock
	schema, user string
	only         []string // when set, just these are looked at, and none is killed
	transactions bool     // whether the server tells us who has one open
	result       DrainResult
}

// watch looks through s. Until the server says otherwise, it is taken to show
// open transactions.
func (db *DB) watch(s *session.Session) *watch {
	return &watch{Session: s, own: db.own, now: time.Now, schema: db.site.Name, user: db.site.User, transactions: true}
}

// poll returns the connections of others, now.
func (w *watch) poll(ctx context.Context) ([]Connection, error) {
	open, err := w.openTransactions(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := w.Table(ctx, "SELECT ID, USER, HOST, COMMAND, STATE, TIME, DB FROM information_schema.PROCESSLIST"+
		" WHERE COMMAND NOT IN ('Daemon', 'Binlog Dump') AND (DB = "+session.Literal(w.schema)+" OR DB IS NULL AND USER = "+session.Literal(w.user)+")")
	if err != nil {
		return nil, err
	}
	var others []Connection
	for _, row := range rows {
		if w.own.Has(row[0]) || w.only != nil && !slices.Contains(w.only, row[0]) {
			continue
		}
		seconds, _ := strconv.Atoi(row[5]) // NULL for a connection being made
		others = append(others, Connection{
			ID: row[0], User: row[1], Host: row[2], Command: row[3], State: row[4],
			For: time.Duration(seconds) * time.Second, Transaction: !w.transactions || open[row[0]],
		})
	}
	return others, nil
}

// openTransactions returns the connections that have one. Reading them takes
// the PROCESS right: without it every connection is taken to have one.
func (w *watch) openTransactions(ctx context.Context) (map[string]bool, error) {
	open := map[string]bool{}
	if !w.transactions {
		return open, nil
	}
	rows, err := w.Table(ctx, "SELECT trx_mysql_thread_id FROM information_schema.INNODB_TRX")
	if upkeep.CodeOf(err) == upkeep.CodeUnauthorized {
		w.transactions = false
		return open, nil
	}
	for _, row := range rows {
		open[row[0]] = true
	}
	return open, err
}

// drain polls until the database is quiet, ending who may be ended on the way.
// What it did is in w.result, whatever it returns.
func (w *watch) drain(ctx context.Context, timeout time.Duration) error {
	start := w.now()
	defer func() { w.result.Waited = w.now().Sub(start) }()
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
		switch waited := w.now().Sub(start); {
		case len(others) > 0 && waited > timeout+killGrace, w.only != nil && len(others) > 0 && waited > timeout:
			return upkeep.Errorf(upkeep.CodeConflict, "still connected: %s", describeConnections(others)).
				WithHint("End these connections, or what makes them, and try again.")
		case w.only != nil:
		case waited > timeout:
			w.result.Killed, err = w.kill(ctx, others, w.result.Killed)
		default:
			idle := slices.DeleteFunc(slices.Clone(others), func(c Connection) bool { return !c.idle() })
			w.result.Idle, err = w.kill(ctx, idle, w.result.Idle)
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return upkeep.Errorf(upkeep.CodeInterrupted, "drain: %w", context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// idle reports whether nobody can be waiting for the connection: pools keep
// such ones open for hours, and a drain must not wait for them.
func (c *Connection) idle() bool {
	return c.Command == "Sleep" && !c.Transaction && c.For >= idleAfter
}

// kill ends connections and returns done with those added that were not in
// it. One that may not be killed, or is gone already, shows in the next poll.
func (w *watch) kill(ctx context.Context, connections, done []Connection) ([]Connection, error) {
	for _, c := range connections {
		err := w.Exec(ctx, "KILL CONNECTION "+c.ID)
		switch code := upkeep.CodeOf(err); {
		case code == upkeep.CodeUnreachable, code == upkeep.CodeInterrupted:
			return done, err
		case err == nil && !slices.Contains(ids(done), c.ID):
			done = append(done, c)
		}
	}
	return done, nil
}

// ids returns the numbers of the connections.
func ids(connections []Connection) []string {
	list := make([]string, 0, len(connections))
	for _, c := range connections {
		list = append(list, c.ID)
	}
	return list
}

// describeConnections names the first few for an error, so that an operator can
// find the program that holds them.
func describeConnections(connections []Connection) string {
	var words []string
	for _, c := range connections[:min(len(connections), 5)] {
		words = append(words, fmt.Sprintf("%s of %s@%s (%s for %s)", c.ID, c.User, c.Host, c.Command, c.For))
	}
	return fmt.Sprintf("%d, %s", len(connections), strings.Join(words, ", "))
}
