package dokuwiki

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/area"
	"upkeep/internal/cms/dokuwiki/layout"
	"upkeep/internal/cms/recall"
)

//go:embed scripts/version.php
var versionSource string

// maxInfo bounds the files that say versions.
const maxInfo = 1 << 20

// HeaderBundled is the header of components that come with DokuWiki itself.
const HeaderBundled = "bundled"

// Inventory reads what is installed and what of it is switched on, from files
// alone. No code of the site runs. CodeDamaged when core does not say its
// version and no version control would.
func (d *Driver) Inventory(ctx context.Context, h cms.Host, l *cms.Layout) (_ *upkeep.Inventory, err error) {
	defer upkeep.Wrap(&err, "inventory of %s", l.Root)
	s := &survey{host: h, layout: l, known: &d.known}
	if s.states, s.protected, err = layout.States(h, l, &d.known.layout); err != nil {
		return nil, err
	}
	if err := s.readCore(); err != nil {
		return nil, err
	}
	for _, kind := range []upkeep.Kind{upkeep.Plugin, upkeep.Theme} {
		if err := s.readExtensions(kind); err != nil {
			return nil, err
		}
	}
	version, err := phpVersion(ctx, h, l)
	if err != nil {
		return nil, err
	}
	inv := &upkeep.Inventory{
		Taken: d.now().UTC(), CMS: upkeep.DokuWiki, Components: s.components, PHP: version,
		HomeURL: l.Options[layout.OptionHome], Pages: s.pages(), Findings: s.findings,
	}
	slices.SortStableFunc(inv.Components[1:], func(a, b upkeep.Component) int {
		return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.ID, b.ID))
	})
	slices.SortStableFunc(inv.Findings, func(a, b upkeep.Finding) int {
		return cmp.Or(strings.Compare(a.Code, b.Code), strings.Compare(a.Component, b.Component))
	})
	return inv, nil
}

// phpVersion is that of the site's interpreter, "" when there is none.
func phpVersion(ctx context.Context, h cms.Host, l *cms.Layout) (version upkeep.Version, err error) {
	if known := l.Options[layout.OptionPHP]; known != "" {
		return upkeep.Version(known), nil
	}
	err = h.PHP(ctx, cms.Script{Name: "version.php", Source: versionSource, Dir: l.Root, Fixed: true}, struct{}{}, &version)
	if upkeep.CodeOf(err) == upkeep.CodeUnreachable {
		return "", nil
	}
	return version, err
}

// memory is what files were found to say, and folders to hold.
type memory struct {
	layout layout.Memory
	infos  recall.Files[info]
	lists  recall.Lists
}

// survey is an inventory being taken.
type survey struct {
	host              cms.Host
	layout            *cms.Layout
	known             *memory
	states, protected map[string]bool
	components        []upkeep.Component
	findings          []upkeep.Finding
}

func (s *survey) find(f upkeep.Finding) { s.findings = append(s.findings, f) }

// updateVersion is how DokuWiki counts releases for its own check.
var updateVersion = regexp.MustCompile(`(?m)^\s*\$updateVersion\s*=\s*["']?([0-9.]+)["']?\s*;`)

func (s *survey) readCore() error {
	root, err := s.host.Open(s.layout.Root)
	if err != nil {
		return err
	}
	defer root.Close()
	text, err := cms.ReadBounded(root, "VERSION", maxInfo)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	version, codename := parseVersion(text)
	if version == "" {
		if _, err := root.Lstat(".git"); err != nil {
			return upkeep.Errorf(upkeep.CodeDamaged, "VERSION names no version").
				WithHint("DokuWiki is damaged; restore VERSION from a backup or the release.")
		}
	}
	core := upkeep.Component{
		Kind: upkeep.Core, ID: "core", Slug: "dokuwiki", Name: "DokuWiki", Version: upkeep.Version(version),
		Path: s.layout.Root, Active: true, Headers: map[string]string{},
	}
	if codename != "" {
		core.Headers["codename"] = codename
	}
	script, err := cms.ReadBounded(root, "doku.php", maxInfo)
	if err != nil {
		return err
	}
	if match := updateVersion.FindSubmatch(script); match != nil {
		core.Headers["update_version"] = string(match[1])
	}
	s.components = append(s.components, core)
	return nil
}

// readExtensions reads the folders of plugins or templates.
func (s *survey) readExtensions(kind upkeep.Kind) (err error) {
	dir := extensionDir(s.layout, kind)
	defer upkeep.Wrap(&err, "%s", dir)
	root, err := s.host.Open(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	folder, err := recall.Within(root)
	if err != nil {
		return err
	}
	defer folder.Close()
	entries, err := s.known.lists.Read(folder, ".")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name, ".") {
			continue
		}
		e := extension{survey: s, kind: kind, name: entry.Name, path: filepath.Join(dir, entry.Name)}
		there := entry.IsDir()
		if entry.Type&fs.ModeSymlink != 0 {
			if e.link, err = filepath.EvalSymlinks(e.path); err != nil {
				s.find(upkeep.Finding{Code: "link_broken", Paths: []string{e.path}})
				continue
			}
			info, err := os.Stat(e.path)
			there = err == nil && info.IsDir()
		}
		if there {
			e.read(folder)
		}
	}
	return nil
}

