package upkeeptest_test

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"upkeep"
	"upkeep/internal/cms/php"
	"upkeep/internal/demo"
	"upkeep/internal/upkeeptest"
)

// Folders with zips as wordpress.org publishes them, "wordpress-6.8.3.zip"
// and "classic-editor.1.6.3.zip", named by these variables, make the tests
// below run on them.
const (
	coresVariable   = "UPKEEP_WORDPRESS_CORES"
	pluginsVariable = "UPKEEP_WORDPRESS_PLUGINS"
)

// published is a real package.
type published struct{ slug, version, file string }

// publishedIn are the packages in the folder that a variable names, oldest
// first; without one the test is skipped.
func publishedIn(t *testing.T, variable, between string) []published {
	t.Helper()
	dir := os.Getenv(variable)
	if dir == "" {
		t.Skipf("%s names no folder with zips of real releases", variable)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.zip"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no zips in %s: %v", dir, err)
	}
	var all []published
	for _, file := range files {
		slug, version, ok := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".zip"), between)
		if !ok {
			t.Fatalf("%s does not say its version", file)
		}
		all = append(all, published{slug, version, file})
	}
	slices.SortFunc(all, func(a, b published) int {
		return cmp.Or(strings.Compare(a.slug, b.slug), php.CompareVersions(a.version, b.version))
	})
	return all
}

func TestRealReleasesAtOnce(t *testing.T) {
	cores := publishedIn(t, coresVariable, "-")
	site := upkeeptest.WordPress(t, demo.Spec{Posts: 3})
	p := upkeeptest.AdoptWith(t, site, []string{"--majors"})
	climb(t, p, site, cores[len(cores)-1], true)
}

func TestRealReleasesOneByOne(t *testing.T) {
	cores := publishedIn(t, coresVariable, "-")
	site := upkeeptest.WordPress(t, demo.Spec{Posts: 3, Network: true})
	p := upkeeptest.AdoptWith(t, site, []string{"--majors"})
	for i, core := range cores {
		if php.CompareVersions(core.version, newest) <= 0 {
			continue // newer ones are offered anyway
		}
		climb(t, p, site, core, i == len(cores)-1)
	}
	last := cores[len(cores)-1]
	before := upkeeptest.StateOf(t, site)
	faulty := filepath.Join(t.TempDir(), "wordpress-99.zip")
	if err := repackInto(faulty, last.file, last.version, "99.0.1", broken); err != nil {
		t.Fatal(err)
	}
	if err := p.Mirror.Add(faulty); err != nil {
		t.Fatal(err)
	}
	p.Run(t, "update", "list", "shop")
	p.Run(t, "site", "update", "shop", "--only", "core", "--yes")
	if iv := p.Last(t); iv.State != upkeep.Undone || iv.Identity == nil || !iv.Identity.Proven() {
		t.Fatalf("ended %s, identity %+v", iv.State, iv.Identity)
	}
	upkeeptest.Same(t, before, site, upkeeptest.Volatile...)
	upkeeptest.Works(t, site)
}

// climb offers a real core, updates to it, and with back restores what was
// before and updates again.
func climb(t *testing.T, p *upkeeptest.Program, site *demo.Site, core published, back bool) {
	t.Helper()
	if err := p.Mirror.Add(core.file); err != nil {
		t.Fatal(err)
	}
	p.Run(t, "update", "list", "shop") // asks the publisher anew
	dir := t.TempDir()
	command(t, "unzip", "-q", core.file, "-d", dir)
	from, _ := versionIn(t, site.Root)
	before, switched := upkeeptest.StateOf(t, site), active(t, site)
	update := func() {
		t.Helper()
		if out, code := p.Run(t, "site", "update", "shop", "--yes"); code != 0 {
			t.Fatalf("%s to %s: exit %d\n%s", from, core.version, code, out)
		}
		iv := p.Last(t)
		version, schema := versionIn(t, site.Root)
		if iv.State != upkeep.Done || version != core.version || slices.ContainsFunc(schemas(t, site), func(s string) bool { return s != schema }) {
			t.Fatalf("ended %s as %s with levels %v of %s", iv.State, version, schemas(t, site), schema)
		}
		t.Logf("%s to %s: frozen %v, %v in all", from, version, iv.Frozen(iv.Ended), iv.Ended.Sub(iv.Started))
		backedUp(t, p, iv)
		sameCore(t, filepath.Join(dir, "wordpress"), site.Root)
		if now := active(t, site); now != switched {
			t.Errorf("active is\n%s\nnot\n%s", now, switched)
		}
		agrees(t, p, site)
		upkeeptest.Works(t, site)
	}
	update()
	if back {
		restore(t, p, site, before)
		update()
	}
}

func TestRealPlugin(t *testing.T) {
	plugins := publishedIn(t, pluginsVariable, ".")
	first, last := plugins[0], plugins[len(plugins)-1]
	site := upkeeptest.WordPress(t, demo.Spec{Archives: []demo.Archive{{Kind: upkeep.Plugin, File: first.file}}})
	main := first.slug + "/" + first.slug + ".php"
	if out, err := site.PHP(t.Context(), "require_once ABSPATH . 'wp-admin/includes/plugin.php'; var_dump(activate_plugin('"+main+"'));"); err != nil || !strings.Contains(out, "NULL") {
		t.Fatalf("%s: %v", out, err)
	}
	p := upkeeptest.Adopt(t, site)
	for _, plugin := range plugins {
		if err := p.Mirror.Add(plugin.file); err != nil {
			t.Fatal(err)
		}
	}
	p.Run(t, "update", "list", "shop")
	before, switched := upkeeptest.StateOf(t, site), active(t, site)
	if out, code := p.Run(t, "site", "update", "shop", "--yes"); code != 0 {
		t.Fatalf("exit %d\n%s", code, out)
	}
	agrees(t, p, site)
	dir := t.TempDir()
	command(t, "unzip", "-q", last.file, "-d", dir)
	command(t, "diff", "-r", filepath.Join(dir, last.slug), filepath.Join(site.Content, "plugins", last.slug))
	if now := active(t, site); now != switched {
		t.Errorf("active is\n%s\nnot\n%s", now, switched)
	}
	restore(t, p, site, before)
}
