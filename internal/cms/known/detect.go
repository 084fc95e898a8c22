package known

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/area"
)

// optionHome is the key of cms.Layout.Options of the address of the home page,
// where the configuration says it.
const optionHome = "home"

// Detect finds the application at root. CodeNotFound when it is another one,
// CodeInvalid with a hint when it cannot be used as it is.
func (d *Driver) Detect(ctx context.Context, h cms.Host, root string) (_ *cms.Layout, err error) {
	defer upkeep.Wrap(&err, "detect %s in %s", d.app.ID, root)
	s, err := look(ctx, h, &d.app, root)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if err := s.isFront(); err != nil {
		return nil, err
	}
	if !s.is(&d.app) {
		return nil, upkeep.Errorf(upkeep.CodeNotFound, "no %s", d.app.Name)
	}
	s.layout = &cms.Layout{
		CMS: d.app.ID, Root: s.root, Areas: []cms.Area{{Name: "site", Dir: s.root}},
		Dirs: map[string]string{}, Options: map[string]string{},
		Logs: []string{filepath.Join(s.root, "error_log")},
	}
	found, err := s.settings()
	if err != nil {
		return nil, err
	}
	if err := s.place(found); err != nil {
		return nil, err
	}
	s.placeLinks()
	s.findOthers()
	return s.layout, nil
}

// isFront refuses the folder that visitors see of an application that lies
// above, with its configuration: that and its libraries would be left out of
// every backup.
func (s *scene) isFront() error {
	if s.above == nil || !slices.Contains(s.app.Fronts, filepath.Base(s.root)) {
		return nil
	}
	up := *s
	up.root, up.top, up.above = filepath.Dir(s.root), s.above, nil
	configured := func(from settings) bool { return len(up.files(from.Files)) > 0 }
	if !up.is(s.app) || !slices.ContainsFunc(s.app.Settings, configured) {
		return nil
	}
	return upkeep.Errorf(upkeep.CodeInvalid, "the folder is the front of %s in %s", s.app.Name, up.root).
		WithHint("Name the project's folder, %s, instead.", up.root)
}

// place says where everything is, and makes areas of what lies outside the
// root.
func (s *scene) place(found *found) error {
	l := s.layout
	var err error
	if l.Database, err = s.database(found); err != nil {
		return err
	}
	if l.Database == nil && s.app.find != nil {
		s.find(upkeep.Finding{Code: "database_unknown", Blocks: true})
	}
	if found == nil {
		return nil
	}
	if home := found.get(found.from.Keys.Home); strings.Contains(home, "://") {
		l.Options[optionHome] = strings.TrimSuffix(home, "/") + "/"
	}
	for _, folder := range s.app.Folders {
		if dir := found.get(folder.Key); dir != "" {
			s.placeFolder(folder.Name, dir)
		}
	}
	if strings.HasPrefix(found.file, "../") {
		l.Areas = append(l.Areas, cms.Area{Name: "config", Dir: filepath.Dir(s.root), Only: []string{filepath.Base(found.file)}})
	}
	return nil
}

func (s *scene) placeFolder(name, dir string) {
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(s.root, dir)
	}
	dir = filepath.Clean(dir)
	resolved, err := filepath.EvalSymlinks(dir)
	if err != nil {
		s.layout.Dirs[name] = area.Nearest(dir)
		return
	}
	s.layout.Dirs[name] = resolved
	area.Add(s.layout, name, resolved, s.root)
}

// maxLinks bounds how many links a layout follows.
const maxLinks = 200

// placeLinks makes areas of the folders that links in the root, and in the
// folders of it, lead out to.
func (s *scene) placeLinks() {
	links := 0
	for _, dir := range append([]string{"."}, s.folders(".")...) {
		for _, name := range s.list(dir) {
			info, err := s.top.Lstat(filepath.Join(dir, name))
			if err != nil || info.Mode()&fs.ModeSymlink == 0 {
				continue
			}
			if links++; links > maxLinks {
				return
			}
			s.placeLink(filepath.Join(dir, name))
		}
	}
}

func (s *scene) placeLink(name string) {
	link := filepath.Join(s.root, name)
	target, err := filepath.EvalSymlinks(link)
	if errors.Is(err, fs.ErrNotExist) {
		s.find(upkeep.Finding{Code: "link_broken", Paths: []string{link}})
		return
	}
	if err != nil {
		return
	}
	if info, err := os.Stat(target); err == nil && info.IsDir() {
		area.Add(s.layout, "link-"+strings.ReplaceAll(name, "/", "-"), target, s.root)
	}
}

// folders returns the folders directly below one, none that are links.
func (s *scene) folders(dir string) []string {
	var names []string
	for _, name := range s.list(dir) {
		name = filepath.Join(dir, name)
		if info, err := s.top.Lstat(name); err == nil && info.IsDir() {
			names = append(names, name)
		}
	}
	return names
}

// findOthers reports applications inside this one: their databases are not
// part of its backups.
func (s *scene) findOthers() {
	if inside := s.inside(); len(inside) > 0 {
		s.find(upkeep.Finding{Code: "application_inside", Paths: inside, Blocks: true})
	}
}

// inside returns the folders directly below the root that hold an application
// of their own.
func (s *scene) inside() []string {
	marks := append(table(), application{Marks: []string{"wp-load.php", "wp-includes/version.php"}})
	var found []string
	for _, dir := range s.folders(".") {
		top, err := s.top.OpenRoot(dir)
		if err != nil {
			continue
		}
		child := &scene{root: filepath.Join(s.root, dir), top: top}
		if slices.ContainsFunc(marks, func(app application) bool { return child.is(&app) }) {
			found = append(found, child.root)
		}
		child.close()
	}
	return found
}

func (s *scene) find(f upkeep.Finding) { s.layout.Findings = append(s.layout.Findings, f) }
