package parcel

import (
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"upkeep"
	"upkeep/internal/cms"
)

// Codes of the checks that Arrived answers, in this order.
const (
	checkContent = "package_content" // every file as in the package; Got names those that are not
	checkDropped = "dropped"         // obsolete files are gone; only where there were any
)

// comparers is how many folders are compared at the same time.
const comparers = 2

// Arrived compares every file in place with the package, and looks for those
// that were to go.
func Arrived(h cms.Host, s *cms.Staged) ([]upkeep.Check, error) {
	ref := s.Update.Ref()
	content := upkeep.Check{Code: checkContent, Component: ref}
	content.Expect(upkeep.Words("files: %d", len(s.Files)))
	var wrong []string
	byDir := map[string][]string{} // one open folder for all files of it
	for name := range s.Files {
		dir := filepath.Dir(filepath.Join(s.Update.Component.Path, name))
		byDir[dir] = append(byDir[dir], name)
	}
	var found sync.Mutex
	var comparing errgroup.Group
	comparing.SetLimit(comparers)
	for _, dir := range slices.Sorted(maps.Keys(byDir)) {
		comparing.Go(func() error {
			differ, err := differing(h, dir, s, byDir[dir])
			found.Lock()
			defer found.Unlock()
			wrong = append(wrong, differ...)
			return err
		})
	}
	if err := comparing.Wait(); err != nil {
		return nil, err
	}
	content.OK = len(wrong) == 0 && len(s.Files) > 0
	content.Get(content.Wanted())
	if !content.OK {
		slices.Sort(wrong)
		content.Get(upkeep.Words("differs: %s", cms.List(wrong)))
	}
	dropped := upkeep.Check{Code: checkDropped, Component: ref, OK: true}
	dropped.Expect(upkeep.Words("gone: %d", len(s.Drop)))
	var still []string
	for _, target := range s.Drop {
		root, err := h.Open(filepath.Dir(target))
		if err != nil {
			continue // its folder went with it
		}
		if _, err := root.Lstat(filepath.Base(target)); err == nil {
			still = append(still, target)
		}
		root.Close()
	}
	dropped.Get(dropped.Wanted())
	if still != nil {
		dropped.OK = false
		dropped.Get(upkeep.Words("still there: %s", cms.List(still)))
	}
	if len(s.Drop) == 0 {
		return []upkeep.Check{content}, nil
	}
	return []upkeep.Check{content, dropped}, nil
}

// Kept looks at each update: at what is installed now, by version, and at the files
// of its package.
func Kept(h cms.Host, now *upkeep.Inventory, staged []cms.Staged, version func(now *upkeep.Inventory, s *cms.Staged) upkeep.Check) ([]upkeep.Check, error) {
	var checks []upkeep.Check
	for i := range staged {
		s := &staged[i]
		checks = append(checks, version(now, s))
		content, err := Arrived(h, s)
		if err != nil {
			return checks, err
		}
		checks = append(checks, content...)
	}
	return checks, nil
}

// differing returns the names whose file in dir is not as staged.
func differing(h cms.Host, dir string, s *cms.Staged, names []string) ([]string, error) {
	root, err := h.Open(dir)
	if errors.Is(err, fs.ErrNotExist) || upkeep.CodeOf(err) == upkeep.CodeNotFound {
		return names, nil
	}
	if err != nil {
		return nil, err
	}
	defer root.Close()
	var wrong []string
	for _, name := range names {
		file := filepath.Base(filepath.Join(s.Update.Component.Path, name))
		if info, err := root.Lstat(file); err != nil || !info.Mode().IsRegular() {
			wrong = append(wrong, name)
			continue
		}
		if sum, err := Sum(root, file); err != nil || sum != s.Files[name] {
			wrong = append(wrong, name)
		}
	}
	return wrong, nil
}
