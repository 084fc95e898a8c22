// Package layout finds a Drupal, of 7 or of 8 and later: its folder, the site
// that it serves, that site's settings and database, and where it keeps files.
package layout

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

// Keys of cms.Layout.Dirs. Every value is absolute with links resolved.
const (
	DirSite    = "site"    // the folder of settings.php: sites/default, mostly
	DirFiles   = "files"   // public files
	DirPrivate = "private" // private files; absent when there are none
	DirSync    = "sync"    // exported configuration; absent when the site does not say
	DirVendor  = "vendor"  // what Composer put there; absent in Drupal 7
	DirProject = "project" // of composer.json, where Composer is what brings the site up to date
)

// Keys of cms.Layout.Options. A key is absent when the site does not set it.
const (
	OptionGeneration = "generation" // Seven or Eight
	OptionAddress    = "address"    // the host, maybe with its port, under which visitors reach another site of the same code
	OptionHost       = "host"       // the host name by which Drupal finds the folder of settings.php
	OptionHome       = "home"       // address of the home page, where the settings fix it
	OptionPHP        = "php"        // version of the interpreter that evaluated the settings
	OptionSites      = "sites"      // folders of sites, the main one first, where the code serves several
	OptionComposer   = "composer"   // the host's Composer, absolute; with DirProject
)

// Generations: they share ideas, not code. Eight is every later one too.
const (
	Seven = "7"
	Eight = "8"
)

// Names of the gate: the file that every entry of Drupal includes before it
// does anything, and where the site's own one waits meanwhile.
const (
	Settings = "settings.php"
	Waiting  = "settings.upkeep.php"
	Mark     = "UPKEEP_AT_WORK" // in every gate, in no site
)

// VersionFile is the file, below the root, that says which version of Drupal
// this is.
func VersionFile(generation string) string {
	if generation == Seven {
		return "includes/bootstrap.inc"
	}
	return "core/lib/Drupal.php"
}

// Detect finds the Drupal at root. CodeNotFound when there is none,
// CodeInvalid with a hint when it cannot be used as it is.
func Detect(ctx context.Context, h cms.Host, root string) (_ *cms.Layout, err error) {
	defer upkeep.Wrap(&err, "detect drupal in %s", root)
	resolved, err := filepath.EvalSymlinks(root)
	if err != nil {
		return nil, upkeep.Errorf(upkeep.CodeNotFound, "no such folder: %w", err)
	}
	top, err := h.Open(root)
	if err != nil {
		return nil, err
	}
	defer top.Close()
	generation, err := generationOf(top)
	if err != nil {
		return nil, err
	}
	s := &scene{host: h, top: top, root: resolved}
	s.layout = &cms.Layout{
		CMS: upkeep.Drupal, Root: resolved, Areas: []cms.Area{{Name: "site", Dir: resolved}},
		Dirs: map[string]string{}, Options: map[string]string{OptionGeneration: generation},
		Logs: []string{filepath.Join(resolved, "error_log")},
	}
	others, err := s.chooseSite()
	if err != nil {
		return nil, err
	}
	set, err := s.settings(ctx)
	if err != nil {
		return nil, err
	}
	if s.layout.Database, err = set.database(resolved); err != nil {
		return nil, err
	}
	s.place(set, "")
	if err := s.addSites(ctx, others); err != nil {
		return nil, err
	}
	if generation == Eight {
		if err := s.findComposer(); err != nil {
			return nil, err
		}
	}
	return s.layout, s.findOthers(others)
}

func generationOf(top *os.Root) (string, error) {
	there := func(name string) bool {
		info, err := top.Stat(name)
		return err == nil && info.Mode().IsRegular()
	}
	switch {
	case there(VersionFile(Eight)) && there("index.php"):
		if !there("autoload.php") {
			return "", upkeep.Errorf(upkeep.CodeInvalid, "holds half of a Drupal: no autoload.php").
				WithHint("Restore the missing files of Drupal first.")
		}
		return Eight, nil
	case there(VersionFile(Seven)) && there("modules/system/system.info"):
		return Seven, nil
	}
	return "", upkeep.Errorf(upkeep.CodeNotFound, "no core/lib/Drupal.php").
		WithHint("for Drupal the one with index.php and core, which may be called web or docroot")
}

// scene is a site that is being looked at before its layout is known.
type scene struct {
	host   cms.Host
	top    *os.Root // of root
	root   string   // links resolved
	layout *cms.Layout
}

func (s *scene) find(f upkeep.Finding) { s.layout.Findings = append(s.layout.Findings, f) }

