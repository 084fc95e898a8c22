// Package link makes of a storage behind a network one that can be relied
// upon: what the network broke is tried again, for a while.
package link

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"time"

	"upkeep"
	"upkeep/internal/vault"
	"upkeep/internal/vault/pace"
)

// How long something is tried again: longer than a server takes to restart;
// and while a site is frozen only as long as leaves time to undo.
const (
	patience       = time.Minute
	frozenPatience = 10 * time.Second

	firstPause, longestPause = 200 * time.Millisecond, 5 * time.Second
)

// Storage is a storage behind a network.
type Storage struct {
	Under vault.Storage
	Pace  *pace.Pace // says whether a site is frozen

	// How long what broke is tried again, in general and while a site is
	// frozen; 0 is a minute and ten seconds.
	Patience, Frozen time.Duration
}

var (
	_ vault.Storage = (*Storage)(nil)
	_ vault.Tidier  = (*Storage)(nil)
)

// again repeats do while what it gives is CodeUnreachable and there is
// patience left.
func (s *Storage) again(ctx context.Context, do func(repeated bool) error) error {
	began := time.Now()
	for pause := firstPause; ; pause = min(pause*2, longestPause) {
		err := do(pause > firstPause)
		if upkeep.CodeOf(err) != upkeep.CodeUnreachable || ctx.Err() != nil {
			return err
		}
		left := cmp.Or(s.Patience, patience)
		if s.Pace.Hurried() {
			left = cmp.Or(s.Frozen, frozenPatience)
		}
		if time.Since(began)+pause > left {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// Save writes a file. One that an earlier try wrote, of which we only did not
// hear, is written.
func (s *Storage) Save(ctx context.Context, name string, data []byte) (err error) {
	defer upkeep.Wrap(&err, "save %s", name)
	return s.again(ctx, func(repeated bool) error {
		err := s.Under.Save(ctx, name, data)
		if repeated && errors.Is(err, fs.ErrExist) {
			return s.isThere(ctx, name, data, err)
		}
		return err
	})
}

// isThere returns nil when a file holds data, and err otherwise.
func (s *Storage) isThere(ctx context.Context, name string, data []byte, err error) error {
	there, loadErr := s.Under.Load(ctx, name, 0, 0)
	if loadErr != nil {
		return loadErr
	}
	if string(there) != string(data) {
		return err
	}
	return nil
}

// Load reads part of a file.
func (s *Storage) Load(ctx context.Context, name string, offset int64, length int) (data []byte, err error) {
	defer upkeep.Wrap(&err, "load %s", name)
	err = s.again(ctx, func(bool) (err error) {
		data, err = s.Under.Load(ctx, name, offset, length)
		return err
	})
	return data, err
}

// List calls fn for every whole file below a folder.
func (s *Storage) List(ctx context.Context, folder string, fn func(vault.FileInfo) error) (err error) {
	defer upkeep.Wrap(&err, "list %s", folder)
	var all []vault.FileInfo // fn must not be told twice
	err = s.again(ctx, func(bool) error {
		all = all[:0]
		return s.Under.List(ctx, folder, func(info vault.FileInfo) error {
			all = append(all, info)
			return nil
		})
	})
	if err != nil {
		return err
	}
	for _, info := range all {
		if err := fn(info); err != nil {
			return err
		}
	}
	return nil
}

// Stat describes one file.
func (s *Storage) Stat(ctx context.Context, name string) (info vault.FileInfo, err error) {
	defer upkeep.Wrap(&err, "look at %s", name)
	err = s.again(ctx, func(bool) (err error) {
		info, err = s.Under.Stat(ctx, name)
		return err
	})
	return info, err
}

// Remove deletes a file.
func (s *Storage) Remove(ctx context.Context, name string) (err error) {
	defer upkeep.Wrap(&err, "remove %s", name)
	return s.again(ctx, func(bool) error { return s.Under.Remove(ctx, name) })
}

// Tidy removes what was left half written.
func (s *Storage) Tidy(ctx context.Context, now time.Time) error {
	if tidier, ok := s.Under.(vault.Tidier); ok {
		return s.again(ctx, func(bool) error { return tidier.Tidy(ctx, now) })
	}
	return nil
}
