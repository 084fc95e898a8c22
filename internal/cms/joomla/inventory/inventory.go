// Package inventory reads what a Joomla consists of: core, and every extension
// that the database or the disk knows, without running anything of the site.
package inventory

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/joomla/layout"
	"upkeep/internal/cms/php"
	"upkeep/internal/cms/recall"
)

//go:embed scripts/version.php
var versionSource string

// Headers of components. Those that a component lacks are not set.
const (
	HeaderBundled   = "bundled"      // "1": comes with Joomla itself
	HeaderType      = "type"         // Joomla's word for the kind
	HeaderElement   = "element"      // Joomla's key
	HeaderFolder    = "folder"       // group of a plugin
	HeaderClient    = "client"       // "site", "administrator", "api"
	HeaderPackage   = "package"      // ref of the package that it came with and is updated by
	HeaderSites     = "update_sites" // JSON: where updates are asked for
	HeaderKey       = "key"          // "missing": updates need a key, and the site has none
	HeaderDisk      = "on_disk"      // version that the manifest says, where the database, which Joomla goes by, says another
	HeaderProtected = "protected"    // "1": cannot be switched off
	HeaderDefault   = "default"      // "1": a template that pages are shown in
	HeaderStability = "stability"    // of core: least stability that the owner takes, "0" dev … "4" stable
	HeaderLeast     = "stability_of_extensions"
	HeaderTrack     = "track" // of core: "default", "next", "testing", "custom"
)

// kinds are Upkeep's words for Joomla's.
var kinds = map[string]upkeep.Kind{
	"component": upkeep.Application, "module": upkeep.Module, "plugin": upkeep.Plugin, "template": upkeep.Theme,
	"library": upkeep.Library, "package": upkeep.Package, "language": upkeep.Language, "file": upkeep.Files,
}

// clients are the names of Joomla's applications.
var clients = map[string]string{"0": "site", "1": "administrator", "3": "api"}

// Take reads the inventory, from files and database at the same time. The keys
// of vendors go to the layout, which is kept sealed.
func Take(ctx context.Context, h cms.Host, l *cms.Layout, now time.Time, known *Manifests) (_ *upkeep.Inventory, err error) {
	defer upkeep.Wrap(&err, "inventory of %s", l.Root)
	root, err := h.Open(l.Root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	folder, err := recall.Within(root)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	s := &survey{folder: folder, layout: l, known: known, folders: map[string]string{}, listed: map[string][]recall.Entry{}}
	version, err := s.read(ctx, h)
	if err != nil {
		return nil, err
	}
	l.Keys = s.keys
	s.core()
	s.extensions()
	s.strangers()
	if layout.Legacy(l) && php.CompareVersions(string(version), "8.2") >= 0 {
		s.find(upkeep.Finding{Code: "php_too_new", Component: s.components[0].Ref(), Detail: string(version)})
	}
	inv := &upkeep.Inventory{
		Taken: now.UTC(), CMS: upkeep.Joomla, Components: s.components, Schema: s.schema(), PHP: version, Database: s.version,
		HomeURL: l.Options[layout.OptionHome], Pages: pages(), Findings: s.findings,
	}
	slices.SortStableFunc(inv.Components[1:], func(a, b upkeep.Component) int {
		return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.ID, b.ID))
	})
	slices.SortStableFunc(inv.Findings, func(a, b upkeep.Finding) int {
		return cmp.Or(strings.Compare(a.Code, b.Code), strings.Compare(a.Component, b.Component))
	})
	return inv, nil
}

// read asks the database. Meanwhile it reads the manifests of the extensions that
// there were last time, then those of others.
func (s *survey) read(ctx context.Context, h cms.Host) (version upkeep.Version, err error) {
	s.records = &records{defaults: map[string]bool{}, keys: map[string]string{}}
	group, ctx := errgroup.WithContext(ctx)
	listed := make(chan struct{})
	group.Go(func() error { return s.records.read(ctx, h, s.layout, &s.known.cached, func() { close(listed) }) })
	group.Go(func() (err error) {
		version, err = PHP(ctx, h, s.layout)
		return err
	})
	group.Go(func() error {
		s.levels, _ = s.known.lists.Read(s.folder, path.Join(updates, engineOf(s.layout))) // none is no level
		s.manifests = map[Identity]*Head{}
		s.known.all(s.known.expected(), s.folder, s.manifests)
		select {
		case <-listed:
		case <-ctx.Done():
			return nil // the one that failed says why
		}
		var there []Identity
		for _, e := range s.records.extensions {
			if e.counts() {
				there = append(there, e.Identity)
			}
		}
		s.known.all(there, s.folder, s.manifests)
		s.known.expect(there)
		return nil
	})
	err = group.Wait()
	return version, err
}

// PHP is the version of the site's interpreter, "" when there is none.
func PHP(ctx context.Context, h cms.Host, l *cms.Layout) (version upkeep.Version, err error) {
	err = h.PHP(ctx, cms.Script{Name: "version.php", Source: versionSource, Dir: l.Root, Fixed: true}, struct{}{}, &version)
	if upkeep.CodeOf(err) == upkeep.CodeUnreachable {
		return "", nil
	}
	return version, err
}