// chooseSite finds the folder with the settings, and those of other sites of
// the same code.
func (s *scene) chooseSite() (others []string, err error) {
	entries, err := fs.ReadDir(s.top.FS(), "sites")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var found []string
	seen := map[string]bool{} // a link to a folder is another name of its site
	for _, entry := range entries {
		dir, err := filepath.EvalSymlinks(filepath.Join(s.root, "sites", entry.Name()))
		if err != nil || seen[dir] || !s.hasSettings(entry.Name()) {
			continue
		}
		seen[dir] = true
		found = append(found, entry.Name())
	}
	if s.layout.Options[OptionGeneration] == Eight && slices.Contains(found, "default") {
		// Without sites.php later ones look into no other folder.
		if _, err := s.top.Lstat("sites/sites.php"); errors.Is(err, fs.ErrNotExist) {
			found = []string{"default"}
		}
	}
	if len(found) == 0 {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "no settings.php in any folder of sites").
			WithHint("Finish the installation of Drupal first.")
	}
	site := found[0]
	if slices.Contains(found, "default") {
		site = "default"
	}
	dir := filepath.Join(s.root, "sites", site)
	if s.layout.Dirs[DirSite], err = filepath.EvalSymlinks(dir); err != nil {
		return nil, err
	}
	if site != "default" {
		s.layout.Options[OptionHost] = site
	}
	return slices.DeleteFunc(found, func(name string) bool { return name == site }), nil
}

// hasSettings reports whether a folder of sites has settings: one of the two is
// away for a moment while the gate closes.
func (s *scene) hasSettings(site string) bool {
	for _, name := range []string{Settings, Waiting} {
		if _, err := s.top.Lstat(filepath.Join("sites", site, name)); err == nil {
			return true
		}
	}
	return false
}

// place says where files of a site are, and makes an area of what lies outside
// the root. The main one has the empty name.
func (s *scene) place(set *settings, name string) {
	l := s.layout
	of := func(key string) string { return strings.TrimSuffix(key+"-"+name, "-") }
	dirSite := of(DirSite)
	if set.home != "" && name == "" {
		l.Options[OptionHome] = set.home
	}
	if set.php != "" && name == "" {
		l.Options[OptionPHP] = string(set.php)
	}
	put := func(key, dir string) {
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(s.root, dir)
		}
		resolved, err := filepath.EvalSymlinks(dir)
		if err != nil {
			l.Dirs[key] = area.Nearest(filepath.Clean(dir))
			return
		}
		area.Add(l, key, resolved, s.root, l.Dirs[dirSite])
		l.Dirs[key] = resolved
	}
	if !area.Covered(l, l.Dirs[dirSite]) {
		area.Add(l, dirSite, l.Dirs[dirSite], s.root)
	}
	files := set.files
	if files == "" {
		rel, _ := area.Relative(s.root, l.Dirs[dirSite])
		files = filepath.Join(rel, "files")
	}
	put(of(DirFiles), files)
	if set.private != "" {
		put(of(DirPrivate), set.private)
	}
	if set.sync != "" {
		put(of(DirSync), set.sync)
	}
	if name == "" {
		s.findLinks()
	}
}

// findLinks makes areas of folders that are linked into the places where
// modules, themes and libraries are.
func (s *scene) findLinks() {
	for _, dir := range []string{".", "sites", "sites/all", "modules", "themes", "profiles", "libraries", "sites/all/modules", "sites/all/themes", "sites/all/libraries"} {
		entries, err := fs.ReadDir(s.top.FS(), dir)
		if err != nil {
			continue
		}
		for _, entry := range entries {
			if entry.Type()&fs.ModeSymlink == 0 {
				continue
			}
			name := filepath.Join(s.root, dir, entry.Name())
			target, err := filepath.EvalSymlinks(name)
			if err != nil {
				s.find(upkeep.Finding{Code: "link_broken", Paths: []string{name}})
				continue
			}
			if info, err := os.Stat(target); err == nil && info.IsDir() {
				area.Add(s.layout, "link-"+entry.Name(), target, s.root)
			}
		}
	}
}

// findOthers reports who else updates this site, and what keeps us from it.
func (s *scene) findOthers(others []string) error {
	if paths := area.Tracked(s.root); len(paths) > 0 {
		s.find(upkeep.Finding{Code: "version_control", Paths: paths, Blocks: true})
	}
	if strings.HasPrefix(s.root, "/usr/") && !strings.HasPrefix(s.root, "/usr/local/") {
		s.find(upkeep.Finding{Code: "distribution_package", Paths: []string{s.root}, Blocks: true})
	}
	return s.findNames(append(others, filepath.Base(s.layout.Dirs[DirSite])))
}

// configBytes bounds a file of the configuration, which has some kilobytes.
const configBytes = 1 << 20

// read returns a file of the site, nil when there is none. CodeRefused for
// one outside the root, which is not lent before the layout is known.
func (s *scene) read(file string) ([]byte, error) {
	rel, inside := area.Relative(s.root, file)
	if !inside {
		return nil, upkeep.Errorf(upkeep.CodeRefused, "%s is outside the site", file)
	}
	text, err := cms.ReadBounded(s.top, rel, configBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}
