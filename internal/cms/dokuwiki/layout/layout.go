// Package layout finds a DokuWiki: its folder, its configuration, and where
// it keeps pages, plugins and templates.
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
	"upkeep/internal/cms/recall"
)

// Keys of cms.Layout.Dirs. Every value is absolute with links resolved.
const (
	DirConf      = "conf"      // DOKU_CONF: what the site configures
	DirDefaults  = "defaults"  // where the release's own configuration is; DirConf unless a preload.php says otherwise
	DirPlugins   = "plugins"   // lib/plugins
	DirTemplates = "templates" // lib/tpl
	DirData      = "data"      // $conf['savedir']
)

// Keys of cms.Layout.Options. A key is absent when the site does not set it.
const (
	OptionTemplate = "template" // the template in use
	OptionAuth     = "authtype" // the plugin that knows who is who
	OptionStart    = "start"    // name of the home page
	OptionHome     = "home"     // address of the home page, where the configuration fixes it
	OptionLocal    = "local"    // path of the configuration that pages are rendered by: conf/local.php
	OptionDynamic  = "dynamic"  // "1": the configuration had to be evaluated
	OptionPHP      = "php"      // version of the interpreter that evaluated it
	OptionStates   = "states"   // JSON: files with the states of plugins, weakest first
)

// Names of the gate: what init.php includes before anything else, and where
// the site's own file of that name waits meanwhile.
const (
	Preload = "inc/preload.php"
	Waiting = "inc/preload.upkeep.php"
	Mark    = "UPKEEP_AT_WORK" // in every gate, in no site
)

// places are the settings that say where something is kept, with the folder
// below savedir that it usually is.
var places = [...][2]string{
	{"datadir", "pages"}, {"olddir", "attic"}, {"mediadir", "media"}, {"mediaolddir", "media_attic"}, {"metadir", "meta"},
	{"mediametadir", "media_meta"}, {"cachedir", "cache"}, {"indexdir", "index"}, {"lockdir", "locks"}, {"tmpdir", "tmp"}, {"logdir", "log"},
}

// Detect finds the DokuWiki at root. CodeNotFound when there is none,
// CodeInvalid with a hint when it cannot be used as it is.
func Detect(ctx context.Context, h cms.Host, root string, known *Memory) (_ *cms.Layout, err error) {
	defer upkeep.Wrap(&err, "detect dokuwiki in %s", root)
	resolved, err := filepath.EvalSymlinks(root)
	if err != nil {
		return nil, upkeep.Errorf(upkeep.CodeNotFound, "no such folder: %w", err)
	}
	top, err := h.Open(root)
	if err != nil {
		return nil, err
	}
	defer top.Close()
	if err := isDokuWiki(top); err != nil {
		return nil, err
	}
	folder, err := recall.Within(top)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	s := &scene{host: h, top: top, folder: folder, root: resolved, known: known}
	set, err := s.settings(ctx)
	if err != nil {
		return nil, err
	}
	s.layout = &cms.Layout{
		CMS: upkeep.DokuWiki, Root: resolved, Areas: []cms.Area{{Name: "site", Dir: resolved}},
		Dirs: map[string]string{}, Options: set.options(),
		Logs: []string{filepath.Join(resolved, "error_log")},
	}
	s.place(set)
	s.findLinks()
	s.findOthers(set)
	return s.layout, nil
}

func isDokuWiki(top *os.Root) error {
	there := func(name string) bool {
		info, err := top.Stat(name)
		return err == nil && info.Mode().IsRegular()
	}
	switch {
	case !there("doku.php") || !there("lib/exe/fetch.php"):
		return upkeep.Errorf(upkeep.CodeNotFound, "no doku.php").WithHint("for DokuWiki the one with doku.php")
	case !there("inc/init.php"):
		return upkeep.Errorf(upkeep.CodeInvalid, "holds half of a DokuWiki: no inc/init.php").
			WithHint("Restore the missing files of DokuWiki first.")
	}
	return nil
}

// scene is a site that is being looked at before its layout is known.
type scene struct {
	host   cms.Host
	top    *os.Root       // of root
	folder *recall.Folder // the same
	root   string         // links resolved
	known  *Memory
	layout *cms.Layout
}