// survey is an inventory being taken.
type survey struct {
	*records
	folder     *recall.Folder // the root
	layout     *cms.Layout
	known      *Manifests
	manifests  map[Identity]*Head
	levels     []recall.Entry            // changes of core's tables that the files bring
	folders    map[string]string         // where links on the way to them lead
	listed     map[string][]recall.Entry // what those hold that were looked at
	components []upkeep.Component
	findings   []upkeep.Finding
}

func (s *survey) find(f upkeep.Finding) { s.findings = append(s.findings, f) }

var versionPart = regexp.MustCompile(`(?m)const\s+(MAJOR_VERSION|MINOR_VERSION|PATCH_VERSION|EXTRA_VERSION)\s*=\s*'?([0-9A-Za-z.-]*)'?\s*;`)

// CodeVersion is the version that Joomla's own code says, "" when it says none.
func CodeVersion(text []byte) string {
	parts := map[string]string{}
	for _, match := range versionPart.FindAllSubmatch(text, -1) {
		parts[string(match[1])] = string(match[2])
	}
	if parts["MAJOR_VERSION"] == "" {
		return ""
	}
	version := parts["MAJOR_VERSION"] + "." + parts["MINOR_VERSION"] + "." + parts["PATCH_VERSION"]
	if parts["EXTRA_VERSION"] != "" {
		version += "-" + parts["EXTRA_VERSION"]
	}
	return version
}

// core describes Joomla itself. Its manifest, its code and the database each
// say a version; that they disagree is the mark of an update that broke off.
func (s *survey) core() {
	version := s.layout.Options[layout.OptionVersion]
	c := upkeep.Component{
		Kind: upkeep.Core, ID: "core", Slug: "joomla", Name: "Joomla", Version: upkeep.Version(version), Path: s.layout.Root, Active: true,
		Headers: map[string]string{
			HeaderTrack:     cmp.Or(s.param("com_joomlaupdate", "updatesource"), "default"),
			HeaderStability: cmp.Or(s.param("com_joomlaupdate", "minimum_stability"), "4"),
			HeaderLeast:     cmp.Or(s.param("com_installer", "minimum_stability"), "4"),
		},
	}
	code, err := s.known.versions.Read(s.folder, layout.VersionFile, maxManifest, func(text []byte) (string, error) { return CodeVersion(text), nil })
	if err == nil && code != "" && code != version {
		s.find(upkeep.Finding{Code: "version_differs", Component: c.Ref(), Paths: []string{filepath.Join(s.layout.Root, layout.VersionFile)}, Detail: code})
	}
	if s.param("com_joomlaupdate", "autoupdate") == "1" {
		s.find(upkeep.Finding{Code: "foreign_updater", Component: c.Ref(), Detail: "autoupdate.joomla.org"})
	}
	for _, e := range s.records.extensions {
		if e.Type == "file" && e.Element == "joomla" {
			s.describe(&c, e, nil)
			if e.version != version {
				c.Headers[HeaderDisk] = version
				s.find(upkeep.Finding{Code: "version_differs", Component: c.Ref(), Detail: e.version})
			}
		}
	}
	s.components = append(s.components, c)
}

// extensions describes what the database lists.
func (s *survey) extensions() {
	packages := map[string]string{}
	for _, e := range s.records.extensions {
		if e.Type == "package" {
			packages[e.id] = string(upkeep.Package) + ":" + e.ID()
		}
	}
	for _, e := range s.records.extensions {
		if !e.counts() {
			continue
		}
		kind := kinds[e.Type]
		c := upkeep.Component{
			Kind: kind, ID: e.ID(), Slug: e.Element, Name: e.name, Version: upkeep.Version(e.version),
			Path: filepath.Join(s.layout.Root, e.dir), Active: e.enabled && e.state == "0", Headers: map[string]string{},
		}
		if kind == upkeep.Language {
			c.Locale = e.Element
		}
		manifest := s.manifests[e.Identity]
		switch {
		case manifest == nil:
			s.find(upkeep.Finding{Code: "manifest_missing", Component: c.Ref(), Paths: []string{c.Path}})
		case manifest.Version != e.version && manifest.Version != "" && kind != upkeep.Language:
			c.Headers[HeaderDisk] = manifest.Version
			s.find(upkeep.Finding{Code: "version_differs", Component: c.Ref(), Paths: []string{c.Path}, Detail: manifest.Version})
		}
		if link := s.resolved(c.Path); link != c.Path {
			c.Link = link
		}
		s.describe(&c, e, manifest)
		if ref := packages[e.parent]; ref != "" {
			c.Headers[HeaderPackage] = ref
		}
		s.components = append(s.components, c)
	}
}

// counts reports whether a record is of an extension that is installed, core
// apart.
func (e *record) counts() bool {
	return kinds[e.Type] != "" && !(e.Type == "file" && e.Element == "joomla") && e.state != "-1" && fs.ValidPath(e.ID())
}

