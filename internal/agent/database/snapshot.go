package database

import (
	"context"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"upkeep"
	"upkeep/internal/agent/database/schema"
	"upkeep/internal/agent/database/session"
)

// snapshot is one state of the database, seen by several connections.
type snapshot struct {
	*schema.Catalogue
	workers []*session.Session
	locker  *session.Session // holds READ locks while tables of old engines are read; nil when locks were refused
}

// snapshotTries bounds how often tables may come and go while a snapshot is
// opened.
const snapshotTries = 5

// snapshot opens one: all tables are locked against writes for the instant in
// which every connection starts its transaction. An account that may not lock
// reads everything through one connection. Tables of engines without
// snapshots stay locked until they are read.
func (db *DB) snapshot(ctx context.Context) (_ *snapshot, err error) {
	for range snapshotTries {
		snap := &snapshot{}
		again, err := snap.open(ctx, db)
		if err != nil {
			snap.close()
			return nil, err
		}
		if !again {
			return snap, nil
		}
		snap.close()
	}
	return nil, upkeep.Errorf(upkeep.CodeConflict, "tables are being created or dropped").WithHint("%s", session.Hints[upkeep.CodeConflict])
}

// open takes the locks, starts the transactions under them and lets go. again
// tells that tables came or went meanwhile, so that what was locked is not what
// was read.
func (snap *snapshot) open(ctx context.Context, db *DB) (again bool, err error) {
	for range readers {
		s, err := db.session(ctx)
		if err != nil {
			return false, err
		}
		snap.workers = append(snap.workers, s)
	}
	if snap.locker, err = db.session(ctx); err != nil {
		return false, err
	}
	first := schema.NewDescriber(snap.workers[0], &db.site)
	before, err := first.List(ctx)
	if err != nil {
		return false, err
	}
	if err := snap.lock(ctx, before); err != nil {
		if code := upkeep.CodeOf(err); code != upkeep.CodeUnauthorized && code != upkeep.CodeConflict {
			return true, ctx.Err()
		}
		snap.unlock()
		for _, s := range snap.workers[1:] {
			s.Close()
		}
		snap.workers = snap.workers[:1]
	}
	for _, s := range snap.workers {
		if err := s.Exec(ctx, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"); err != nil {
			return false, err
		}
	}
	if snap.Catalogue, err = first.Describe(ctx); err != nil {
		return false, err
	}
	if !slices.ContainsFunc(snap.Rows(), func(o *schema.Object) bool { return !o.Snapshots() && o.HasRows() }) {
		snap.unlock()
	}
	return !sameNames(before, snap.Catalogue), nil
}

// lock keeps writers off all tables through the locking connection.
// CodeUnauthorized where the account lacks the right.
func (snap *snapshot) lock(ctx context.Context, tables []schema.Listed) error {
	var names []string
	for _, t := range tables {
		if t.Kind == "BASE TABLE" {
			names = append(names, session.Ident(t.Name)+" READ")
		}
	}
	if len(names) == 0 {
		return nil
	}
	// While this waits for a writer, later writers wait for it: not for long.
	if err := snap.locker.Exec(ctx, "SET SESSION lock_wait_timeout = 3"); err != nil {
		return err
	}
	return snap.locker.Exec(ctx, "LOCK TABLES "+strings.Join(names, ", "))
}

// unlock lets writers go on.
func (snap *snapshot) unlock() {
	if snap.locker != nil {
		snap.locker.Close() // the end of a connection frees its locks
		snap.locker = nil
	}
}

// close frees what is still locked and ends all connections.
func (snap *snapshot) close() {
	snap.unlock()
	for _, s := range snap.workers {
		s.Close()
	}
}

// sameNames reports whether the tables, sequences and views are those that were
// listed before the locks were taken.
func sameNames(before []schema.Listed, after *schema.Catalogue) bool {
	n := 0
	for _, o := range after.Objects {
		switch o.Kind {
		case schema.KindTable, schema.KindSequence, schema.KindView:
			n++
			if !slices.ContainsFunc(before, func(t schema.Listed) bool { return t.Name == o.Name }) {
				return false
			}
		}
	}
	return n == len(before)
}

// each calls read for every table and sequence, several at a time, the
// largest first. Tables without snapshots go through the locking connection.
func (snap *snapshot) each(ctx context.Context, read func(context.Context, *session.Session, *schema.Object) error) error {
	var plain, locked []*schema.Object
	for _, o := range snap.Rows() {
		if snap.locker != nil && !o.Snapshots() {
			locked = append(locked, o)
		} else {
			plain = append(plain, o)
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	if len(locked) > 0 {
		group.Go(func() error {
			defer snap.unlock()
			return readAll(ctx, snap.locker, slices.Values(locked), read)
		})
	}
	queue := make(chan *schema.Object, len(plain))
	for _, o := range plain {
		queue <- o
	}
	close(queue)
	for _, s := range snap.workers {
		group.Go(func() error {
			return readAll(ctx, s, func(yield func(*schema.Object) bool) {
				for o := range queue {
					if !yield(o) {
						return
					}
				}
			}, read)
		})
	}
	return group.Wait()
}

// readAll reads tables one after the other through one connection.
func readAll(ctx context.Context, s *session.Session, tables func(func(*schema.Object) bool), read func(context.Context, *session.Session, *schema.Object) error) error {
	for o := range tables {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := read(ctx, s, o); err != nil {
			return err
		}
	}
	return nil
}
