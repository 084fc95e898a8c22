// Package inventory reads what a Drupal consists of: from info files what is
// there, from the database what of it is enabled, and up to which update.
package inventory

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"errors"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/area"
	"upkeep/internal/cms/drupal/layout"
	"upkeep/internal/cms/recall"
)

//go:embed scripts/version.php
var versionSource string

// Headers of components.
const (
	HeaderEnabled   = "enabled"   // machine names of what is enabled of it, with blanks between; of one site of several with "@" and its label
	HeaderDatestamp = "datestamp" // when drupal.org packed it, in seconds since 1970
)

// survey is an inventory being taken.
type survey struct {
	host    cms.Host
	layout  *cms.Layout
	known   *Memory
	root    *os.Root
	folder  *recall.Folder            // the same
	outside map[string]*recall.Folder // folders behind links that lead out of it, by where they are linked
	lent    []*os.Root                // of those
	version string                    // of core
	folders int

	found    []extension
	composed composed
	records  *records
	findings []upkeep.Finding
}

func (s *survey) find(f upkeep.Finding) { s.findings = append(s.findings, f) }

// Take reads what is installed and what of it is enabled. No code of the site
// runs. CodeDamaged when core does not say its version.
func Take(ctx context.Context, h cms.Host, l *cms.Layout, now time.Time, known *Memory) (_ *upkeep.Inventory, err error) {
	defer upkeep.Wrap(&err, "inventory of %s", l.Root)
	s := &survey{host: h, layout: l, known: known}
	if s.root, err = h.Open(l.Root); err != nil {
		return nil, err
	}
	if s.folder, err = recall.Within(s.root); err != nil {
		return nil, errors.Join(err, s.root.Close())
	}
	defer s.close()
	interpreter, err := s.readAll(ctx)
	if err != nil {
		return nil, err
	}
	inv := &upkeep.Inventory{
		Taken: now.UTC(), CMS: upkeep.Drupal, HomeURL: l.Options[layout.OptionHome], Database: s.records.server, PHP: interpreter,
		Components: s.components(), Schema: s.schema(), Pages: s.pages(), Multisite: len(s.records.sites) > 0,
	}
	inv.Findings = s.findings
	slices.SortStableFunc(inv.Components[1:], func(a, b upkeep.Component) int {
		return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.ID, b.ID))
	})
	slices.SortStableFunc(inv.Findings, func(a, b upkeep.Finding) int {
		return cmp.Or(strings.Compare(a.Code, b.Code), strings.Compare(a.Component, b.Component))
	})
	return inv, nil
}

// readAll reads files and database at the same time.
func (s *survey) readAll(ctx context.Context) (interpreter upkeep.Version, err error) {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		s.records, err = readSites(ctx, s.host, s.layout)
		return err
	})
	group.Go(func() (err error) {
		interpreter, err = PHPVersion(ctx, s.host, s.layout)
		return err
	})
	group.Go(func() error {
		s.composed = s.composer()
		return nil
	})
	group.Go(func() (err error) {
		generation := s.layout.Options[layout.OptionGeneration]
		s.version, err = s.known.versions.Read(s.folder, layout.VersionFile(generation), maxVersion, func(text []byte) (string, error) {
			return versionOf(text, generation)
		})
		if err != nil {
			return err
		}
		return s.extensions(ctx)
	})
	err = group.Wait()
	return interpreter, err
}

// versionIn is how the two generations write their version, on a line of its
// own, and versionMark how that begins.
var (
	versionIn = map[string]*regexp.Regexp{
		layout.Seven: regexp.MustCompile(`(?m)^\s*define\('VERSION',\s*'([^']+)'\)`),
		layout.Eight: regexp.MustCompile(`(?m)^\s*const VERSION = '([^']+)'`),
	}
	versionMark = map[string][]byte{layout.Seven: []byte("define('VERSION'"), layout.Eight: []byte("const VERSION =")}
)

// maxVersion bounds the file that says core's version.
const maxVersion = 4 << 20

// CoreVersion reads the version of the Drupal below a folder.
func CoreVersion(root *os.Root, generation string) (string, error) {
	text, err := cms.ReadBounded(root, layout.VersionFile(generation), maxVersion)
	if err != nil {
		return "", err
	}
	return versionOf(text, generation)
}

