package parcel

import (
	"context"
	"io/fs"
	"os"
	"path"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
)

// Carry copies into a staged folder what the site has there besides, for CMSs
// that unpack over what is installed: owners keep icons, languages, parts of
// templates and settings in folders of a release. What the package or the list
// of what goes names is not carried.
func Carry(ctx context.Context, w cms.Work, s *cms.Staged, move cms.Move) error {
	fresh, err := w.Open(s.Dir)
	if err != nil {
		return err
	}
	defer fresh.Close()
	if info, err := fresh.Lstat(move.From); err != nil || !info.IsDir() {
		return nil // a file, or in place already: this is a repetition
	}
	there, err := IsFolder(w, move.To)
	if err != nil || !there {
		return err
	}
	site, err := w.Open(move.To)
	if err != nil {
		return err
	}
	defer site.Close()
	gone := droppedBelow(s, move.To)
	return fs.WalkDir(site.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return upkeep.Errorf(upkeep.CodeInterrupted, "stopped: %w", ctx.Err())
		case gone[name] && entry.IsDir():
			return fs.SkipDir
		case gone[name] || name == ".":
			return nil
		}
		return carryOne(fresh, path.Join(move.From, name), site, name)
	})
}

// carryOne copies a file, a link or an empty folder that the package lacks.
func carryOne(fresh *os.Root, target string, site *os.Root, name string) error {
	if _, err := fresh.Lstat(target); err == nil {
		return nil
	}
	info, err := site.Lstat(name)
	if err != nil {
		return err
	}
	switch {
	case info.IsDir():
		return fresh.MkdirAll(target, info.Mode().Perm())
	case info.Mode()&fs.ModeSymlink != 0:
		to, err := site.Readlink(name)
		if err != nil {
			return err
		}
		return fresh.Symlink(to, target)
	case info.Mode().IsRegular():
		return Copy(fresh, target, site, name)
	}
	return nil
}

// droppedBelow are the paths below dir, a folder that is swapped, that the new
// version no longer has.
func droppedBelow(s *cms.Staged, dir string) map[string]bool {
	gone := map[string]bool{}
	for _, target := range s.Drop {
		if rel, ok := strings.CutPrefix(target, dir+"/"); ok {
			gone[rel] = true
		}
	}
	return gone
}
