package database

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"upkeep"
	"upkeep/internal/agent/database/schema"
	"upkeep/internal/agent/database/session"
)

// Stats says what an undo did. A run over an identical database leaves all
// counts but the first two at zero.
type Stats struct {
	Objects      []upkeep.Object `json:"-"`             // what the database holds afterwards, as read back
	Tables       int             `json:"tables"`        // compared
	Rebuilt      int             `json:"rebuilt"`       // tables made again whole: gone, altered, or without a key
	Repaired     int             `json:"repaired"`      // tables of which some rows were changed back
	Segments     int             `json:"segments"`      // runs of rows that differed
	RowsDeleted  int64           `json:"rows_deleted"`  // in repaired tables
	RowsInserted int64           `json:"rows_inserted"` // in repaired tables
	Dropped      []string        `json:"dropped,omitempty"`
	Created      []string        `json:"created,omitempty"`
}

// Restore gives the site's part of the database back the state of a dump, and
// touches only what differs: objects by their definitions, rows by segments.
// Tables of neighbours are never touched. It may be interrupted at any
// instant and run again. progress may be nil.
//
// CodeUnauthorized when the account may not set another definer,
// CodeNotIdentical when what is read back at the end is not what the dump
// says, CodeDamaged when the dump itself does not read back.
func (db *DB) Restore(ctx context.Context, dir string, progress func(upkeep.Progress)) (_ Stats, err error) {
	defer upkeep.Wrap(&err, "restore database %s from %s", db.site.Name, dir)
	ix, err := readIndex(dir)
	if err != nil {
		return Stats{}, err
	}
	rs := &restorer{db: db, dir: dir, want: ix, contents: map[string]content{}}
	defer rs.close()
	for range readers {
		s, err := db.session(ctx)
		if err != nil {
			return Stats{}, err
		}
		rs.workers = append(rs.workers, s)
	}
	rs.progress = newMeter("restore", progress, &schema.Catalogue{})
	for _, d := range ix.objects {
		for i := range d.segments {
			rs.progress.now.Total += d.segments[i].Length
		}
	}
	err = rs.run(ctx)
	return rs.stats, session.Translate(ctx, err)
}

// RestoreInto makes a dump's database anew in this one, which must be empty:
// CodeConflict otherwise.
func (db *DB) RestoreInto(ctx context.Context, dir string, progress func(upkeep.Progress)) (_ Stats, err error) {
	s, err := db.session(ctx)
	if err != nil {
		return Stats{}, err
	}
	defer s.Close()
	have, err := schema.NewDescriber(s, &db.site).Describe(ctx)
	if err != nil {
		return Stats{}, err
	}
	if n := len(have.Objects) - 1; n > 0 { // the schema's defaults are always there
		return Stats{}, upkeep.Errorf(upkeep.CodeConflict, "database %s is not empty: %d objects", db.site.Name, n).
			WithHint("Name an empty database.")
	}
	return db.Restore(ctx, dir, progress)
}

// restorer is one undo.
type restorer struct {
	db       *DB
	dir      string
	want     *index
	workers  []*session.Session
	progress *meter

	mu       sync.Mutex
	stats    Stats
	contents map[string]content // what tables were last found to hold
}

// close ends the connections; locks and open transactions end with them.
func (rs *restorer) close() {
	for _, s := range rs.workers {
		s.Close()
	}
}

// run is idempotent as a whole: each step looks at what is there, and does
// what is still missing.
func (rs *restorer) run(ctx context.Context) error {
	// Spares first: one left by a run that was cut off would be in the way of
	// this one, and counts as nobody's table.
	first := rs.workers[0]
	if err := rs.dropSpares(ctx); err != nil {
		return err
	}
	have, err := schema.NewDescriber(first, &rs.db.site).Describe(ctx)
	if err != nil {
		return err
	}
	if err := rs.dropDifferent(ctx, have); err != nil {
		return err
	}
	if err := rs.create(ctx, schema.KindSchema, schema.KindSequence); err != nil {
		return err
	}
	if err := rs.tables(ctx, have); err != nil {
		return err
	}
	if err := rs.create(ctx, schema.KindRoutine, schema.KindView, schema.KindTrigger, schema.KindEvent); err != nil {
		return err
	}
	return rs.verify(ctx)
}