func versionOf(text []byte, generation string) (string, error) {
	// The pattern alone takes long over so large a file.
	at := max(bytes.Index(text, versionMark[generation]), 0)
	match := versionIn[generation].FindSubmatch(text[bytes.LastIndexByte(text[:at], '\n')+1:])
	if match == nil {
		name := layout.VersionFile(generation)
		return "", upkeep.Errorf(upkeep.CodeDamaged, "%s names no version", name).
			WithHint("Drupal is damaged; restore %s from a backup or the release.", name)
	}
	return string(match[1]), nil
}

// PHPVersion is that of the site's interpreter, "" when there is none.
func PHPVersion(ctx context.Context, h cms.Host, l *cms.Layout) (version upkeep.Version, err error) {
	if known := l.Options[layout.OptionPHP]; known != "" {
		return upkeep.Version(known), nil
	}
	err = h.PHP(ctx, cms.Script{Name: "version.php", Source: versionSource, Dir: l.Root, Fixed: true}, struct{}{}, &version)
	if upkeep.CodeOf(err) == upkeep.CodeUnreachable {
		return "", nil
	}
	return version, err
}

// components makes one of each folder that an update replaces, core first.
func (s *survey) components() []upkeep.Component {
	core := upkeep.Component{
		Kind: upkeep.Core, ID: "core", Slug: "drupal", Name: "Drupal", Version: upkeep.Version(s.version),
		Path: s.layout.Root, Active: true, Headers: map[string]string{},
	}
	folders := map[string][]*extension{}
	var enabledCore []string
	known := map[string]bool{}
	for i := range s.found {
		e := &s.found[i]
		known[e.machine] = true
		if !e.core {
			folders[e.top] = append(folders[e.top], e)
		} else if s.records.enabled[e.machine] && !slices.Contains(enabledCore, e.machine) {
			enabledCore = append(enabledCore, e.machine)
		}
	}
	s.enable(&core, enabledCore)
	for _, name := range slices.Sorted(maps.Keys(s.records.enabled)) {
		if !known[name] {
			s.find(upkeep.Finding{Code: "file_missing", Detail: name})
		}
	}
	s.compose(&core)
	if strings.HasSuffix(string(core.Version), "-dev") {
		s.find(upkeep.Finding{Code: "snapshot", Component: core.Ref(), Paths: []string{core.Path}, Detail: string(core.Version), Blocks: true})
	}
	all := []upkeep.Component{core}
	taken := map[string]bool{}
	// What is found later counts: a copy elsewhere is not loaded.
	for _, top := range slices.SortedFunc(maps.Keys(folders), func(a, b string) int { return s.position(b) - s.position(a) }) {
		c := s.component(top, folders[top])
		if taken[c.Ref()] {
			s.find(upkeep.Finding{Code: "wrong_folder", Component: c.Ref(), Paths: []string{c.Path}, Detail: c.ID, Blocks: true})
			continue
		}
		taken[c.Ref()] = true
		s.compose(&c)
		all = append(all, c)
	}
	return all
}

// position orders folders as they were found.
func (s *survey) position(top string) int {
	return slices.IndexFunc(s.found, func(e extension) bool { return e.top == top })
}

// component is one folder with all that it holds.
func (s *survey) component(top string, in []*extension) upkeep.Component {
	main := in[0]
	for _, e := range in {
		if e.dir == top && (e.machine == path.Base(top) || e.machine == e.Project) {
			main = e
			break
		}
	}
	c := upkeep.Component{
		Kind: upkeep.Plugin, ID: main.machine, Slug: main.Project, Name: cmp.Or(main.Name, main.machine), Version: upkeep.Version(main.Version),
		Path: filepath.Join(s.layout.Root, top), RequiresPHP: upkeep.Version(main.PHP), RequiresCMS: upkeep.Version(main.Constraint), Parent: "",
		Headers: map[string]string{},
	}
	if main.theme {
		c.Kind, c.Parent = upkeep.Theme, main.BaseTheme
	}
	if resolved, err := filepath.EvalSymlinks(c.Path); err == nil && resolved != c.Path {
		c.Link = resolved
	}
	var enabled []string
	for _, e := range in {
		if s.records.enabled[e.machine] && !slices.Contains(enabled, e.machine) {
			enabled = append(enabled, e.machine)
		}
		for _, need := range e.Needs {
			if slug := project(need); e == main && slug != "" {
				c.RequiresComponents = append(c.RequiresComponents, slug)
			}
		}
	}
	c.Active = len(enabled) > 0
	s.enable(&c, enabled)
	if main.Datestamp != "" {
		c.Headers[HeaderDatestamp] = main.Datestamp
	}
	s.examine(&c)
	return c
}

