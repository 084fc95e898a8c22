package drupal

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/drupal/composer"
	"upkeep/internal/cms/drupal/layout"
	"upkeep/internal/cms/integrity"
	"upkeep/internal/cms/parcel"
)

// workshop is the one beside what is staged; base is its folder.
func workshop(h cms.Host, l *cms.Layout, base string) (*composer.Workshop, error) {
	project := l.Dirs[layout.DirProject]
	web, err := filepath.Rel(project, l.Root)
	if err != nil {
		return nil, err
	}
	w := &composer.Workshop{Host: h, Project: project, Web: filepath.ToSlash(web), Command: l.Options[layout.OptionComposer], Base: base}
	for key, dir := range l.Dirs { // of every site
		kept := strings.HasPrefix(key, layout.DirFiles) || strings.HasPrefix(key, layout.DirPrivate)
		if rel, err := filepath.Rel(project, dir); kept && err == nil {
			w.Without = append(w.Without, filepath.ToSlash(rel))
		}
	}
	return w, w.Open()
}

// packageOf is the package by which Composer has a component, nil when it was
// put there without.
func packageOf(h cms.Host, l *cms.Layout, c *upkeep.Component) (*composer.Package, error) {
	dir := l.Dirs[layout.DirProject]
	if dir == "" {
		return nil, nil
	}
	project, err := h.Open(dir)
	if err != nil {
		return nil, err
	}
	defer project.Close()
	all, _, err := composer.ReadInstalled(project)
	if err != nil {
		return nil, err
	}
	if c.Kind == upkeep.Core {
		return all[composer.Core], nil
	}
	p := all["drupal/"+c.Slug]
	if p == nil || filepath.Join(dir, p.Dir()) != c.Path {
		return nil, nil
	}
	return p, nil
}

// wantedOf is what Composer is asked for by an update.
func wantedOf(u *upkeep.Update) composer.Wanted {
	name := "drupal/" + u.Component.Slug
	if u.Component.Kind == upkeep.Core {
		name = composer.Core
	}
	return composer.Wanted{Name: name, Version: composer.Version(u.Release.Version)}
}

// manage stages an update of what Composer manages: a copy of the project, in
// which the updates that were staged before have been made, is brought to this
// one too. The release as it is published is what the result is held against.
func (d *Driver) manage(ctx context.Context, h cms.Host, l *cms.Layout, update upkeep.Update, unpacked string) (_ *cms.Staged, err error) {
	defer upkeep.Wrap(&err, "package of %s %s", update.Ref(), update.Release.Version)
	w, err := workshop(h, l, filepath.Join(filepath.Dir(unpacked), "composer"))
	if err != nil {
		return nil, err
	}
	before := map[string]bool{}
	if latest, err := w.Latest(); err == nil && latest != nil {
		for _, changed := range latest.Changed {
			before[changed] = true
		}
	}
	state, err := w.Add(ctx, wantedOf(&update))
	if err != nil {
		return nil, err
	}
	staged := &cms.Staged{Update: update, Dir: state.Copy, Moves: state.Moves, Drop: state.Drop, Files: map[string]string{}}
	c := &update.Component
	own := c.Path
	if c.Kind == upkeep.Core {
		own = filepath.Join(l.Root, "core")
	}
	for name, sum := range state.Files {
		if strings.HasPrefix(name, own+"/") {
			staged.Files[strings.TrimPrefix(name, c.Path+"/")] = sum
		}
	}
	if err := asPublished(h, staged, unpacked); err != nil {
		return nil, errors.Join(err, w.Forget(ctx, wantedOf(&update)))
	}
	var also []string
	for _, changed := range state.Changed {
		if !before[changed] && !strings.HasPrefix(changed, wantedOf(&update).Name) {
			also = append(also, changed)
		}
	}
	for code, paths := range map[string][]string{"also_changed": also, "owner_keeps": state.Kept} {
		if len(paths) > 0 {
			staged.Findings = append(staged.Findings, upkeep.Finding{Code: code, Component: update.Ref(), Paths: paths})
		}
	}
	slices.SortFunc(staged.Findings, func(a, b upkeep.Finding) int { return strings.Compare(a.Code, b.Code) })
	return staged, nil
}

