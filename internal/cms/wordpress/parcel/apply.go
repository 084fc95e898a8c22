package parcel

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	cargo "upkeep/internal/cms/parcel"
	"upkeep/internal/cms/wordpress/layout"
)

// Apply puts staged updates in place in the order given. Two plugins of one
// folder come in the same package: it is put in place once. Repeating it is
// harmless.
func Apply(ctx context.Context, w cms.Work, l *cms.Layout, staged []cms.Staged) (err error) {
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
	if s.Update.Component.Kind == upkeep.Core {
		if err := carry(w, l, s); err != nil {
			return err
		}
	}
	return cargo.Place(ctx, w, s, placed)
}

// carried reports whether a file below wp-admin or wp-includes is the site's,
// whatever the release: what tells the web server or PHP how to treat the
// folder, such as a password for wp-admin, and the old place of translations.
func carried(name string) bool {
	switch path.Base(name) {
	case ".htaccess", ".htpasswd", ".user.ini", "php.ini", "web.config":
		return true
	}
	return strings.HasPrefix(name, "wp-includes/languages/")
}

// carry copies such files into the staged folders. Were they left behind, an
// update would open to the world what its owner had closed.
func carry(w cms.Work, l *cms.Layout, s *cms.Staged) error {
	site, err := w.Open(layout.CoreDir(l))
	if err != nil {
		return err
	}
	defer site.Close()
	parcel, err := w.Open(s.Dir)
	if err != nil {
		return err
	}
	defer parcel.Close()
	for _, top := range []string{"wp-admin", "wp-includes"} {
		if _, err := parcel.Lstat(path.Join("wordpress", top)); errors.Is(err, fs.ErrNotExist) {
			continue // in place already: this is a repetition
		}
		err := fs.WalkDir(site.FS(), top, func(name string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() || !carried(name) || inPackage(l, s, name) {
				return err
			}
			return cargo.Copy(parcel, path.Join("wordpress", name), site, name)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// inPackage reports whether the release itself has a file of that name.
func inPackage(l *cms.Layout, s *cms.Staged, name string) bool {
	key, err := filepath.Rel(s.Update.Component.Path, filepath.Join(layout.CoreDir(l), name))
	return err == nil && s.Files[filepath.ToSlash(key)] != ""
}
