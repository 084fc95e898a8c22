package mediawiki

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/parcel"
)

// Apply puts staged updates in place in the order given. Repeating it is
// harmless.
func (d *Driver) Apply(ctx context.Context, w cms.Work, l *cms.Layout, staged []cms.Staged) error {
	placed := map[string]*cms.Staged{}
	for i := range staged {
		if err := apply(ctx, w, l, &staged[i], placed); err != nil {
			return err
		}
	}
	return nil
}

func apply(ctx context.Context, w cms.Work, l *cms.Layout, s *cms.Staged, placed map[string]*cms.Staged) (err error) {
	defer upkeep.Wrap(&err, "apply %s %s", s.Update.Ref(), s.Update.Release.Version)
	if isCore(&s.Update) {
		for _, move := range s.Moves {
			if move.To == filepath.Join(l.Root, "resources") {
				if err := carry(ctx, w, s, move); err != nil {
					return err
				}
			}
		}
	}
	return parcel.Place(ctx, w, s, placed)
}

// carry copies pictures that the site has in resources/assets besides those of
// the release: that is where owners put their logo.
func carry(ctx context.Context, w cms.Work, s *cms.Staged, move cms.Move) error {
	fresh, err := w.Open(s.Dir)
	if err != nil {
		return err
	}
	defer fresh.Close()
	to := path.Join(move.From, "assets")
	if _, err := fresh.Lstat(to); err != nil {
		return nil //nolint:nilerr // in place already: this is a repetition
	}
	site, err := w.Open(move.To)
	if errors.Is(err, fs.ErrNotExist) || upkeep.CodeOf(err) == upkeep.CodeNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	defer site.Close()
	return fs.WalkDir(site.FS(), "assets", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case ctx.Err() != nil:
			return upkeep.Errorf(upkeep.CodeInterrupted, "stopped: %w", ctx.Err())
		case !entry.Type().IsRegular() || !picture(name):
			return nil
		}
		return carryOne(fresh, path.Join(move.From, name), site, name)
	})
}

func carryOne(fresh *os.Root, target string, site *os.Root, name string) error {
	if _, err := fresh.Lstat(target); err == nil {
		return nil
	}
	return parcel.Copy(fresh, target, site, name)
}

func picture(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".png", ".svg", ".jpg", ".jpeg", ".gif", ".ico", ".webp":
		return true
	}
	return false
}
