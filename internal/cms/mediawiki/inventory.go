package mediawiki

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/mediawiki/layout"
	"upkeep/internal/cms/recall"
)

//go:embed scripts/version.php
var versionSource string

// Bounds of what is read for what it says.
const (
	maxInfo   = 1 << 20
	maxSchema = 4 << 20
)

// HeaderBundled is the header of components that come with MediaWiki itself.
const HeaderBundled = "bundled"

// Inventory reads what is installed and what of it is switched on, from files
// and the database. No code of the site runs. CodeDamaged when core does not
// say its version.
func (d *Driver) Inventory(ctx context.Context, h cms.Host, l *cms.Layout) (_ *upkeep.Inventory, err error) {
	defer upkeep.Wrap(&err, "inventory of %s", l.Root)
	s := &survey{host: h, layout: l, known: &d.known, on: map[upkeep.Kind][]string{}}
	for kind, option := range map[upkeep.Kind]string{upkeep.Plugin: layout.OptionExtensions, upkeep.Theme: layout.OptionSkins} {
		var names []string
		if text := l.Options[option]; text != "" {
			if err := json.Unmarshal([]byte(text), &names); err != nil {
				return nil, upkeep.Errorf(upkeep.CodeDamaged, "layout: %w", err)
			}
		}
		s.on[kind] = names
	}
	answers, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	inv := &upkeep.Inventory{
		Taken: d.now().UTC(), CMS: upkeep.MediaWiki, Components: s.components, PHP: answers.php, Schema: s.schema(answers.lacking),
		Database: answers.server, HomeURL: l.Options[layout.OptionHome], Pages: s.pages(), Findings: s.findings,
	}
	slices.SortStableFunc(inv.Components[1:], func(a, b upkeep.Component) int {
		return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.ID, b.ID))
	})
	slices.SortStableFunc(inv.Findings, func(a, b upkeep.Finding) int {
		return cmp.Or(strings.Compare(a.Code, b.Code), strings.Compare(a.Component, b.Component))
	})
	return inv, nil
}

// answers are what is not in the files.
type answers struct {
	php     upkeep.Version
	server  string // what the database calls itself
	lacking string // the first column that the files want and the database has not
}

// read reads files and database at the same time.
func (s *survey) read(ctx context.Context) (a answers, err error) {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(s.readFiles)
	group.Go(func() (err error) {
		a.php, err = phpVersion(ctx, s.host, s.layout)
		return err
	})
	group.Go(func() (err error) {
		defer upkeep.Wrap(&err, "level of the database")
		if !unreachable(s.layout) {
			a.lacking, err = s.lackingColumns(ctx)
		}
		a.server = databaseVersion(ctx, s.host, s.layout)
		return err
	})
	err = group.Wait()
	return a, err
}

func (s *survey) readFiles() error {
	if err := s.readCore(); err != nil {
		return err
	}
	if err := s.readComposer(); err != nil {
		return err
	}
	for _, kind := range []upkeep.Kind{upkeep.Plugin, upkeep.Theme} {
		if err := s.readExtensions(kind); err != nil {
			return err
		}
	}
	return nil
}