// place says where everything is, and makes an area of what lies outside the
// root.
func (s *scene) place(set *settings) {
	l := s.layout
	var links area.Links
	put := func(key, dir string) string {
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(s.root, dir)
		}
		dir = filepath.Clean(dir)
		resolved, err := links.Resolve(dir)
		if err != nil {
			return area.Nearest(dir)
		}
		s.addArea(key, resolved)
		return resolved
	}
	l.Dirs[DirConf] = put(DirConf, set.confDir)
	l.Dirs[DirDefaults] = put(DirDefaults, set.defaults)
	l.Dirs[DirPlugins] = put(DirPlugins, "lib/plugins")
	l.Dirs[DirTemplates] = put(DirTemplates, "lib/tpl")
	l.Dirs[DirData] = put(DirData, set.conf["savedir"])
	for _, place := range places {
		dir := set.conf[place[0]]
		if dir == "" {
			dir = filepath.Join(set.conf["savedir"], place[1])
		}
		l.Dirs[place[0]] = put(place[1], dir)
	}
}

// addArea makes an area of a folder outside the root. Where the program
// belongs to root, nobody but the host's administrator wrote its
// configuration, and the pages belong to the web server: Debian's package is
// like that.
func (s *scene) addArea(name, dir string) {
	l := s.layout
	if area.Covered(l, dir) {
		return
	}
	if owner, _ := area.Owner(s.root); owner == 0 && deep(dir) {
		area.Append(l, name, dir)
		return
	}
	area.Add(l, name, dir, s.root)
}

// deep reports whether a folder may be one application's own, such as
// /etc/dokuwiki, as far as that can be seen.
func deep(dir string) bool {
	return !area.System(dir) || strings.HasPrefix(dir, "/etc/")
}

// accounts are files that Debian keeps elsewhere, with links in their place.
var accounts = [...]string{"acl.auth.php", "users.auth.php", "local.php", "plugins.local.php"}

// findLinks makes areas of what is linked out of the root and of the
// configuration.
func (s *scene) findLinks() {
	for _, dir := range []string{s.root, s.layout.Dirs[DirConf], s.layout.Dirs[DirData]} {
		entries, err := os.ReadDir(dir) // only names
		if err != nil {
			continue
		}
		for _, entry := range entries {
			if entry.Type()&fs.ModeSymlink == 0 {
				continue
			}
			target, err := filepath.EvalSymlinks(filepath.Join(dir, entry.Name()))
			if err != nil {
				s.find(upkeep.Finding{Code: "link_broken", Paths: []string{filepath.Join(dir, entry.Name())}})
				continue
			}
			s.placeLink(entry.Name(), target)
		}
	}
}

func (s *scene) placeLink(name, target string) {
	info, err := os.Stat(target)
	switch {
	case err != nil:
	case info.IsDir():
		s.addArea("link-"+name, target)
	case slices.Contains(accounts[:], name) && !area.Covered(s.layout, filepath.Dir(target)):
		s.placeFile(target)
	}
}

// placeFile makes an area of one file outside the root.
func (s *scene) placeFile(file string) {
	dir, name := filepath.Split(file)
	dir = filepath.Clean(dir)
	for i := range s.layout.Areas {
		if held := &s.layout.Areas[i]; held.Dir == dir && held.Only != nil {
			held.Only = append(held.Only, name)
			slices.Sort(held.Only)
			return
		}
	}
	s.layout.Areas = append(s.layout.Areas, cms.Area{Name: "accounts", Dir: dir, Only: []string{name}})
}

// findOthers reports who else updates this site, and what keeps us from it.
func (s *scene) findOthers(set *settings) {
	if paths := area.Tracked(s.root); len(paths) > 0 {
		s.find(upkeep.Finding{Code: "version_control", Paths: paths, Blocks: true})
	}
	if strings.HasPrefix(s.root, "/usr/") && !strings.HasPrefix(s.root, "/usr/local/") {
		s.find(upkeep.Finding{Code: "distribution_package", Paths: []string{s.root}, Blocks: true})
	}
	if set.farm {
		s.find(upkeep.Finding{Code: "farm", Paths: []string{filepath.Join(s.root, Preload)}, Blocks: true})
	}
}

func (s *scene) find(f upkeep.Finding) { s.layout.Findings = append(s.layout.Findings, f) }

// read returns a file of the site, nil when there is none. CodeRefused for
// one outside the root, which is not lent before the layout is known.
func (s *scene) read(file string) ([]byte, error) {
	rel, inside := area.Relative(s.root, file)
	if !inside {
		return nil, upkeep.Errorf(upkeep.CodeRefused, "%s is outside the site", file)
	}
	text, err := cms.ReadBounded(s.top, rel, configBytes)
	if notThere(err) {
		return nil, nil
	}
	return text, err
}

func notThere(err error) bool { return errors.Is(err, fs.ErrNotExist) }
