package scan

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"upkeep"
	"upkeep/internal/agent/place"
	"upkeep/internal/cms"
	"upkeep/internal/cms/known"
)

// reading lends a driver the files of a folder and nothing else.
type reading struct{ *place.Places }

var _ cms.Host = reading{}

// Query refuses: databases are not asked.
func (reading) Query(context.Context, *cms.Database, string, ...any) ([][][]byte, error) {
	return nil, upkeep.Errorf(upkeep.CodeUnreachable, "a scan asks no database")
}

// PHP refuses: no code runs.
func (reading) PHP(context.Context, cms.Script, any, any) error {
	return upkeep.Errorf(upkeep.CodeUnreachable, "its settings are computed, and a scan runs no code").
		WithHint("Adopting the application reads them.")
}

// discovered is an application that was found.
type discovered struct {
	database string
	parts    []string // folders of its own that look like applications
}

// owns reports whether a folder is part of an application by its own layout.
func (d *discovered) owns(dir string) bool {
	for _, part := range d.parts {
		if within(part, dir) {
			return true
		}
	}
	return false
}

// examine asks every driver about a folder. When it is an application, what is
// below belongs to it.
func (w *walk) examine(f *folder) {
	if f.app != nil && f.app.owns(f.dir) {
		return
	}
	host := reading{place.New(f.dir, filepath.Dir(f.dir))}
	for _, driver := range w.drivers {
		layout, err := driver.Detect(w.ctx, host, f.dir)
		switch {
		case w.ctx.Err() != nil:
			return
		case upkeep.CodeOf(err) == upkeep.CodeNotFound, err == nil && layout.Inner != "":
			continue // there is none, or it is found in its own folder
		}
		d := upkeep.Discovery{Root: f.dir, CMS: driver.CMS()}
		app := &discovered{}
		if err != nil {
			d.Problem = upkeep.Told(err)
		} else {
			fill(&d, app, layout)
		}
		// A library inside an application looks like one, too: unless it has a
		// database of its own.
		if driver.CMS() == known.PHP && f.within != "" && (app.database == "" || f.app != nil && app.database == f.app.database) {
			return
		}
		if err != nil && isFront(f) {
			return
		}
		d.Version = versionOf(w.ctx, driver, host, layout, f.dir)
		w.answer.Discoveries = append(w.answer.Discoveries, d)
		f.within, f.app, w.apps[f.dir] = f.dir, app, app
		return
	}
}

// isFront reports whether a folder is the one that visitors see of the
// application around.
func isFront(f *folder) bool {
	return f.within == filepath.Dir(f.dir) && slices.Contains(fronts(), filepath.Base(f.dir))
}

// fill says what a layout knows.
func fill(d *upkeep.Discovery, app *discovered, layout *cms.Layout) {
	if db := layout.Database; db != nil {
		if d.Database = db.Name; db.File != "" {
			d.Database = db.File
		}
		app.database = d.Database
	}
	for _, option := range []string{"home", "siteurl"} {
		if url := layout.Options[option]; strings.Contains(url, "://") && len(d.URLs) == 0 {
			d.URLs = append(d.URLs, strings.TrimSuffix(url, "/"))
		}
	}
	for _, dir := range layout.Dirs {
		if dir != layout.Root && within(dir, layout.Root) {
			app.parts = append(app.parts, dir)
		}
	}
}

// maxVersionFile bounds a file that says a version.
const maxVersionFile = 1 << 20

// versions are the files that say the version of what is maintained.
var versions = map[upkeep.CMS][]struct {
	file    string
	pattern *regexp.Regexp
}{
	upkeep.WordPress: {{"wp-includes/version.php", regexp.MustCompile(`\$wp_version\s*=\s*['"]([^'"]{1,40})`)}},
	upkeep.Joomla:    {{"administrator/manifests/files/joomla.xml", regexp.MustCompile(`<version>\s*([0-9][0-9A-Za-z.+-]{0,40})`)}},
	upkeep.Drupal: {
		{"core/lib/Drupal.php", regexp.MustCompile(`const VERSION = ['"]([^'"]{1,40})`)},
		{"includes/bootstrap.inc", regexp.MustCompile(`define\('VERSION', ['"]([^'"]{1,40})`)},
	},
	upkeep.DokuWiki: {{"VERSION", regexp.MustCompile(`^([0-9a-z-]{1,40})`)}},
	upkeep.MediaWiki: {
		{"includes/Defines.php", regexp.MustCompile(`MW_VERSION['"]\s*,\s*['"]([^'"]{1,40})`)},
		{"includes/DefaultSettings.php", regexp.MustCompile(`\$wgVersion\s*=\s*['"]([^'"]{1,40})`)},
	},
}

// versionOf is what the files of an application say of their version, "" when
// they do not.
func versionOf(ctx context.Context, driver cms.Driver, host cms.Host, layout *cms.Layout, root string) upkeep.Version {
	rules, maintained := versions[driver.CMS()]
	if !maintained && layout != nil {
		if inventory, err := driver.Inventory(ctx, host, layout); err == nil && inventory.Core() != nil {
			return inventory.Core().Version
		}
		return ""
	}
	top, err := os.OpenRoot(root)
	if err != nil {
		return ""
	}
	defer top.Close()
	dirs := []string{"."}
	if layout != nil {
		for _, dir := range layout.Dirs {
			if rel, err := filepath.Rel(root, dir); err == nil && filepath.IsLocal(rel) {
				dirs = append(dirs, rel)
			}
		}
	}
	dirs = append(append(dirs, fronts()...), "wp", "web/wp", "public/wp")
	for _, dir := range dirs {
		for _, rule := range rules {
			text, err := cms.ReadBounded(top, filepath.Join(dir, rule.file), maxVersionFile)
			if match := rule.pattern.FindSubmatch(text); err == nil && match != nil {
				return upkeep.Version(match[1])
			}
		}
	}
	return ""
}