// memory is what files were found to say, and folders to hold.
type memory struct {
	manifests recall.Files[*manifest]
	lines     recall.Files[string]
	tables    recall.Files[[]table]
	lists     recall.Lists
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

// databaseVersion is what the server calls itself, "" when it does not answer
// or there is none.
func databaseVersion(ctx context.Context, h cms.Host, l *cms.Layout) string {
	if l.Database.Engine != "mariadb" {
		return "" // no release says what it wants of another
	}
	rows, err := h.Query(ctx, l.Database, "SELECT VERSION()")
	if err != nil || len(rows) == 0 {
		return ""
	}
	return string(rows[0][0])
}

// survey is an inventory being taken.
type survey struct {
	host       cms.Host
	layout     *cms.Layout
	known      *memory
	version    string                   // of core
	on         map[upkeep.Kind][]string // names that the configuration switches on
	composed   map[string]bool          // folders below the root that Composer manages
	components []upkeep.Component
	findings   []upkeep.Finding
}

func (s *survey) find(f upkeep.Finding) { s.findings = append(s.findings, f) }

func (s *survey) readCore() (err error) {
	s.version, err = coreVersion(s.host, s.layout.Dirs[layout.DirProgram])
	if err != nil {
		return err
	}
	if s.version == "" {
		return upkeep.Errorf(upkeep.CodeDamaged, "includes/Defines.php names no version").
			WithHint("MediaWiki is damaged; restore its files from a backup or the release.")
	}
	s.components = append(s.components, upkeep.Component{
		Kind: upkeep.Core, ID: "core", Slug: "mediawiki", Name: "MediaWiki", Version: upkeep.Version(s.version),
		Path: s.layout.Root, Active: true, Headers: map[string]string{},
	})
	return nil
}

// coreVersion is what the files in program say, "" when they do not.
func coreVersion(h cms.Host, program string) (string, error) {
	root, err := h.Open(program)
	if err != nil {
		return "", err
	}
	defer root.Close()
	text, err := cms.ReadBounded(root, "includes/Defines.php", maxInfo)
	if err != nil {
		return "", err
	}
	if version := match(versionDefined, text); version != "" {
		return version, nil
	}
	text, err = cms.ReadBounded(root, "includes/DefaultSettings.php", maxInfo)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return match(versionSet, text), err
}

// readComposer notices what Composer put beside the release: extensions, and
// libraries in vendor, which a release would take away.
func (s *survey) readComposer() error {
	root, err := s.host.Open(s.layout.Dirs[layout.DirProgram])
	if err != nil {
		return err
	}
	defer root.Close()
	if _, err := root.Lstat("composer.local.json"); err != nil {
		return nil
	}
	s.find(upkeep.Finding{
		Code: "composer_managed", Component: string(upkeep.Core), Paths: []string{filepath.Join(s.layout.Root, "composer.local.json")}, Blocks: true,
	})
	text, err := cms.ReadBounded(root, "vendor/composer/installed.json", 16<<20)
	if err != nil {
		return nil //nolint:nilerr // never run, or out of reach: the finding says enough
	}
	s.composed = composedFolders(text)
	return nil
}

// composedFolders reads which folders Composer installed outside vendor, as
// paths below the root.
func composedFolders(text []byte) map[string]bool {
	type item struct {
		Type string `json:"type"`
		Path string `json:"install-path"`
	}
	var wrapped struct {
		Packages []item `json:"packages"`
	}
	if json.Unmarshal(text, &wrapped) != nil && json.Unmarshal(text, &wrapped.Packages) != nil {
		return nil
	}
	folders := map[string]bool{}
	for _, p := range wrapped.Packages {
		if p.Type == "mediawiki-extension" || p.Type == "mediawiki-skin" {
			folders[filepath.Join("vendor/composer", p.Path)] = true
		}
	}
	return folders
}

// pages work whatever the wiki holds, and are not cached.
func (s *survey) pages() []upkeep.Page {
	script := cmp.Or(s.layout.Options[layout.OptionScript], "/index.php")
	if path := strings.TrimSuffix(s.layout.Options[layout.OptionScriptPath], "/"); path != "" {
		script = strings.TrimPrefix(script, path)
	}
	at := func(title string) string { return script + "?title=" + url.QueryEscape(title) }
	return []upkeep.Page{
		{Path: "/", Role: "home"},
		{Path: at("Special:Version"), Role: "extra"},
		{Path: at("Special:AllPages"), Role: "extra"},
		{Path: at("Special:RecentChanges"), Role: "extra"},
		{Path: at("Special:UserLogin"), Role: "login"},
		{Path: at("Special:Search") + "&search=upkeep&fulltext=1", Role: "extra"},
		{Path: "/api.php?action=query&meta=siteinfo&format=json", Role: "api"},
		{Path: "/load.php?lang=en&modules=jquery&only=scripts", Role: "extra"},
	}
}

// isFolder reports whether path is a folder, following links.
func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