// asPublished refuses a component that Composer brought when a file of it that
// PHP or a browser would run is not as in the release of drupal.org.
func asPublished(h cms.Host, s *cms.Staged, unpacked string) error {
	root, err := h.Open(unpacked)
	if err != nil {
		return err
	}
	defer root.Close()
	top, err := parcel.Top(root)
	if err != nil {
		return err
	}
	from := top
	if s.Update.Component.Kind == upkeep.Core {
		from = path.Join(top, "core")
	}
	published := map[string]bool{}
	var wrong []string
	err = fs.WalkDir(root.FS(), from, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || !runs(name) {
			return err
		}
		key := strings.TrimPrefix(name, top+"/")
		published[key] = true
		sum, err := parcel.Sum(root, name)
		if err == nil && s.Files[key] != sum {
			wrong = append(wrong, key)
		}
		return err
	})
	if err != nil {
		return err
	}
	for key := range s.Files {
		if runs(key) && !published[key] {
			wrong = append(wrong, key)
		}
	}
	if slices.Sort(wrong); len(wrong) > 0 {
		return parcel.Refused("what composer brought is not as published: %s", cms.List(wrong))
	}
	return nil
}

// code are what files of Drupal's are called that are code, besides PHP's own.
var code = []string{".module", ".install", ".theme", ".profile", ".engine", ".js"}

// runs reports whether a file of a release is code.
func runs(name string) bool {
	return integrity.Executable(name) || slices.Contains(code, path.Ext(name))
}

// applyManaged swaps into place what Composer made of all updates together. As
// a rule that is ready; for another selection of them, in the search for what
// broke a site, it is made now, of packages that are in the cache.
func (d *Driver) applyManaged(ctx context.Context, w cms.Work, l *cms.Layout, staged []cms.Staged) (err error) {
	defer upkeep.Wrap(&err, "apply what composer made")
	shop, err := workshop(w, l, filepath.Dir(staged[0].Dir))
	if err != nil {
		return err
	}
	project, err := w.Open(l.Dirs[layout.DirProject])
	if err != nil {
		return err
	}
	defer project.Close()
	locked, err := composer.ReadLock(project, false)
	if err != nil {
		return err
	}
	var missing []composer.Wanted
	for i := range staged {
		if want := wantedOf(&staged[i].Update); !want.In(locked) {
			missing = append(missing, want)
		}
	}
	if missing == nil {
		return nil // this is a repetition
	}
	state, err := shop.Latest()
	if err != nil {
		return err
	}
	if state == nil || !slices.Equal(state.Wanted, missing) {
		if state, err = shop.For(ctx, missing); err != nil {
			return err
		}
	}
	for _, move := range state.Moves[:len(state.Moves)-1] {
		if err := w.Swap(ctx, move.To, filepath.Join(state.Copy, move.From)); err != nil {
			return err
		}
	}
	for _, target := range state.Drop {
		if err := w.Remove(ctx, target); err != nil {
			return err
		}
	}
	last := state.Moves[len(state.Moves)-1] // the lock: with it everything is there
	return w.Swap(ctx, last.To, filepath.Join(state.Copy, last.From))
}

// Codes of the checks of what Composer manages.
const (
	checkLock    = "composer_lock"    // what is locked is installed, and what was asked for
	checkContent = "composer_content" // every file as Composer left it in the copy
)

// managedChecks compare the project with what Composer was asked for.
func managedChecks(h cms.Host, l *cms.Layout, staged []cms.Staged) ([]upkeep.Check, error) {
	dir := l.Dirs[layout.DirProject]
	project, err := h.Open(dir)
	if err != nil {
		return nil, err
	}
	defer project.Close()
	wrong, err := composer.Drift(project)
	if err != nil {
		return nil, err
	}
	locked, err := composer.ReadLock(project, false)
	if err != nil {
		return nil, err
	}
	for i := range staged {
		if want := wantedOf(&staged[i].Update); !want.In(locked) {
			wrong = append(wrong, want.Name)
		}
	}
	lock := upkeep.Check{Code: checkLock, OK: len(wrong) == 0}
	lock.Expect(upkeep.Words("as asked for"))
	lock.Get(lock.Wanted())
	if !lock.OK {
		lock.Get(upkeep.Words("differs: %s", cms.List(wrong)))
	}
	shop, err := workshop(h, l, filepath.Dir(staged[0].Dir))
	if err != nil {
		return nil, err
	}
	state, err := shop.State()
	if err != nil || state == nil {
		return []upkeep.Check{lock}, err
	}
	all := &cms.Staged{Update: upkeep.Update{Component: upkeep.Component{Kind: upkeep.Core, Path: dir}}, Files: map[string]string{}, Drop: state.Drop}
	for name, sum := range state.Files {
		all.Files[strings.TrimPrefix(name, dir+"/")] = sum
	}
	content, err := parcel.Arrived(h, all)
	for i := range content {
		content[i].Component = "" // many may have a part in it
		if i == 0 {
			content[i].Code = checkContent
		}
	}
	return append([]upkeep.Check{lock}, content...), err
}