func extensionDir(l *cms.Layout, kind upkeep.Kind) string {
	if kind == upkeep.Theme {
		return l.Dirs[layout.DirTemplates]
	}
	return l.Dirs[layout.DirPlugins]
}

// infoFile is the file in which an extension says what it is.
func infoFile(kind upkeep.Kind) string {
	if kind == upkeep.Theme {
		return "template.info.txt"
	}
	return "plugin.info.txt"
}

// extension is a folder of a plugin or template that is being looked at.
type extension struct {
	*survey
	kind             upkeep.Kind
	name, path, link string
}

func (e *extension) read(parent *recall.Folder) {
	c := upkeep.Component{Kind: e.kind, ID: e.name, Slug: e.name, Name: e.name, Path: e.path, Link: e.link, Active: e.active()}
	in, below := parent, e.name
	if e.link != "" { // it may be in another area
		root, err := e.host.Open(e.link)
		if err == nil {
			defer root.Close()
			in, err = recall.Within(root)
		}
		if err != nil {
			e.unreadable(&c, err)
			return
		}
		defer in.Close()
		below = "."
	}
	holds, err := e.known.lists.Read(in, below)
	if err != nil {
		e.unreadable(&c, err)
		return
	}
	says, err := e.known.infos.Read(in, filepath.Join(below, infoFile(e.kind)), maxInfo, func(text []byte) (info, error) { return parseInfo(text), nil })
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.find(upkeep.Finding{Code: "info_missing", Component: c.Ref(), Paths: []string{filepath.Join(e.path, infoFile(e.kind))}})
	case err != nil:
		e.find(upkeep.Finding{Code: "unreadable", Component: c.Ref(), Paths: []string{filepath.Join(e.path, infoFile(e.kind))}}.Because(err))
	}
	e.describe(&c, says)
	e.components = append(e.components, c)
	for _, name := range area.VersionControl {
		if slices.ContainsFunc(holds, func(entry recall.Entry) bool { return entry.Name == name }) {
			e.find(upkeep.Finding{Code: "version_control", Component: c.Ref(), Paths: []string{filepath.Join(e.path, name)}, Blocks: true})
		}
	}
	if e.link != "" {
		e.find(upkeep.Finding{Code: "link", Component: c.Ref(), Paths: []string{e.path}, Detail: e.link})
	}
}

// unreadable adds an extension of which no more than the name is known.
func (e *extension) unreadable(c *upkeep.Component, err error) {
	e.components = append(e.components, *c)
	e.find(upkeep.Finding{Code: "unreadable", Component: c.Ref(), Paths: []string{e.path}}.Because(err))
}

// describe fills in what the extension says of itself. One whose base is
// another name is in the wrong folder: DokuWiki does not load it.
func (e *extension) describe(c *upkeep.Component, says info) {
	c.Version = upkeep.Version(says["date"])
	if says["name"] != "" {
		c.Name = says["name"]
	}
	c.Headers = map[string]string{}
	for _, key := range []string{"author", "email", "url", "name", "base"} {
		if says[key] != "" {
			c.Headers[key] = says[key]
		}
	}
	if base := says["base"]; base != "" && base != e.name {
		e.find(upkeep.Finding{Code: "wrong_folder", Component: c.Ref(), Paths: []string{e.path}, Detail: base, Blocks: true})
	}
	id := e.name
	if e.kind == upkeep.Theme {
		id = "template:" + id
	}
	if bundled[id] {
		c.Headers[HeaderBundled] = "1"
	}
	if e.protected[id] {
		c.Headers["protected"] = "1"
	}
}

func (e *extension) active() bool {
	if e.kind == upkeep.Theme {
		return e.layout.Options[layout.OptionTemplate] == e.name
	}
	on, decided := e.states[e.name]
	return on || !decided
}

// pages work whatever the wiki holds: they are made anew for each request, or
// for every one that the gate lets in.
func (s *survey) pages() []upkeep.Page {
	start := cmp.Or(s.layout.Options[layout.OptionStart], "start")
	return []upkeep.Page{
		{Path: "/", Role: "home"},
		{Path: "/doku.php?id=" + url.QueryEscape(start), Role: "article"},
		{Path: "/doku.php?id=wiki:syntax", Role: "article"},
		{Path: "/doku.php?do=login", Role: "login"},
		{Path: "/doku.php?do=recent", Role: "extra"},
		{Path: "/doku.php?do=search&q=upkeep", Role: "extra"},
		{Path: "/feed.php", Role: "extra"},
		{Path: "/lib/exe/css.php", Role: "extra"},
		{Path: "/lib/exe/js.php", Role: "extra"},
		{Path: "/lib/exe/ajax.php?call=linkwiz&q=" + url.QueryEscape(start), Role: "api"},
	}
}
