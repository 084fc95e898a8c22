package demo

import (
	"context"
	"path/filepath"

	"upkeep"
)

// AddApplication makes a site of the caller's own files, by their path below
// the site's folder, and an empty database, and serves it. The files may say
// how the database is reached. A site that cannot be made leaves nothing behind.
func (w *World) AddApplication(ctx context.Context, name string, files func(*Site) map[string]string) (_ *Site, err error) {
	defer upkeep.Wrap(&err, "add application %s", name)
	s, err := w.newSite(ctx, Spec{Name: name})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = w.discardAfter(ctx, s, err)
		}
	}()
	if s.Database, err = w.MariaDB.CreateDatabase(ctx, "site_"+s.Name); err != nil {
		return nil, err
	}
	for name, text := range files(s) {
		if err := w.writeOwned(s, filepath.Join(s.Dir, name), text, 0o644); err != nil {
			return nil, err
		}
	}
	if err := w.serve(ctx, s); err != nil {
		return nil, err
	}
	return s, w.remember(s)
}