// resolved is where links lead that a path goes by, the path itself when that
// cannot be told. Most lie in few folders: each is looked at once.
func (s *survey) resolved(path string) string {
	if path == s.layout.Root {
		return path
	}
	target, known := s.folders[path]
	if known {
		return target
	}
	target = path
	switch kind, there := s.kindOf(path); {
	case !there:
	case kind&fs.ModeSymlink == 0:
		target = filepath.Join(s.resolved(filepath.Dir(path)), filepath.Base(path))
	default:
		if link, err := filepath.EvalSymlinks(path); err == nil {
			target = link
		}
	}
	s.folders[path] = target
	return target
}

// kindOf is what is at a path below the root, by what its folder holds.
func (s *survey) kindOf(path string) (kind fs.FileMode, there bool) {
	dir, err := filepath.Rel(s.layout.Root, filepath.Dir(path))
	if err != nil {
		return 0, false
	}
	if entries, err := s.list(dir); err == nil {
		entry, there := recall.Find(entries, filepath.Base(path))
		return entry.Type, there
	}
	info, err := os.Lstat(path) // behind a link that leads out of the root
	if err != nil {
		return 0, false
	}
	return info.Mode().Type(), true
}

// list is what a folder holds, looked at once.
func (s *survey) list(dir string) ([]recall.Entry, error) {
	if entries, known := s.listed[dir]; known {
		return entries, nil
	}
	entries, err := s.known.lists.Read(s.folder, dir)
	if err == nil {
		s.listed[dir] = entries
	}
	return entries, err
}

// describe fills in what tells the publisher and the operator more.
func (s *survey) describe(c *upkeep.Component, e *record, manifest *Head) {
	set := func(name, value string, when bool) {
		if when && value != "" {
			c.Headers[name] = value
		}
	}
	set(HeaderType, e.Type, true)
	set(HeaderElement, e.Element, true)
	set(HeaderFolder, e.Folder, true)
	set(HeaderClient, clients[e.Client], true)
	set(HeaderProtected, "1", e.protected)
	set(HeaderBundled, "1", e.locked && c.Kind != upkeep.Core)
	set(HeaderDefault, "1", c.Kind == upkeep.Theme && s.defaults[c.ID])
	if len(e.sites) == 0 {
		return
	}
	raw, err := json.Marshal(e.sites)
	set(HeaderSites, string(raw), err == nil)
	keyed := slices.ContainsFunc(e.sites, func(u site) bool { return u.Key != "" })
	set(HeaderKey, "missing", manifest != nil && manifest.Keyed && !keyed)
	if !slices.ContainsFunc(e.sites, func(u site) bool { return u.Enabled }) {
		s.find(upkeep.Finding{Code: "update_site_off", Component: c.Ref(), Detail: e.sites[0].Location})
	}
}

// strangers reports folders of extensions that the database does not know.
func (s *survey) strangers() {
	known := map[string]bool{}
	for _, e := range s.records.extensions {
		known[e.dir] = true
	}
	for _, parent := range []string{"administrator/components", "modules", "administrator/modules", "templates", "administrator/templates"} {
		s.look(parent, known)
	}
	groups, _ := s.list("plugins") // none is no stranger
	for _, group := range groups {
		if group.IsDir() {
			s.look(path.Join("plugins", group.Name), known)
		}
	}
}

func (s *survey) look(parent string, known map[string]bool) {
	entries, err := s.list(parent)
	if err != nil {
		return
	}
	for _, entry := range entries {
		dir := path.Join(parent, entry.Name)
		if !entry.IsDir() || known[dir] || dir == "templates/system" || dir == "administrator/templates/system" {
			continue
		}
		s.find(upkeep.Finding{Code: "not_registered", Paths: []string{filepath.Join(s.layout.Root, dir)}})
	}
}

// updates is where core has the changes of its tables, for each engine.
const updates = "administrator/components/com_admin/sql/updates"

func engineOf(l *cms.Layout) string {
	if l.Database.Engine == "postgresql" {
		return "postgresql"
	}
	return "mysql"
}

// schema compares the level of core's tables with the newest change on disk.
func (s *survey) schema() upkeep.Schema {
	level := upkeep.Schema{Database: s.records.schema}
	for _, entry := range s.levels {
		if name, ok := strings.CutSuffix(entry.Name, ".sql"); ok && (level.Files == "" || php.CompareVersions(name, level.Files) > 0) {
			level.Files = name
		}
	}
	level.Pending = level.Files != level.Database && level.Files != ""
	return level
}

// pages work whatever the site holds. The search is none of them: it writes
// when it is first looked at.
func pages() []upkeep.Page {
	return []upkeep.Page{
		{Path: "/", Role: "home"},
		{Path: "/index.php?option=com_users&view=login", Role: "login"},
		{Path: "/index.php?option=com_content&view=featured", Role: "article"},
		{Path: "/index.php?option=com_tags&view=tags", Role: "extra"},
		{Path: "/administrator/index.php", Role: "extra"},
		{Path: "/api/index.php/v1/content/articles", Role: "api"},
	}
}
