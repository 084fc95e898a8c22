package upkeeptest_test

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"upkeep"
	"upkeep/internal/demo"
	"upkeep/internal/upkeeptest"
)

// tree returns the unpacked WordPress of a version.
func tree(t *testing.T, version string) string {
	t.Helper()
	set, err := upkeeptest.World(t).Packages()
	if err != nil {
		t.Fatal(err)
	}
	core, err := set.Core(upkeep.Version(version))
	if err != nil {
		t.Fatal(err)
	}
	return core.Tree
}

// versionIn is what PHP itself finds in a WordPress's version file.
func versionIn(t *testing.T, root string) (version, schema string) {
	t.Helper()
	out := command(t, "php", "-r", `include $argv[1]; echo "$wp_version $wp_db_version";`, root+"/wp-includes/version.php")
	version, schema, _ = strings.Cut(out, " ")
	return version, schema
}

// obsolete are the files that a WordPress says earlier ones had.
func obsolete(t *testing.T, tree string) []string {
	t.Helper()
	out := command(t, "php", "-r", `include $argv[1]; echo implode("\n", $_old_files);`, tree+"/wp-admin/includes/update-core.php")
	return strings.Split(out, "\n")
}

// sameCore fails the test unless every file of a WordPress but those of its
// wp-content is at root as it is in its package, and the obsolete are gone.
func sameCore(t *testing.T, tree, root string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "diff", "-rq", "-x", "wp-content", tree, root)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState.ExitCode() != 1 {
		t.Fatalf("diff: %v: %s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "Only in "+root) {
			t.Errorf("not as in the package: %s", line)
		}
	}
	for _, path := range obsolete(t, tree) {
		if _, err := os.Lstat(filepath.Join(root, path)); err == nil {
			t.Errorf("%s is obsolete and still there", path)
		}
	}
}

// schemas is the level of every blog's tables, in order.
func schemas(t *testing.T, site *demo.Site) []string {
	t.Helper()
	prefixes := []string{site.Spec.Prefix}
	if site.Spec.Network {
		prefixes = append(prefixes, site.Spec.Prefix+"2_", site.Spec.Prefix+"3_")
	}
	var levels []string
	for _, prefix := range prefixes {
		levels = append(levels, query(t, site, "SELECT option_value FROM "+prefix+"options WHERE option_name = 'db_version'"))
	}
	return levels
}

// active is what the database says is switched on.
func active(t *testing.T, site *demo.Site) string {
	t.Helper()
	p := site.Spec.Prefix
	out := query(t, site, "SELECT option_name, option_value FROM "+p+"options WHERE option_name IN ('active_plugins', 'template', 'stylesheet') ORDER BY 1")
	if site.Spec.Network {
		// Its values are the times of activation, which nothing changes.
		out += query(t, site, "SELECT meta_value FROM "+p+"sitemeta WHERE meta_key = 'active_sitewide_plugins'")
	}
	return out
}

func query(t *testing.T, site *demo.Site, statement string) string {
	t.Helper()
	out, err := site.SQL(t.Context(), statement)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).Output()
	if err != nil {
		t.Fatalf("%s %v: %v", name, args, err)
	}
	return string(out)
}

// told is what WordPress says of itself.
type told struct {
	Version    string            `json:"version"`
	Files      string            `json:"files"`
	Database   string            `json:"database"`
	Content    string            `json:"content"`
	Multisite  bool              `json:"multisite"`
	Components map[string]string `json:"components"` // ref → version
	Active     []string          `json:"active"`     // refs of plugins and the theme, sorted
	Languages  []string          `json:"languages"`  // IDs and revisions, sorted
}