// spare begins the names of the tables that this undo builds. They carry the
// site's prefix, hashed for length, so that neighbours do not meet.
func (rs *restorer) spare() string {
	sum := sha256.Sum256([]byte(rs.db.site.Prefix))
	return fmt.Sprintf("%s%x_", schema.Spare, sum[:6])
}

// dropSpares removes what an interrupted run left.
func (rs *restorer) dropSpares(ctx context.Context) error {
	rows, err := rs.workers[0].Table(ctx, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = "+
		session.Literal(rs.db.site.Name)+" AND LEFT(TABLE_NAME, "+fmt.Sprint(len(rs.spare()))+") = "+session.Literal(rs.spare()))
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := rs.workers[0].Exec(ctx, "DROP TABLE "+session.Ident(row[0])); err != nil {
			return err
		}
	}
	return nil
}

// dropDifferent removes what the dump does not have, and what is made again
// whole because its definition differs. Tables whose definition differs stay
// until their replacement is filled.
func (rs *restorer) dropDifferent(ctx context.Context, have *schema.Catalogue) error {
	want := rs.want.catalogue()
	shuffled := map[string]bool{} // tables of which any trigger differs: their order is part of them
	for _, o := range slices.Concat(want.Objects, have.Objects) {
		if o.Kind == schema.KindTrigger && !matches(want.Find(o.Kind, o.Name), have.Find(o.Kind, o.Name)) {
			shuffled[o.Table] = true
		}
	}
	for _, o := range slices.Backward(have.Objects) {
		there := want.Find(o.Kind, o.Name)
		keep := matches(there, o) || there != nil && o.Kind == schema.KindTable
		if o.Kind == schema.KindTrigger && shuffled[o.Table] {
			keep = false
		}
		if keep || o.Kind == schema.KindSchema {
			continue
		}
		if err := rs.workers[0].ExecAll(ctx, o.Drop()); err != nil {
			return err
		}
		rs.stats.Dropped = append(rs.stats.Dropped, o.Ref())
	}
	return nil
}

// matches reports whether both are there and defined alike. Rows do not count.
func matches(a, b *schema.Object) bool { return a != nil && b != nil && a.Definition == b.Definition }

// create makes those objects of the given kinds that are not there now. One
// that takes more rights than we have does not keep the others away.
func (rs *restorer) create(ctx context.Context, kinds ...string) error {
	s := rs.workers[0]
	have, err := schema.NewDescriber(s, &rs.db.site).Describe(ctx)
	if err != nil {
		return err
	}
	var refused []error
	for _, o := range rs.want.objects {
		if !slices.Contains(kinds, o.Kind) || matches(o.Object, have.Find(o.Kind, o.Name)) {
			continue
		}
		err := rs.createOne(ctx, s, o.Object)
		switch {
		case err != nil && o.Broken && ctx.Err() == nil:
			// All else is brought back; it is missed in the end.
			if err := s.ExecAll(ctx, session.Settings[:]); err != nil {
				return err
			}
		case upkeep.CodeOf(err) == upkeep.CodeUnauthorized:
			refused = append(refused, upkeep.Causef("%s %q: %w", o.Kind, o.Name, err))
		case err != nil:
			return upkeep.Causef("%s %q: %w", o.Kind, o.Name, err)
		default:
			rs.stats.Created = append(rs.stats.Created, o.Ref())
		}
	}
	return errors.Join(refused...)
}

