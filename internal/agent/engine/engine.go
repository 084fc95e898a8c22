// Package engine is the one place where it matters which engine runs a site's
// database: what the transaction needs of each is one interface.
package engine

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"upkeep"
	"upkeep/internal/agent/database"
	"upkeep/internal/agent/database/postgres"
	"upkeep/internal/agent/database/sqlite"
	"upkeep/internal/cms"
)

// Database is what the transaction needs of a site's database, whichever engine
// runs it.
type Database interface {
	// Scan returns the identity of everything, in the order of manifests.
	Scan(ctx context.Context) ([]upkeep.Object, error)
	// Dump writes the database into dir, over an older dump, and returns the
	// identity of what it wrote.
	Dump(ctx context.Context, dir string, progress func(upkeep.Progress)) ([]upkeep.Object, error)
	// Restore gives back the state of a dump, touches only what differs, and
	// returns what is then there. It may be interrupted and run again.
	Restore(ctx context.Context, dir string, progress func(upkeep.Progress)) ([]upkeep.Object, error)
	// RestoreInto makes a dump's database anew in an empty one.
	RestoreInto(ctx context.Context, dir string, progress func(upkeep.Progress)) error
	// Drain waits until nobody writes any more, and says how many it ended.
	Drain(ctx context.Context, timeout time.Duration) (ended int, err error)
}

// Store is a database that also answers questions about what it holds.
type Store interface {
	Database
	Query(ctx context.Context, query string, args ...any) ([][][]byte, error)
	// CountRows counts the rows of every table, by its name in manifests. Where
	// there are as many as enough says, it may leave it at that.
	CountRows(ctx context.Context, enough map[string]int64) (map[string]int64, error)
	// SeesAll fails where a dump could not be made, or would not be complete.
	SeesAll(ctx context.Context) error
}

// Pool opens each of an agent's databases once. The zero value is usable.
type Pool struct {
	mu   sync.Mutex
	open map[string]opened
}

// opened makes a store of a database that was opened, given who else is in it:
// that is not known yet when it is first opened.
type opened func(site cms.Database) (Store, error)

// openTime bounds how long a database server may take to let us in.
const openTime = 20 * time.Second

// Store returns a site's database, which is opened when it was not. Nothing is
// held meanwhile: a server that takes the connection and then is silent must not
// keep others waiting. CodeInvalid for an engine that is not spoken.
func (p *Pool) Store(ctx context.Context, site *cms.Database) (Store, error) {
	if len(site.More) > 0 {
		return p.severalOf(ctx, site)
	}
	key := Key(site) + site.User + "|" + site.Password
	p.mu.Lock()
	of := p.open[key]
	p.mu.Unlock()
	if of != nil {
		return of(*site)
	}
	opening, cancel := context.WithTimeoutCause(ctx, openTime, upkeep.Errorf(upkeep.CodeUnreachable, "database %s: no answer within %s", site.Name, openTime))
	defer cancel()
	of, err := open(opening, *site)
	if err != nil && opening.Err() != nil && ctx.Err() == nil {
		err = context.Cause(opening)
	}
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open == nil {
		p.open = map[string]opened{}
	}
	p.open[key] = of // twice at the same time is once more, and no harm
	return of(*site)
}

func open(ctx context.Context, site cms.Database) (opened, error) {
	switch site.Engine {
	case "mariadb", "mysql":
		db, err := database.Open(ctx, site)
		return func(site cms.Database) (Store, error) { return mariadb{db.Of(site)}, nil }, err
	case "postgresql":
		db := postgres.New(site)
		return func(site cms.Database) (Store, error) { return db.Of(site), nil }, nil
	case "sqlite":
		return func(site cms.Database) (Store, error) { return sqlite.New(site) }, nil
	}
	return nil, upkeep.Errorf(upkeep.CodeInvalid, "database engine %q is not supported", site.Engine).
		WithHint("MariaDB, MySQL, PostgreSQL and SQLite are.")
}

// Files says where the content of files is that a database consists of,
// in a dump: absolute path to copy, or to "" for what is no content of its own.
func Files(site *cms.Database, dump string) map[string]string {
	if site == nil {
		return nil
	}
	files := map[string]string{}
	for _, one := range each(site) {
		if one.Engine != "sqlite" {
			continue
		}
		at := dump
		if len(site.More) > 0 && dump != "" {
			at = filepath.Join(dump, one.Label)
		}
		maps.Copy(files, sqlite.Files(&one, at))
	}
	return files
}

// CountTables counts the tables among objects.
func CountTables(objects []upkeep.Object) int {
	n := 0
	for _, o := range objects {
		if o.Kind == "table" {
			n++
		}
	}
	return n
}

// Key tells databases apart, whoever asks.
func Key(d *cms.Database) string {
	parts := []string{d.Engine, d.Host, strconv.Itoa(d.Port), d.Socket, d.Name, d.Schema, d.Prefix, d.File}
	key := fmt.Sprintf("%q", append(parts, d.Files...))
	for i := range d.More {
		key += Key(&d.More[i])
	}
	return key
}
