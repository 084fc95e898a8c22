package known

import (
	"context"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/area"
)

// Bounds of what is read of a site.
const (
	maxSettings = 1 << 20 // of a configuration
	maxHead     = 1 << 17 // of a file that says a version
	maxPackages = 16 << 20
	maxEntries  = 5_000 // of a folder
	maxParts    = 2_000
)

// scene is a folder that is being looked at.
type scene struct {
	ctx    context.Context
	host   cms.Host
	app    *application
	root   string // links resolved
	top    *os.Root
	above  *os.Root // the folder above, nil where it is not lent
	layout *cms.Layout
}

// look opens the folder of an application. CodeNotFound when there is none.
func look(ctx context.Context, h cms.Host, app *application, root string) (*scene, error) {
	resolved, err := filepath.EvalSymlinks(root)
	if err != nil {
		return nil, upkeep.Errorf(upkeep.CodeNotFound, "no such folder: %w", err)
	}
	s := &scene{ctx: ctx, host: h, app: app, root: resolved}
	if s.top, err = h.Open(root); err != nil {
		return nil, err
	}
	// What is not lent is not there: the driver has no business in it.
	if above, err := h.Open(filepath.Dir(resolved)); err == nil {
		s.above = above
	}
	return s, nil
}

func (s *scene) close() {
	s.top.Close()
	if s.above != nil {
		s.above.Close()
	}
}

// in returns the lent folder that a path, relative to the root, is in, and its
// name there. A path that a link leads beside the root is looked for there: a
// release of TYPO3 often lies so.
func (s *scene) in(name string) (*os.Root, string) {
	if beside, ok := strings.CutPrefix(name, "../"); ok {
		return s.above, beside
	}
	if _, err := s.top.Stat(name); err == nil || s.above == nil {
		return s.top, name
	}
	target, err := filepath.EvalSymlinks(filepath.Join(s.root, name))
	if err != nil {
		return s.top, name
	}
	if rel, ok := area.Relative(filepath.Dir(s.root), target); ok && rel != "." {
		return s.above, rel
	}
	return s.top, name
}

func (s *scene) stat(name string) (fs.FileInfo, bool) {
	dir, name := s.in(name)
	if dir == nil {
		return nil, false
	}
	info, err := dir.Stat(name)
	return info, err == nil
}

// head returns at most limit bytes of a regular file's beginning, nil when
// there is none.
func (s *scene) head(name string, limit int64) []byte {
	dir, name := s.in(name)
	if dir == nil {
		return nil
	}
	// A pipe in the place of a file must not keep us waiting for its other end.
	f, err := dir.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(f, limit))
	if err != nil {
		return nil
	}
	return text
}

// has reports whether one of the alternatives of a mark is there.
func (s *scene) has(mark string) bool {
	for one := range strings.SplitSeq(mark, "|") {
		name, text, within := strings.Cut(one, "~")
		if within && strings.Contains(string(s.head(name, maxHead)), text) {
			return true
		}
		if _, there := s.stat(name); there && !within {
			return true
		}
	}
	return false
}

// is reports whether the folder holds the application.
func (s *scene) is(app *application) bool {
	for _, mark := range app.Marks {
		if !s.has(mark) {
			return false
		}
	}
	return !slices.ContainsFunc(app.Without, s.has) && (app.find == nil || app.find(s))
}

// glob returns the names that match a pattern, in order, of at most maxParts.
// Only the last elements may have stars. No folder is read further than
// maxEntries.
func (s *scene) glob(pattern string) []string {
	found := []string{"."}
	if beside, ok := strings.CutPrefix(pattern, "../"); ok {
		if _, there := s.stat(pattern); there && !strings.Contains(beside, "*") {
			return []string{pattern}
		}
		return nil
	}
	for element := range strings.SplitSeq(pattern, "/") {
		var next []string
		for _, dir := range found {
			next = append(next, s.below(dir, element)...)
			if len(next) > maxParts {
				next = next[:maxParts]
				break
			}
		}
		found = next
	}
	return found
}

// below returns what of a folder matches one element of a pattern.
func (s *scene) below(dir, element string) []string {
	if !strings.Contains(element, "*") {
		name := path.Join(dir, element)
		if _, there := s.stat(name); there {
			return []string{name}
		}
		return nil
	}
	var names []string
	for _, name := range s.list(dir) {
		if ok, err := path.Match(element, name); ok && err == nil && !strings.HasPrefix(name, ".") {
			names = append(names, path.Join(dir, name))
		}
	}
	return names
}

// list returns the names in a folder, in order, at most maxEntries.
func (s *scene) list(dir string) []string {
	root, name := s.in(dir)
	if root == nil {
		return nil
	}
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_DIRECTORY, 0)
	if err != nil {
		return nil
	}
	defer f.Close()
	names, err := f.Readdirnames(maxEntries)
	if err != nil {
		return nil
	}
	slices.Sort(names)
	return names
}