// createOne makes an object in the session settings it was written under. An
// account that may not name another definer must not become the definer itself:
// the program would then run with other rights than before.
func (rs *restorer) createOne(ctx context.Context, s *session.Session, o *schema.Object) (refused error) {
	for _, statement := range o.Statements(rs.want.Collation) {
		if refused != nil && statement == string(o.Create) {
			continue // only the settings are put back
		}
		err := s.Exec(ctx, statement)
		switch {
		case upkeep.CodeOf(err) == upkeep.CodeUnauthorized:
			refused = upkeep.Errorf(upkeep.CodeUnauthorized, "make it again with its definer: %w", err).
				WithHint("Restore with an account that has the SET USER right, or is the definer.")
		case err != nil:
			return err
		}
	}
	return refused
}

// tables brings definitions and rows of tables and the rows of sequences back.
func (rs *restorer) tables(ctx context.Context, have *schema.Catalogue) error {
	queue := make(chan *dumped, len(rs.want.objects))
	for i := range rs.want.objects {
		if d := &rs.want.objects[i]; d.Kind == schema.KindTable || d.Kind == schema.KindSequence {
			queue <- d
		}
	}
	close(queue)
	// The queue is filled before anybody works, so that nobody waits for it.
	group, ctx := errgroup.WithContext(ctx)
	for n, s := range rs.workers {
		tr := &tableRestorer{restorer: rs, Session: s, spare: fmt.Sprintf("%s%d", rs.spare(), n)}
		group.Go(func() error {
			for d := range queue {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				if err := tr.restoreAgain(ctx, d, have); err != nil {
					return upkeep.Causef("table %q: %w", d.Name, err)
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// verify reads everything back. Tables that were found identical and not
// touched are not read a second time: nobody else writes while a site is
// frozen, and their triggers are dropped before rows of others change.
func (rs *restorer) verify(ctx context.Context) error {
	after, err := schema.NewDescriber(rs.workers[0], &rs.db.site).Describe(ctx)
	if err != nil {
		return err
	}
	if err := rs.readRest(ctx, after); err != nil {
		return err
	}
	rs.stats.Objects = after.Manifest()
	before := upkeep.Manifest{Tables: rs.want.catalogue().Manifest()}
	differences := before.Compare(&upkeep.Manifest{Tables: rs.stats.Objects})
	if len(differences) == 0 {
		return nil
	}
	var words []string
	for _, d := range differences[:min(len(differences), 10)] {
		words = append(words, d.Path+": "+d.Change)
	}
	for _, o := range rs.want.objects {
		if o.Broken && after.Find(o.Kind, o.Name) == nil {
			words = append(words, fmt.Sprintf("what view %q shows was not there when it was backed up, so that it cannot be made again", o.Name))
		}
	}
	return upkeep.Errorf(upkeep.CodeNotIdentical, "%d differences to the dump: %s", len(differences), strings.Join(words, "; ")).
		WithHint("Run the restore again; if it stays so, import the dump by hand as its README.txt says.")
}

// readRest reads the tables whose content is not known yet.
func (rs *restorer) readRest(ctx context.Context, after *schema.Catalogue) error {
	tables := after.Rows()
	queue := make(chan *schema.Object, len(tables))
	for _, o := range tables {
		found, known := rs.contents[o.Ref()]
		o.Rows, o.Content = found.rows, found.digest
		if !known {
			queue <- o
		}
	}
	close(queue)
	group, ctx := errgroup.WithContext(ctx)
	for _, s := range rs.workers {
		group.Go(func() error {
			for o := range queue {
				found, err := read(ctx, s, o, func(*segment, []byte) error { return nil })
				if err != nil {
					return err
				}
				o.Rows, o.Content = found.rows, found.digest
			}
			return nil
		})
	}
	return group.Wait()
}

// note keeps what a table was found to hold.
func (rs *restorer) note(o *schema.Object, found content) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.contents[o.Ref()] = found
}

// count changes the statistics from one of several goroutines.
func (rs *restorer) count(change func(*Stats)) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	change(&rs.stats)
}