const ask = `
require_once ABSPATH . 'wp-admin/includes/plugin.php';
require_once ABSPATH . 'wp-admin/includes/translation-install.php';
wp_clean_plugins_cache(false);
$c = ['core' => $GLOBALS['wp_version']];
$a = [];
foreach (get_plugins() as $id => $h) {
	$c["plugin:$id"] = $h['Version'];
	if (is_plugin_active($id)) { $a[] = "plugin:$id"; }
}
foreach (get_mu_plugins() as $id => $h) { $c["mu-plugin:$id"] = $h['Version']; }
foreach (get_dropins() as $id => $h) { $c["drop-in:$id"] = $h['Version']; }
foreach (wp_get_themes(['errors' => null]) as $id => $h) { $c["theme:$id"] = (string) $h->get('Version'); }
foreach (is_multisite() ? get_sites(['fields' => 'ids']) : [0] as $blog) {
	foreach (['stylesheet', 'template'] as $name) { $a[] = 'theme:' . ($blog ? get_blog_option($blog, $name) : get_option($name)); }
}
$a = array_values(array_unique($a));
sort($a);
$l = [];
foreach (['core' => '', 'plugins' => 'plugins/', 'themes' => 'themes/'] as $type => $dir) {
	foreach (wp_get_installed_translations($type) as $domain => $locales) {
		foreach ($locales as $locale => $h) {
			if ($type !== 'core' || $domain === 'default') {
				$l[] = $dir . ($domain === 'default' ? '' : "$domain-") . "$locale {$h['PO-Revision-Date']}";
			}
		}
	}
}
sort($l);
echo json_encode(['version' => $GLOBALS['wp_version'], 'files' => (string) $GLOBALS['wp_db_version'], 'database' => (string) get_option('db_version'),
	'content' => WP_CONTENT_DIR, 'multisite' => is_multisite(), 'components' => $c, 'active' => $a, 'languages' => $l]);
`

// agrees fails the test unless the inventory says of a site what WordPress
// says of itself.
func agrees(t *testing.T, p *upkeeptest.Program, site *demo.Site) {
	t.Helper()
	out, err := site.PHP(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	var want told
	if err := json.Unmarshal([]byte(out), &want); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	inventory := upkeeptest.JSON[upkeep.Inventory](t, p, "site", "inventory", "shop")
	got := told{
		Files: inventory.Schema.Files, Database: inventory.Schema.Database, Multisite: inventory.Multisite,
		Content: want.Content, Components: make(map[string]string), Languages: []string{},
	}
	for _, c := range inventory.Components {
		if c.Kind == upkeep.Core {
			got.Version = string(c.Version)
		}
		if c.Kind == upkeep.Language {
			got.Languages = append(got.Languages, c.ID+" "+string(c.Version))
			continue
		}
		got.Components[c.Ref()] = string(c.Version)
		if c.Active && (c.Kind == upkeep.Plugin || c.Kind == upkeep.Theme) {
			got.Active = append(got.Active, c.Ref())
		}
	}
	slices.Sort(got.Active)
	slices.Sort(got.Languages)
	if a, b := fmt.Sprintf("%+v", want), fmt.Sprintf("%+v", got); a != b {
		t.Errorf("WordPress says\n%s\nthe inventory\n%s", a, b)
	}
}

// repacked are cores made of another's package, once per process.
var repacked sync.Map

// repack returns the zip of a core whose version is another, with files added
// or replaced (below the top folder).
func repack(t *testing.T, from, version string, replace map[string]string) string {
	t.Helper()
	once, _ := repacked.LoadOrStore(version, sync.OnceValues(func() (string, error) {
		// It goes with the world.
		path := filepath.Join(upkeeptest.World(t).Dir, "wordpress-"+version+".zip")
		return path, repackInto(path, zipOf(t, from), from, version, replace)
	}))
	path, err := once.(func() (string, error))()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func repackInto(path, original, from, version string, replace map[string]string) error {
	in, err := zip.OpenReader(original)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer out.Close()
	w := zip.NewWriter(out)
	texts := map[string]string{}
	for name, text := range replace {
		texts["wordpress/"+name] = text
	}
	for _, member := range in.File {
		switch text, replaced := texts[member.Name]; {
		case replaced:
			err = write(w, member.Name, text)
			delete(texts, member.Name)
		case member.Name == "wordpress/wp-includes/version.php":
			err = rewrite(w, member, func(text string) string {
				return strings.Replace(text, "'"+from+"'", "'"+version+"'", 1)
			})
		default:
			err = w.Copy(member)
		}
		if err != nil {
			return err
		}
	}
	for name, text := range texts {
		if err := write(w, name, text); err != nil {
			return err
		}
	}
	return w.Close()
}

func rewrite(w *zip.Writer, member *zip.File, change func(string) string) error {
	r, err := member.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	return write(w, member.Name, change(string(text)))
}

func write(w *zip.Writer, name, text string) error {
	entry, err := w.Create(name)
	if err != nil {
		return err
	}
	_, err = io.WriteString(entry, text)
	return err
}

func zipOf(t *testing.T, version string) string {
	t.Helper()
	set, err := upkeeptest.World(t).Packages()
	if err != nil {
		t.Fatal(err)
	}
	core, err := set.Core(upkeep.Version(version))
	if err != nil {
		t.Fatal(err)
	}
	return core.Zip
}