// enable notes what of a component is enabled, and on which site where there
// are several.
func (s *survey) enable(c *upkeep.Component, enabled []string) {
	slices.Sort(enabled)
	c.Headers[HeaderEnabled] = strings.Join(enabled, " ")
	for label, r := range s.records.sites {
		here := slices.DeleteFunc(slices.Clone(enabled), func(name string) bool { return !r.enabled[name] })
		c.Headers[HeaderEnabled+"@"+label] = strings.Join(here, " ")
	}
}

// project is the project that a dependency names; "" for one of core or an
// unknown one.
func project(need string) string {
	name, _, named := strings.Cut(need, ":")
	if !named || name == "drupal" {
		return ""
	}
	return strings.TrimSpace(name)
}

// examine reports what keeps a component from being updated.
func (s *survey) examine(c *upkeep.Component) {
	if strings.HasSuffix(string(c.Version), "dev") {
		s.find(upkeep.Finding{Code: "snapshot", Component: c.Ref(), Paths: []string{c.Path}, Detail: string(c.Version), Blocks: true})
	}
	entries, err := s.list(strings.TrimPrefix(c.Path, s.layout.Root+"/"))
	if err != nil {
		return
	}
	for _, name := range area.VersionControl {
		if holds(entries, name) {
			s.find(upkeep.Finding{Code: "version_control", Component: c.Ref(), Paths: []string{filepath.Join(c.Path, name)}, Blocks: true})
		}
	}
	var patches []string
	for _, entry := range entries {
		if name := entry.Name; name == "PATCHES.txt" || strings.HasSuffix(name, ".patch") || strings.HasSuffix(name, ".diff") {
			patches = append(patches, filepath.Join(c.Path, name))
		}
	}
	if patches != nil {
		s.find(upkeep.Finding{Code: "patched", Component: c.Ref(), Paths: patches, Blocks: true})
	}
	if c.Link != "" {
		s.find(upkeep.Finding{Code: "link", Component: c.Ref(), Paths: []string{c.Path}, Detail: c.Link})
	}
}

// schema compares the updates that the files bring with those that ran. It
// names the system module's, and each that waits.
func (s *survey) schema() upkeep.Schema {
	levels := map[string]int{}
	for i := range s.found { // what is found later counts
		if e := &s.found[i]; s.records.enabled[e.machine] && !e.theme {
			levels[e.machine] = e.level
		}
	}
	var files, database []string
	for _, name := range slices.Sorted(maps.Keys(levels)) {
		have, known := s.records.levels[name]
		waits := known && have >= 0 && levels[name] > have
		if name == "system" || waits {
			files = append(files, name+" "+strconv.Itoa(max(levels[name], have)))
			database = append(database, name+" "+strconv.Itoa(have))
		}
	}
	level := upkeep.Schema{Files: strings.Join(files, ", "), Database: strings.Join(database, ", ")}
	level.Pending = level.Files != level.Database
	return level
}

// pages are those of the site, and of every other that the same code serves and
// that has a name.
func (s *survey) pages() []upkeep.Page {
	sites := layout.Sites(s.layout)
	main := s.records
	if len(sites) > 1 {
		main = s.records.sites[sites[0].Database.Label]
	}
	pages := main.pages(s.layout)
	for _, site := range sites[1:] {
		host := site.Options[layout.OptionAddress]
		if host == "" {
			s.find(upkeep.Finding{Code: "site_nameless", Paths: []string{site.Dirs[layout.DirSite]}})
			continue
		}
		for _, page := range s.records.sites[site.Database.Label].pages(site) {
			if page.Role != "extra" { // the frozen time is everybody's
				page.Host = host
				pages = append(pages, page)
			}
		}
	}
	return pages
}

// pages work whatever the site holds.
func (r *records) pages(l *cms.Layout) []upkeep.Page {
	at := func(path string) string {
		if l.Options[layout.OptionGeneration] == layout.Seven {
			return "/?q=" + path // whether or not addresses are clean
		}
		return "/" + path
	}
	pages := []upkeep.Page{{Path: "/", Role: "home"}, {Path: at("user/login"), Role: "login"}}
	if r.enabled["node"] && (l.Options[layout.OptionGeneration] == layout.Seven || r.enabled["views"]) {
		pages = append(pages, upkeep.Page{Path: at("node"), Role: "extra"}, upkeep.Page{Path: at("rss.xml"), Role: "extra"})
	}
	if r.node != "" {
		pages = append(pages, upkeep.Page{Path: at("node/" + r.node), Role: "article"})
	}
	return pages
}
