// Package inventory reads which components a WordPress site has and which of
// them are active: from the files what is installed, from the database what
// is made of it. No code of the site runs.
package inventory

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/area"
	"upkeep/internal/cms/php"
	"upkeep/internal/cms/php/config"
	"upkeep/internal/cms/wordpress/layout"
)

//go:embed scripts/version.php
var versionSource string

// Read takes the inventory of the site laid out as l. Components are sorted,
// core first; findings are sorted by code. CodeUnreachable when the database
// does not answer, CodeDamaged when core does not say its version.
func (r *Reader) Read(ctx context.Context, h cms.Host, l *cms.Layout) (_ *upkeep.Inventory, err error) {
	defer upkeep.Wrap(&err, "inventory of %s", l.Root)
	s := &survey{reader: r, host: h, layout: l}
	var phpVersion upkeep.Version
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.readFiles() })
	group.Go(func() (err error) {
		s.records, err = readRecords(ctx, h, l)
		return err
	})
	group.Go(func() (err error) {
		phpVersion, err = r.phpVersion(ctx, h, l)
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	s.join()
	inv := &upkeep.Inventory{
		Taken: r.now().UTC(), CMS: upkeep.WordPress,
		Components: s.components, Schema: s.schema(), PHP: phpVersion,
		Database: s.records.version, Locales: s.locales(), Multisite: layout.Multisite(l),
		HomeURL: s.home(), Pages: s.pages(), Findings: s.findings,
	}
	sortComponents(inv.Components)
	slices.SortStableFunc(inv.Findings, func(a, b upkeep.Finding) int {
		return cmp.Or(strings.Compare(a.Code, b.Code), strings.Compare(a.Component, b.Component))
	})
	return inv, nil
}

// survey is an inventory being taken.
type survey struct {
	reader *Reader
	host   cms.Host
	layout *cms.Layout
	site   *os.Root // while files are read

	core       coreFile
	shortTag   bool
	components []upkeep.Component
	findings   []upkeep.Finding
	outside    []outsideLink
	records    *records
}

// coreFile is what wp-includes/version.php says.
type coreFile struct {
	version upkeep.Version
	schema  string // $wp_db_version
	locale  string // $wp_local_package
	php     upkeep.Version
}

func (s *survey) find(f upkeep.Finding) { s.findings = append(s.findings, f) }

// readFiles reads every component from the files, core first since its
// version decides how headers are read.
func (s *survey) readFiles() (err error) {
	if s.site, err = s.host.Open(s.layout.Root); err != nil {
		return err
	}
	defer s.site.Close()
	if err := s.readCore(); err != nil {
		return err
	}
	reads := [...]func(*survey) error{(*survey).readPlugins, (*survey).readThemes, (*survey).readMustUse, (*survey).readDropIns, (*survey).readLanguages}
	var parts [len(reads)]survey
	var group errgroup.Group
	for i, read := range reads {
		parts[i] = survey{reader: s.reader, host: s.host, layout: s.layout, site: s.site, shortTag: s.shortTag}
		group.Go(func() error { return read(&parts[i]) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i := range parts {
		s.components = append(s.components, parts[i].components...)
		s.findings = append(s.findings, parts[i].findings...)
		s.outside = append(s.outside, parts[i].outside...)
	}
	return nil
}

// versionBytes bounds version.php, which has some kilobytes.
const versionBytes = 1 << 18

func (s *survey) readCore() (err error) {
	dir := layout.CoreDir(s.layout)
	defer upkeep.Wrap(&err, "core in %s", dir)
	root, err := s.lent(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	text, err := cms.ReadBounded(root, "wp-includes/version.php", versionBytes)
	if err != nil {
		return err
	}
	if s.core = s.reader.Cache.core(dir, text); s.core.version == "" {
		return upkeep.Errorf(upkeep.CodeDamaged, "wp-includes/version.php names no version").
			WithHint("WordPress is damaged; restore wp-includes/version.php from a backup or the release.")
	}
	s.shortTag = php.CompareVersions(string(s.core.version), "7.1") >= 0
	s.components = append(s.components, upkeep.Component{
		Kind: upkeep.Core, ID: "core", Slug: "wordpress", Name: "WordPress", Version: s.core.version,
		Path: dir, Active: true, Locale: s.core.locale, RequiresPHP: s.core.php,
	})
	return nil
}

// parseVersionFile reads wp-includes/version.php.
func parseVersionFile(text []byte) coreFile {
	file := config.Read(text, config.Source{})
	get := func(name string) string {
		value, certainty := file.Variable(name)
		if certainty != config.Static {
			return ""
		}
		return value.Text()
	}
	return coreFile{
		version: upkeep.Version(get("wp_version")), schema: get("wp_db_version"),
		locale: get("wp_local_package"), php: upkeep.Version(get("required_php_version")),
	}
}

// sortedKeys is there for findings: they come in the same order every time.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// sortComponents puts core first, then orders by kind and ID.
func sortComponents(components []upkeep.Component) {
	slices.SortFunc(components, func(a, b upkeep.Component) int {
		if a.Kind == upkeep.Core || b.Kind == upkeep.Core {
			return cmp.Compare(b2i(b.Kind == upkeep.Core), b2i(a.Kind == upkeep.Core))
		}
		return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.ID, b.ID))
	})
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// folder opens a folder of the site; nil when it does not exist.
func (s *survey) folder(dir string) (*os.Root, error) {
	root, err := s.lent(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return root, err
}

// lent opens a folder of the site, from its open root where it is below.
func (s *survey) lent(dir string) (*os.Root, error) {
	if rel, inside := area.Relative(s.layout.Root, dir); inside {
		if root, err := s.site.OpenRoot(rel); err == nil || errors.Is(err, fs.ErrNotExist) {
			return root, err
		}
	}
	return s.host.Open(dir)
}

// listing returns the entries of a folder, none when it does not exist.
func listing(root *os.Root) ([]fs.DirEntry, error) {
	f, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.ReadDir(-1)
}

// schema compares what the files expect with every blog's level.
func (s *survey) schema() upkeep.Schema {
	schema := upkeep.Schema{Files: s.core.schema, Database: s.records.main["db_version"]}
	for _, blog := range s.records.blogs {
		if level := blog["db_version"]; level != schema.Files {
			schema.Database = level
			schema.Pending = true
			break
		}
	}
	return schema
}

func (s *survey) locales() []string {
	seen := map[string]bool{}
	for i := range s.components {
		if c := &s.components[i]; c.Kind == upkeep.Language {
			seen[c.Locale] = true
		}
	}
	for _, locale := range []string{s.core.locale, s.records.main["WPLANG"], s.layout.Options[layout.OptionWPLANG]} {
		if locale != "" && locale != "en_US" {
			seen[locale] = true
		}
	}
	return sortedKeys(seen)
}

// phpVersion asks the site's interpreter what it is, at most once per
// phpAge. No PHP is "": then nothing that needs it can be done either.
func (r *Reader) phpVersion(ctx context.Context, h cms.Host, l *cms.Layout) (upkeep.Version, error) {
	if version := l.Options[layout.OptionPHP]; version != "" {
		return upkeep.Version(version), nil
	}
	now, interpreter := r.now(), interpreters()
	if version, known := r.Cache.phpVersion(interpreter, now); known {
		return version, nil
	}
	var version upkeep.Version
	err := h.PHP(ctx, cms.Script{Name: "version.php", Source: versionSource, Dir: layout.CoreDir(l)}, struct{}{}, &version)
	if upkeep.CodeOf(err) == upkeep.CodeUnreachable {
		return "", nil
	}
	r.Cache.rememberPHP(interpreter, version, now)
	return version, err
}

// number is the decimal text as an integer, 0 for anything else.
func number(text string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// linkTarget returns where a link in a folder of the site really leads, ""
// when name is no link.
func linkTarget(dir string, entry fs.DirEntry) string {
	if entry.Type()&fs.ModeSymlink == 0 {
		return ""
	}
	path := filepath.Join(dir, entry.Name())
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target
	}
	// Broken: what it says.
	target, err := os.Readlink(path)
	if err != nil {
		return path
	}
	return target
}
