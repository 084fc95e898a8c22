package engine

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"upkeep"
	"upkeep/internal/cms"
)

// several is what a site keeps in more than one database. Each is dumped into a
// folder of its own, named by its label; so are its objects.
type several struct {
	labels []string
	stores []Store // the first answers questions
}

var _ Store = (*several)(nil)

// severalOf opens all databases of a site.
func (p *Pool) severalOf(ctx context.Context, site *cms.Database) (Store, error) {
	s := &several{}
	for _, one := range each(site) {
		store, err := p.Store(ctx, &one)
		if err != nil {
			return nil, err
		}
		s.labels, s.stores = append(s.labels, one.Label), append(s.stores, store)
	}
	return s, nil
}

// each are the databases of a site one by one.
func each(site *cms.Database) []cms.Database {
	first := *site
	first.More = nil
	return append([]cms.Database{first}, site.More...)
}

// gather asks each database for its objects, with its folder in dir.
func (s *several) gather(dir string, ask func(store Store, dir string) ([]upkeep.Object, error)) ([]upkeep.Object, error) {
	var all []upkeep.Object
	for i, store := range s.stores {
		objects, err := ask(store, filepath.Join(dir, s.labels[i]))
		for _, o := range objects {
			o.Name = s.labels[i] + "/" + o.Name
			all = append(all, o)
		}
		if err != nil {
			return all, upkeep.Errorf(upkeep.CodeOf(err), "%s: %w", s.labels[i], err)
		}
	}
	return all, nil
}

// Scan returns the identity of everything in all of them.
func (s *several) Scan(ctx context.Context) ([]upkeep.Object, error) {
	return s.gather("", func(store Store, _ string) ([]upkeep.Object, error) { return store.Scan(ctx) })
}

// Dump writes each into its folder of dir.
func (s *several) Dump(ctx context.Context, dir string, progress func(upkeep.Progress)) ([]upkeep.Object, error) {
	return s.gather(dir, func(store Store, dir string) ([]upkeep.Object, error) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		return store.Dump(ctx, dir, progress)
	})
}

// Restore gives each back the state of its folder of dir.
func (s *several) Restore(ctx context.Context, dir string, progress func(upkeep.Progress)) ([]upkeep.Object, error) {
	return s.gather(dir, func(store Store, dir string) ([]upkeep.Object, error) { return store.Restore(ctx, dir, progress) })
}

// RestoreInto makes each anew in an empty one.
func (s *several) RestoreInto(ctx context.Context, dir string, progress func(upkeep.Progress)) error {
	_, err := s.gather(dir, func(store Store, dir string) ([]upkeep.Object, error) {
		return nil, store.RestoreInto(ctx, dir, progress)
	})
	return err
}

// Drain waits for who writes to any of them.
func (s *several) Drain(ctx context.Context, timeout time.Duration) (ended int, err error) {
	_, err = s.gather("", func(store Store, _ string) ([]upkeep.Object, error) {
		n, err := store.Drain(ctx, timeout)
		ended += n
		return nil, err
	})
	return ended, err
}

// Query asks the first.
func (s *several) Query(ctx context.Context, query string, args ...any) ([][][]byte, error) {
	return s.stores[0].Query(ctx, query, args...)
}

// CountRows counts the rows of every table of all of them.
func (s *several) CountRows(ctx context.Context, enough map[string]int64) (map[string]int64, error) {
	all := map[string]int64{}
	for i, store := range s.stores {
		own := map[string]int64{}
		for name, rows := range enough {
			if name, ok := strings.CutPrefix(name, s.labels[i]+"/"); ok {
				own[name] = rows
			}
		}
		counts, err := store.CountRows(ctx, own)
		if err != nil {
			return nil, err
		}
		for name, rows := range counts {
			all[s.labels[i]+"/"+name] = rows
		}
	}
	return all, nil
}

// SeesAll fails where one of them does.
func (s *several) SeesAll(ctx context.Context) error {
	_, err := s.gather("", func(store Store, _ string) ([]upkeep.Object, error) { return nil, store.SeesAll(ctx) })
	return err
}
