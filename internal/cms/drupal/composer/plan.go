package composer

import (
	"context"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/parcel"
)

// owned are files of the root that owners adapt: scaffolding writes over them,
// which is left to the owner where they are not as the release brings them.
// By the name that the release has for each.
var owned = map[string]string{
	".htaccess": "htaccess", "robots.txt": "robots.txt", "web.config": "web.config", ".ht.router.php": "ht.router.php",
	".gitignore": "", "favicon.ico": "",
}

// comparing finds what of a copy is not as in the project.
type comparing struct {
	*Workshop
	state      *State
	live, copy *os.Root
	had, has   Packages
	units      map[string]bool // what moves as one, below the project
}

// plan says what would move for the project to be as its copy: packages and
// what Composer writes about them as whole folders, everything else as files.
func (w *Workshop) plan(ctx context.Context, state *State, root *os.Root) (err error) {
	c := &comparing{Workshop: w, state: state, copy: root, units: map[string]bool{}}
	state.Moves, state.Drop, state.Files, state.Changed, state.Kept = nil, nil, map[string]string{}, nil, nil
	if c.live, err = w.Host.Open(w.Project); err != nil {
		return err
	}
	defer c.live.Close()
	if c.had, _, err = ReadInstalled(c.live); err != nil {
		return err
	}
	if c.has, _, err = ReadInstalled(root); err != nil {
		return err
	}
	drift, err := Drift(root)
	if err == nil && len(drift) > 0 {
		err = upkeep.Errorf(upkeep.CodeRefused, "composer did not install what it locked: %s", cms.List(drift))
	}
	if err != nil {
		return err
	}
	c.packages()
	if err := c.files(ctx); err != nil {
		return err
	}
	c.removed()
	for _, unit := range c.outermost() {
		state.Moves = append(state.Moves, cms.Move{From: unit, To: filepath.Join(w.Project, unit)})
		if err := c.sum(ctx, unit); err != nil {
			return err
		}
	}
	return nil
}

// packages notes those that changed.
func (c *comparing) packages() {
	for _, name := range differing(c.had, c.has) {
		from, to := "–", "–"
		if p := c.had[name]; p != nil {
			from = p.Version
		}
		if p := c.has[name]; p != nil {
			to = p.Version
			c.add(p.Dir())
		}
		c.state.Changed = append(c.state.Changed, name+" "+from+" → "+to)
	}
	c.add(vendor + "/composer")
}

// add notes a path that moves, with the folders above it that are new.
func (c *comparing) add(name string) {
	if _, err := c.copy.Lstat(name); name == "" || err != nil {
		return
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if _, err := c.live.Lstat(dir); err == nil {
			break
		}
		name = dir
	}
	c.units[name] = true
}

// files notes what differs outside of packages that changed.
func (c *comparing) files(ctx context.Context) error {
	whole := map[string]bool{vendor + "/composer": true, vendor + "/bin": true}
	for _, p := range c.has {
		if dir := p.Dir(); dir != "" {
			whole[dir] = true
		}
	}
	return fs.WalkDir(c.copy.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return upkeep.Errorf(upkeep.CodeInterrupted, "stopped: %w", ctx.Err())
		case entry.IsDir() && (c.units[name] || name == path.Join(c.Web, "sites")):
			return fs.SkipDir // the folder of settings is the owner's
		case entry.IsDir(), !c.ours(name):
			return nil
		}
		same, err := c.same(name, entry)
		if err != nil || same {
			return err
		}
		if kept, err := c.keeps(name); err != nil || kept {
			return err
		}
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if whole[dir] {
				name = dir
			}
		}
		c.add(name)
		return nil
	})
}

// ours reports whether a file is one that the site consists of: what scaffolding
// puts beside Drupal is for editors, and in no backup.
func (c *comparing) ours(name string) bool {
	return c.Web == "." || name == Lock || strings.HasPrefix(name, vendor+"/") || strings.HasPrefix(name, c.Web+"/")
}

// same reports whether the project has a file as the copy has it.
func (c *comparing) same(name string, entry fs.DirEntry) (bool, error) {
	had, err := c.live.Lstat(name)
	if err != nil {
		return false, nil // nothing there, or nothing to be seen
	}
	has, err := entry.Info()
	if err != nil || had.Mode().Type() != has.Mode().Type() {
		return false, err
	}
	if has.Mode()&fs.ModeSymlink != 0 {
		from, err := c.live.Readlink(name)
		if err != nil {
			return false, err
		}
		to, err := c.copy.Readlink(name)
		return from == to, err
	}
	if had.Size() != has.Size() {
		return false, nil
	}
	if had.ModTime().Equal(has.ModTime()) {
		return true, nil // copied, and not written since
	}
	return sameText(c.live, c.copy, name)
}

// keeps reports whether a file that differs stays as the owner made it.
func (c *comparing) keeps(name string) (bool, error) {
	original, ownable := owned[path.Base(name)]
	if !ownable || path.Dir(name) != path.Clean(c.Web) {
		return false, nil
	}
	theirs, err := cms.ReadBounded(c.live, name, maxBytes)
	if err != nil {
		return false, nil // none of the owner's
	}
	brought, err := cms.ReadBounded(c.live, path.Join(c.Web, "core/assets/scaffold/files", original), maxBytes)
	if err == nil && string(brought) == string(theirs) {
		return false, nil
	}
	c.state.Kept = append(c.state.Kept, filepath.Join(c.Project, name))
	return true, nil
}

// removed notes packages that are not there any more.
func (c *comparing) removed() {
	for _, name := range slices.Sorted(maps.Keys(c.had)) {
		dir := c.had[name].Dir()
		if c.has[name] != nil || dir == "" {
			continue
		}
		if _, err := c.live.Lstat(dir); err == nil && !c.inside(dir) {
			c.state.Drop = append(c.state.Drop, filepath.Join(c.Project, dir))
		}
	}
}

// inside reports whether a path goes along with a unit.
func (c *comparing) inside(name string) bool {
	for dir := name; dir != "."; dir = path.Dir(dir) {
		if c.units[dir] {
			return true
		}
	}
	return false
}

// outermost are the units that no other holds, in the order in which they are
// to move: what says the versions goes last.
func (c *comparing) outermost() []string {
	var units []string
	for unit := range c.units {
		if path.Dir(unit) == "." || !c.inside(path.Dir(unit)) {
			units = append(units, unit)
		}
	}
	last := []string{path.Join(c.Web, "core"), vendor + "/autoload.php", vendor + "/composer", File, Lock}
	slices.SortFunc(units, func(a, b string) int {
		if rank := slices.Index(last, a) - slices.Index(last, b); rank != 0 {
			return rank
		}
		return strings.Compare(a, b)
	})
	return units
}

// sum notes what every file of a unit is. A link may not leave the project.
func (c *comparing) sum(ctx context.Context, unit string) error {
	return fs.WalkDir(c.copy.FS(), unit, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil || entry.IsDir():
			return err
		case ctx.Err() != nil:
			return upkeep.Errorf(upkeep.CodeInterrupted, "stopped: %w", ctx.Err())
		case entry.Type()&fs.ModeSymlink != 0:
			target, err := c.copy.Readlink(name)
			if err == nil && leadsOut(name, target) {
				err = upkeep.Errorf(upkeep.CodeRefused, "%s is a link to %s", name, target)
			}
			return err
		case !entry.Type().IsRegular():
			return upkeep.Errorf(upkeep.CodeRefused, "%s is not a regular file", name)
		}
		sum, err := parcel.Sum(c.copy, name)
		c.state.Files[filepath.Join(c.Project, name)] = sum
		return err
	})
}
