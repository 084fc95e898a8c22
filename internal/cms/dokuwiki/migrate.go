package dokuwiki

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/dokuwiki/layout"
	"upkeep/internal/cms/parcel"
)

// touched is the name that the configuration waits under, beside a package.
const touched = "upkeep-local.php"

// Migrate has rendered pages made anew, as DokuWiki's own extension manager
// does: it gives conf/local.php, on whose age every cached page depends, a new
// time. There is no schema, and the search index brings itself up to date with
// each page that is shown.
//
// The file is exchanged for a copy, so that an undo brings back the very file.
// One that the site's account does not own stays, and so do the pages.
func (d *Driver) Migrate(ctx context.Context, w cms.Work, l *cms.Layout, staged []cms.Staged) (err error) {
	defer upkeep.Wrap(&err, "migrate %s", l.Root)
	local := l.Options[layout.OptionLocal]
	if len(staged) == 0 || local == "" {
		return nil
	}
	site, err := w.Open(filepath.Dir(local))
	if err != nil {
		return err
	}
	defer site.Close()
	beside, err := w.Open(staged[0].Dir)
	if err != nil {
		return err
	}
	defer beside.Close()
	name := filepath.Base(local)
	info, err := site.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = beside.WriteFile(touched, nil, 0o644)
	case err != nil:
	case !info.Mode().IsRegular() || !mine(info):
		return nil
	default:
		err = parcel.Copy(beside, touched, site, name)
	}
	if err != nil {
		return err
	}
	now := d.now()
	if err := beside.Chtimes(touched, now, now); err != nil {
		return err
	}
	if info != nil {
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			// A group that we are not in cannot be given away.
			if err := beside.Lchown(touched, -1, int(st.Gid)); err != nil && !errors.Is(err, fs.ErrPermission) {
				return err
			}
		}
	}
	return w.Swap(ctx, local, filepath.Join(staged[0].Dir, touched))
}

// mine reports whether a file belongs to our own account.
func mine(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}
