package composer

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"upkeep"
	"upkeep/internal/cms/parcel"
)

// Bounds of a project that is copied.
const (
	maxFiles = 400_000
	maxBytes = 4 << 30
)

// apart are folders that Composer has nothing to do with, wherever they are.
var apart = []string{".git", ".svn", ".hg", ".bzr", "node_modules"}

// skipped reports whether a path of the project is not copied: what visitors
// and settings put into the site, and what is ours.
func (w *Workshop) skipped(name string) bool {
	base := path.Base(name)
	if slices.Contains(apart, base) || strings.HasPrefix(base, ".upkeep-") {
		return true
	}
	site, inSites := strings.CutPrefix(name, path.Join(w.Web, "sites")+"/")
	if !inSites {
		return slices.Contains(w.Without, name)
	}
	parts := strings.Split(site, "/")
	return len(parts) == 2 && (parts[1] == "files" || parts[1] == "private" || strings.HasPrefix(parts[1], "settings"))
}

// fill copies the project into an empty folder. A link that leads out of the
// project is left out: what is written in the copy must stay there.
func (w *Workshop) fill(ctx context.Context, to *os.Root) (err error) {
	defer upkeep.Wrap(&err, "copy %s", w.Project)
	from, err := w.Host.Open(w.Project)
	if err != nil {
		return err
	}
	defer from.Close()
	files, bytes := 0, int64(0)
	return fs.WalkDir(from.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrPermission) && entry.IsDir():
			return fs.SkipDir // not even its owner may look into it
		case err != nil:
			return err
		case ctx.Err() != nil:
			return upkeep.Errorf(upkeep.CodeInterrupted, "stopped: %w", ctx.Err())
		case name == ".":
			return nil
		case w.skipped(name):
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if files, bytes = files+1, bytes+info.Size(); files > maxFiles || bytes > maxBytes {
			return upkeep.Errorf(upkeep.CodeRefused, "the project has more than %d files or %d MB", maxFiles, maxBytes>>20)
		}
		return copyOne(to, from, name, info)
	})
}

func copyOne(to, from *os.Root, name string, info fs.FileInfo) error {
	switch {
	case info.IsDir():
		if err := to.MkdirAll(name, 0o700); err != nil {
			return err
		}
		return to.Chmod(name, info.Mode().Perm()|0o700)
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := from.Readlink(name)
		if err != nil || leadsOut(name, target) {
			return err
		}
		return to.Symlink(target, name)
	case info.Mode().IsRegular():
		if err := parcel.Copy(to, name, from, name); err != nil {
			return err
		}
		return to.Chmod(name, info.Mode().Perm()|0o600)
	}
	return nil
}

// leadsOut reports whether a link at name, to target, leaves the project.
func leadsOut(name, target string) bool {
	inside := path.Join(path.Dir(name), target)
	return path.IsAbs(target) || inside == ".." || strings.HasPrefix(inside, "../")
}
