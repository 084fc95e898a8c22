package inventory

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"upkeep"
	"upkeep/internal/cms/wordpress/header"
	"upkeep/internal/cms/wordpress/layout"
)

// readThemes finds themes as search_theme_directories does: folders with a
// style.css, or folders of such folders.
func (s *survey) readThemes() error { return s.readThemeRoot(s.layout.Dirs[layout.DirThemes]) }

func (s *survey) readThemeRoot(dir string) (err error) {
	defer upkeep.Wrap(&err, "themes in %s", dir)
	root, err := s.folder(dir)
	if root == nil || err != nil {
		return err
	}
	defer root.Close()
	entries, err := listing(root)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !themeFolder(entry) {
			continue
		}
		t := themePlace{survey: s, path: filepath.Join(dir, entry.Name()), id: entry.Name(), link: linkTarget(dir, entry)}
		folder, err := t.open(root, entry.Name())
		if err != nil {
			t.unreadable(err)
			continue
		}
		if !t.read(folder) {
			t.readGroup(folder)
		}
		folder.Close()
	}
	return nil
}

// themeFolder excludes what WordPress does; whether a link leads to a folder
// shows when it is opened.
func themeFolder(entry fs.DirEntry) bool {
	name := entry.Name()
	return (entry.IsDir() || entry.Type()&fs.ModeSymlink != 0) && !strings.HasPrefix(name, ".") && name != "CVS"
}

type themePlace struct {
	*survey
	path, id, link string
}

func (t *themePlace) open(root *os.Root, name string) (*os.Root, error) {
	if t.link != "" {
		return t.host.Open(t.link)
	}
	return root.OpenRoot(name)
}

// unreadable reports a folder that is there but cannot be opened. A link that
// leads out of the site is a theme all the same.
func (t *themePlace) unreadable(err error) {
	if t.link == "" {
		t.find(upkeep.Finding{Code: "unreadable", Paths: []string{t.path}}.Because(err))
		return
	}
	if info, err := os.Stat(t.path); err != nil || !info.IsDir() {
		return
	}
	t.add(nil)
}

// read adds the theme in folder and reports whether there is one.
func (t *themePlace) read(folder *os.Root) bool {
	headers, err := t.reader.headersOf(folder, "style.css", header.Theme, t.shortTag)
	if err != nil && !layout.PassedOver(err) {
		t.unreadable(err)
		return true
	}
	if err != nil {
		return false
	}
	t.add(headers)
	if _, checkouts, err := t.reader.namesIn(folder); err == nil {
		t.reportCheckouts("theme:"+t.id, t.path, checkouts)
	}
	return true
}

// readGroup adds the themes one level further down.
func (t *themePlace) readGroup(folder *os.Root) {
	entries, err := listing(folder)
	if err != nil {
		t.unreadable(err)
		return
	}
	for _, entry := range entries {
		if !themeFolder(entry) {
			continue
		}
		inner := themePlace{survey: t.survey, path: filepath.Join(t.path, entry.Name()), id: t.id + "/" + entry.Name(), link: t.link}
		if link := linkTarget(t.path, entry); link != "" {
			inner.link = link
		}
		opened, err := folder.OpenRoot(entry.Name())
		if err != nil {
			continue // no folder, or not ours to look into
		}
		inner.read(opened)
		opened.Close()
	}
}

func (t *themePlace) add(headers map[string]string) {
	c := upkeep.Component{
		Kind: upkeep.Theme, ID: t.id, Slug: t.id, Name: headers["Name"], Version: upkeep.Version(headers["Version"]),
		Path: t.path, Link: t.link, Parent: headers["Template"], UpdateURI: headers["UpdateURI"],
		RequiresCMS: upkeep.Version(headers["RequiresWP"]), RequiresPHP: upkeep.Version(headers["RequiresPHP"]),
		Headers: written(headers),
	}
	if c.Name == "" {
		c.Name = t.id
	}
	if c.Parent == c.ID {
		c.Parent = "" // WordPress refuses a theme that is its own parent
	}
	t.components = append(t.components, c)
	t.reportLink(&c)
}

// otherRoots are the theme roots besides the usual one that the site knows: a
// plugin registers them, and WordPress keeps where it found each theme.
func (s *survey) otherRoots() []string {
	var roots []string
	for _, blog := range s.records.blogs {
		roots = append(roots, blog["template_root"], blog["stylesheet_root"])
	}
	for _, root := range s.stored("theme_roots", s.records.site("_site_transient_theme_roots")).All() {
		roots = append(roots, root.Text())
	}
	return roots
}

// readOtherRoots reads them. Where two roots hold a theme of the same name,
// WordPress takes the one of the later.
func (s *survey) readOtherRoots() {
	seen := map[string]bool{s.layout.Dirs[layout.DirThemes]: true}
	for _, value := range s.otherRoots() {
		if value == "" || value == "/themes" || !filepath.IsAbs(value) {
			continue
		}
		// Relative to the content folder, or else absolute.
		dir := filepath.Join(s.layout.Dirs[layout.DirContent], value)
		if _, err := os.Stat(dir); err != nil {
			dir = filepath.Clean(value)
		}
		if resolved, err := filepath.EvalSymlinks(dir); err == nil {
			dir = resolved
		}
		if seen[dir] {
			continue
		}
		seen[dir] = true
		before := s.components
		s.components = nil
		if err := s.readThemeRoot(dir); err != nil {
			s.find(upkeep.Finding{Code: "unreadable", Paths: []string{dir}}.Because(err))
		}
		s.components = append(without(before, s.components), s.components...)
	}
}

// without leaves out the components that others stand for.
func without(components, others []upkeep.Component) []upkeep.Component {
	refs := map[string]bool{}
	for i := range others {
		refs[others[i].Ref()] = true
	}
	return slices.DeleteFunc(components, func(c upkeep.Component) bool { return refs[c.Ref()] })
}
