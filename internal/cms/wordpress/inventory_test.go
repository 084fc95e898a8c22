package wordpress_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/agent/database"
	"upkeep/internal/agent/place"
	"upkeep/internal/cms"
	"upkeep/internal/cms/wordpress"
	"upkeep/internal/demo"
	"upkeep/internal/demo/packages"
)

// schemaSQL is as much of WordPress's tables as reading takes.
const schemaSQL = `
CREATE TABLE %[1]soptions (option_id BIGINT AUTO_INCREMENT PRIMARY KEY, option_name VARCHAR(191) UNIQUE, option_value LONGTEXT, autoload VARCHAR(20));
CREATE TABLE %[1]sposts (ID BIGINT AUTO_INCREMENT PRIMARY KEY, post_date DATETIME, post_type VARCHAR(20), post_status VARCHAR(20), post_password VARCHAR(255) DEFAULT '');
CREATE TABLE %[1]susers (ID BIGINT PRIMARY KEY);
`

// planted is a site made by hand, with its database.
type planted struct {
	*lender
	t      testing.TB
	dir    string
	server *demo.MariaDB
	name   string // of the database
	driver *wordpress.Driver
	layout *cms.Layout
}

// newPlanted makes a site of files and SQL, which may use %[1]s for the prefix.
func newPlanted(t testing.TB, m *demo.MariaDB, name string, files map[string]string, config, sql string) *planted {
	t.Helper()
	p := &planted{t: t, dir: tree(t), server: m, name: name, driver: wordpress.New()}
	account, err := m.CreateDatabase(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	p.sql(fmt.Sprintf(schemaSQL, "wp_") + sql)
	db, err := database.Open(t.Context(), *account)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	plant(t, p.dir, coreFiles("www"))
	plant(t, p.dir, files)
	plant(t, p.dir, map[string]string{"www/wp-config.php": fmt.Sprintf("<?php define('DB_NAME', '%s'); define('DB_USER', '%s'); define('DB_PASSWORD', '%s'); define('DB_HOST', ':%s'); $table_prefix = 'wp_';\n%s\n%s",
		name, account.User, account.Password, account.Socket, config, endOfConfig)})
	root := filepath.Join(p.dir, "www")
	p.lender = &lender{places: place.New(root, p.dir), db: db}
	if p.layout, err = p.driver.Detect(t.Context(), p, root); err != nil {
		t.Fatal(err)
	}
	var dirs []string
	for _, area := range p.layout.Areas {
		dirs = append(dirs, area.Dir)
	}
	p.places = place.New(dirs...)
	return p
}

func (p *planted) sql(text string) {
	p.t.Helper()
	if _, err := p.server.Exec(context.Background(), p.name, text); err != nil {
		p.t.Fatal(err)
	}
}

func (p *planted) inventory() *upkeep.Inventory {
	p.t.Helper()
	inv, err := p.driver.Inventory(p.t.Context(), p, p.layout)
	if err != nil {
		p.t.Fatal(err)
	}
	return inv
}

// serialized is PHP's form of a list of strings.
func serialized(items ...string) string {
	var out strings.Builder
	fmt.Fprintf(&out, "a:%d:{", len(items))
	for i, item := range items {
		fmt.Fprintf(&out, "i:%d;s:%d:\"%s\";", i, len(item), item)
	}
	return out.String() + "}"
}

// options is the SQL that sets options, names and values in turn.
func options(table string, values ...string) string {
	var out strings.Builder
	for i := 0; i < len(values); i += 2 {
		fmt.Fprintf(&out, "INSERT INTO %s (option_name, option_value) VALUES ('%s', '%s');\n", table, values[i],
			strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(values[i+1]))
	}
	return out.String()
}

// summary writes what matters of a component on a line.
func summary(c *upkeep.Component) string {
	text := c.Ref() + " " + string(c.Version)
	for _, mark := range []struct {
		on   bool
		text string
	}{
		{c.Active, " active"}, {c.Network, " network"}, {c.Link != "", " linked"}, {c.Parent != "", " of " + c.Parent},
		{c.Vendor != nil, " vendor"}, {c.Locale != "", " " + c.Locale},
	} {
		if mark.on {
			text += mark.text
		}
	}
	return text
}

func summaries(inv *upkeep.Inventory) string {
	var out []string
	for i := range inv.Components {
		out = append(out, summary(&inv.Components[i]))
	}
	return strings.Join(out, "\n")
}

// object is PHP's form of a stdClass or, as "a", a map; values that are not
// serialized already are strings.
func object(letter string, fields ...string) string {
	var out strings.Builder
	out.WriteString(map[string]string{"O": `O:8:"stdClass"`, "a": "a"}[letter])
	fmt.Fprintf(&out, ":%d:{", len(fields)/2)
	for i, field := range fields {
		if i%2 == 1 && (strings.HasSuffix(field, "}") || strings.HasPrefix(field, "i:")) {
			out.WriteString(field)
			continue
		}
		fmt.Fprintf(&out, "s:%d:\"%s\";", len(field), field)
	}
	return out.String() + "}"
}

var premiumTransient = object("O", "last_checked", "i:1785974400;", "response", object("a",
	"folder/main.php", object("O", "slug", "premium", "new_version", "2.0", "url", "https://vendor.example/x", "package", ""),
	"hello.php", object("O", "id", "w.org/plugins/hello-dolly", "new_version", "1.7.3", "package", "https://downloads.wordpress.org/plugin/hello-dolly.1.zip"),
	"inner/inner.php", object("O", "new_version", "2.9", "package", "https://vendor.example/older"),
	"folder/other.php", object("O", "new_version", "", "package", "https://vendor.example/zip")))

var wholeSite = map[string]string{
	"www/wp-content/plugins/hello.php":                             "<?php\n/*\nPlugin Name: Hello\nVersion: 1.7.2\nPlugin URI: https://wordpress.org/plugins/hello-dolly/\n*/",
	"www/wp-content/plugins/folder/main.php":                       "<?php // Plugin Name: Main\n// Version: 1.0\n// Requires at least: 5.0\n// Requires PHP: 7.4\n// Requires Plugins: hello-dolly, Bad\n// Update URI: https://vendor.example/main",
	"www/wp-content/plugins/folder/other.php":                      "<?php // Plugin Name: Other\n",
	"www/wp-content/plugins/folder/class.php":                      "<?php class X {}",
	"www/wp-content/plugins/folder/sub/deep.php":                   "<?php // Plugin Name: Too deep",
	"www/wp-content/plugins/.hidden/main.php":                      "<?php // Plugin Name: Hidden",
	"www/wp-content/plugins/index.php":                             "<?php // Silence is golden.",
	"www/wp-content/plugins/inner":                                 "-> ../linked",
	"www/wp-content/linked/inner.php":                              "<?php // Plugin Name: Inner\n// Version: 3",
	"www/wp-content/plugins/outer":                                 "-> ../../../outside/outer",
	"outside/outer/boot.php":                                       "<?php // Plugin Name: Outer\n// Version: 4",
	"www/wp-content/mu-plugins/.loader.php":                        "<?php // Plugin Name: Loader\n// Version: 5",
	"www/wp-content/mu-plugins/index.php":                          "<?php // Silence is golden.",
	"www/wp-content/mu-plugins/sub/not.php":                        "<?php // Plugin Name: Not loaded",
	"www/wp-content/object-cache.php":                              "<?php // Plugin Name: Cache\n// Version: 6",
	"www/wp-content/advanced-cache.php":                            "<?php",
	"www/wp-content/themes/parent/style.css":                       "/*\nTheme Name: Parent\nVersion: 1\n*/",
	"www/wp-content/themes/child/style.css":                        "/*\nTheme Name: Child\nTemplate: parent\nVersion: 2\n*/",
	"www/wp-content/themes/child/.git/HEAD":                        "ref: refs/heads/main",
	"www/wp-content/extra/extra/style.css":                         "/*\nTheme Name: Extra\nVersion: 4\n*/",
	"www/wp-content/extra/child/style.css":                         "/*\nTheme Name: Child\nTemplate: parent\nVersion: 3\n*/",
	"www/wp-content/themes/group/inner/style.css":                  "/*\nTheme Name: Grouped\nTemplate: lost\n*/",
	"www/wp-content/themes/nameless/style.css":                     "body {}",
	"www/wp-content/themes/CVS/style.css":                          "/* Theme Name: CVS */",
	"www/wp-content/languages/de_DE.po":                            "msgid \"\"\nmsgstr \"\"\n\"PO-Revision-Date: 2024-03-01 10:00:00+0000\\n\"\n",
	"www/wp-content/languages/de_DE.mo":                            "",
	"www/wp-content/languages/admin-de_DE.mo":                      "",
	"www/wp-content/languages/plugins/folder-de_DE.mo":             mo("Project-Id-Version: x\nPO-Revision-Date: 2024-04-01 10:00:00+0000\n"),
	"www/wp-content/languages/plugins/folder-fr_FR.po":             "no .mo: not installed",
	"www/wp-content/languages/themes/parent-x-pt_BR.mo":            "",
	"www/wp-content/languages/themes/parent-de_DE_formal.l10n.php": "<?php\nreturn ['po-revision-date'=>'2024-05-01 10:00:00+0000','messages'=>[]];",
}

// mo is a compiled catalogue that has a header and nothing else.
func mo(header string) string {
	words := []uint32{0x950412de, 0, 1, 28, 36, 0, 0, 0, 44, uint32(len(header)), 45}
	out := []byte{}
	for _, w := range words {
		out = append(out, byte(w), byte(w>>8), byte(w>>16), byte(w>>24))
	}
	return string(append(append(out, 0), header...)) + "\x00"
}

func TestSurvey(t *testing.T) {
	m := server(t)
	t.Run("whole", func(t *testing.T) { wholeInventory(t, m) })
	t.Run("network", func(t *testing.T) { networkInventory(t, m) })
	t.Run("damaged", func(t *testing.T) { damagedInventory(t, m) })
	t.Run("like WordPress", func(t *testing.T) { likeWordPress(t, m) })
}

func wholeInventory(t *testing.T, m *demo.MariaDB) {
	p := newPlanted(t, m, "whole", wholeSite, "define('WP_CACHE', true);",
		options("wp_options", "active_plugins", serialized("hello.php", "folder/main.php", "outer/boot.php", "gone/gone.php"),
			"template", "parent", "stylesheet", "child", "db_version", "53496", "siteurl", "https://shop.example/blog/wp", "home", "https://shop.example/blog",
			"WPLANG", "de_DE", "_site_transient_theme_roots", `a:2:{s:5:"child";s:6:"/extra";s:5:"extra";s:6:"/extra";}`, "_site_transient_update_plugins", premiumTransient, "auto_update_plugins", serialized("hello.php"))+
			`INSERT INTO wp_posts (ID, post_date, post_type, post_status, post_password) VALUES (1,'2024-01-01','post','publish',''),(7,'2024-02-01','post','publish',''),
			(8,'2024-03-01','post','draft',''),(9,'2024-04-01','post','publish','secret'),(4,'2024-01-01','page','publish','');`+
			fmt.Sprintf(schemaSQL, "other_"))
	inv := p.inventory()
	want := strings.TrimSpace(`
core 6.1.9 active de_DE
drop-in:advanced-cache.php  active
drop-in:object-cache.php 6 active
language:de_DE 2024-03-01 10:00:00+0000 active de_DE
language:plugins/folder-de_DE 2024-04-01 10:00:00+0000 active de_DE
language:themes/parent-de_DE_formal 2024-05-01 10:00:00+0000 de_DE_formal
language:themes/parent-x-pt_BR  pt_BR
mu-plugin:.loader.php 5 active
plugin:folder/main.php 1.0 active vendor
plugin:folder/other.php 
plugin:hello.php 1.7.2 active
plugin:inner/inner.php 3 linked
plugin:outer/boot.php  active linked
theme:child 3 active of parent
theme:extra 4
theme:group/inner  of lost
theme:nameless 
theme:parent 1 active`)
	if got := summaries(inv); strings.TrimSpace(got) != want {
		t.Errorf("components\n%s\nwant\n%s", got, want)
	}
	if got, want := codes(inv.Findings), "file_missing plugin:gone/gone.php, foreign_updater plugin:hello.php, link plugin:inner/inner.php!, link plugin:outer/boot.php!, parent_missing theme:group/inner, shared_folder plugin:folder/main.php, version_control theme:child!"; got != want {
		t.Errorf("findings %s, want %s", got, want)
	}
	if inv.Schema != (upkeep.Schema{Files: "53496", Database: "53496"}) || inv.HomeURL != "https://shop.example/blog" || inv.PHP == "" || !strings.Contains(inv.Database, "MariaDB") {
		t.Errorf("schema %+v, home %s, php %s, database %s", inv.Schema, inv.HomeURL, inv.PHP, inv.Database)
	}
	var pages []string
	for _, page := range inv.Pages {
		pages = append(pages, page.Path)
	}
	if got := strings.Join(pages, " "); got != "/ /?p=7 /?page_id=4 /wp/wp-login.php /?rest_route=/ /?s=upkeep" {
		t.Errorf("pages %s", got)
	}
	if !slices.Equal(inv.Locales, []string{"de_DE", "de_DE_formal", "pt_BR"}) || !slices.Equal(p.layout.Database.Neighbours, []string{"other_"}) {
		t.Errorf("locales %v, neighbours %v", inv.Locales, p.layout.Database.Neighbours)
	}
	main := inv.Components[slices.IndexFunc(inv.Components, func(c upkeep.Component) bool { return c.ID == "folder/main.php" })]
	if v := main.Vendor; v.Version != "2.0" || v.Source != "vendor.example" || v.Package != "" || v.Checked.Unix() != 1785974400 || v.Slug != "premium" {
		t.Errorf("vendor %+v", v)
	}
	if main.RequiresCMS != "5.0" || main.RequiresPHP != "7.4" || !slices.Equal(main.RequiresComponents, []string{"hello-dolly"}) || main.Headers["Name"] != "Main" {
		t.Errorf("main %+v", main)
	}
	unchanged(t, p, inv)
}

// unchanged takes the inventory again from the cache and after a change.
func unchanged(t *testing.T, p *planted, before *upkeep.Inventory) {
	t.Helper()
	later := time.Now().Add(time.Minute)
	p.driver.Clock = func() time.Time { return later } // the files have settled
	for range 2 {
		if again := p.inventory(); summaries(again) != summaries(before) {
			t.Errorf("again:\n%s", summaries(again))
		}
	}
	if p.runs != 1 {
		t.Errorf("PHP ran %d times, want once", p.runs)
	}
	file := filepath.Join(p.dir, "www/wp-content/plugins/hello.php")
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	// Same size and modification time: only the change time tells.
	plant(t, p.dir, map[string]string{"www/wp-content/plugins/hello.php": "<?php\n/*\nPlugin Name: Hello\nVersion: 1.7.3\nPlugin URI: https://wordpress.org/plugins/hello-dolly/\n*/"})
	if err := os.Chtimes(file, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if again := summaries(p.inventory()); !strings.Contains(again, "plugin:hello.php 1.7.3") {
		t.Errorf("a changed file was not read again:\n%s", again)
	}
	plant(t, p.dir, map[string]string{"www/wp-content/plugins/folder/.git/HEAD": "ref", "www/wp-content/db.php": "<?php // Plugin Name: DB\n// Version: 2"})
	again := p.inventory()
	if got := codes(again.Findings); !strings.Contains(got, "version_control plugin:folder/main.php!") {
		t.Errorf("a repository that came is not seen: %s", got)
	}
	if got := summaries(again); !strings.Contains(got, "drop-in:db.php 2 active") {
		t.Errorf("a drop-in that came is not seen:\n%s", got)
	}
}

func networkInventory(t *testing.T, m *demo.MariaDB) {
	blog := strings.ReplaceAll(schemaSQL, "CREATE TABLE %[1]susers (ID BIGINT PRIMARY KEY);", "")
	p := newPlanted(t, m, "network", wholeSite, "define('MULTISITE', true); define('SITE_ID_CURRENT_SITE', 1);",
		fmt.Sprintf(blog, "wp_2_")+fmt.Sprintf(blog, "wp_3_")+`
		CREATE TABLE wp_blogs (blog_id BIGINT PRIMARY KEY, deleted TINYINT);
		INSERT INTO wp_blogs VALUES (1,0),(2,0),(3,1),(4,0);
		CREATE TABLE wp_sitemeta (site_id BIGINT, meta_key VARCHAR(255), meta_value LONGTEXT);
		INSERT INTO wp_sitemeta VALUES (1,'active_sitewide_plugins','a:1:{s:9:"hello.php";i:1700000000;}'),(2,'active_sitewide_plugins','a:1:{s:16:"folder/other.php";i:1;}'),
		(1,'core_updater.lock','`+strconv.FormatInt(time.Now().Unix(), 10)+`');`+
			options("wp_options", "active_plugins", serialized(), "template", "parent", "stylesheet", "parent", "db_version", "53496")+
			options("wp_2_options", "active_plugins", serialized("folder/main.php"), "template", "parent", "stylesheet", "child", "db_version", "53000")+
			options("wp_3_options", "active_plugins", serialized("folder/other.php"), "db_version", "1"))
	inv := p.inventory()
	got := summaries(inv)
	for _, want := range []string{"plugin:hello.php 1.7.2 active network\n", "plugin:folder/main.php 1.0 active\n", "plugin:folder/other.php \n", "theme:child 2 active of parent\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("want %q in\n%s", want, got)
		}
	}
	if inv.Schema != (upkeep.Schema{Files: "53496", Database: "53000", Pending: true}) || !inv.Multisite || len(p.layout.Database.Neighbours) != 0 {
		t.Errorf("schema %+v, multisite %v, neighbours %q", inv.Schema, inv.Multisite, p.layout.Database.Neighbours)
	}
	if !strings.Contains(codes(inv.Findings), "table_missing, update_in_progress!") {
		t.Errorf("findings %s", codes(inv.Findings))
	}
}

func damagedInventory(t *testing.T, m *demo.MariaDB) {
	p := newPlanted(t, m, "damaged", map[string]string{"www/wp-content/plugins/": ""}, "",
		options("wp_options", "active_plugins", `a:1:{i:0;s:99:"x";}`, "template", "../../etc", "stylesheet", "x", "db_version", "1"))
	inv := p.inventory()
	if got := codes(inv.Findings); got != "file_missing theme:../../etc, file_missing theme:x, option_damaged" {
		t.Errorf("findings %s", got)
	}
	for _, f := range inv.Findings {
		for _, path := range f.Paths {
			if !strings.HasPrefix(path, p.dir) {
				t.Errorf("path %s leads out", path)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(p.dir, "www/wp-includes/version.php"), []byte("<?php $wp_version = f();"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := p.driver.Inventory(t.Context(), p, p.layout); upkeep.CodeOf(err) != upkeep.CodeDamaged {
		t.Errorf("version not static: %v", err)
	}
	plant(t, p.dir, coreFiles("www"))
	p.sql("DROP TABLE wp_options")
	if _, err := p.driver.Inventory(t.Context(), p, p.layout); err == nil {
		t.Error("inventory without options")
	}
}

// askWordPress lists plugins by WordPress's own get_plugins.
const askWordPress = `<?php
define('ABSPATH', $argv[2].'/'); define('WPINC', 'wp-includes'); define('WP_CONTENT_DIR', $argv[1]); define('WP_PLUGIN_DIR', $argv[1].'/plugins');
define('WPMU_PLUGIN_DIR', $argv[1].'/mu-plugins'); define('KB_IN_BYTES', 1024);
function apply_filters($n, $v) { return $v; } function wp_cache_get() { return false; } function wp_cache_set() {} function __($t) { return $t; }
function _deprecated_argument() {} function plugin_basename($f) { return ltrim(preg_replace('#^'.preg_quote(WP_PLUGIN_DIR,'#').'/#', '', $f), '/'); }
function wp_normalize_path($p) { return $p; }
$tokens = PhpToken::tokenize(file_get_contents(ABSPATH.'wp-includes/functions.php'));
foreach ($tokens as $i => $token) {
	if (!$token->is(T_FUNCTION) || !in_array($tokens[$i + 2]->text ?? '', ['_cleanup_header_comment', 'get_file_data'], true)) continue;
	for ($code = '', $depth = 0; $depth > 0 || !str_ends_with($code, '}'); $i++) {
		$code .= $tokens[$i]->text;
		$depth += ['{' => 1, '}' => -1][$tokens[$i]->text] ?? 0;
	}
	eval($code);
}
require ABSPATH.'wp-admin/includes/plugin.php';
echo json_encode(['plugins' => get_plugins(), 'must' => get_mu_plugins()], JSON_INVALID_UTF8_SUBSTITUTE);
`

func likeWordPress(t *testing.T, m *demo.MariaDB) {
	set, err := packages.Open("../../../.cache/wordpress")
	if err != nil {
		t.Fatalf("%v (%s)", err, upkeep.HintOf(err))
	}
	p := newPlanted(t, m, "alike", merge(wholeSite, map[string]string{
		"www/wp-content/plugins/a/crlf.php":    "<?php\r\n/**\r\n * Plugin Name: CRLF\r\n * Version: 1.0-beta\r\n * Network: TRUE\r\n */",
		"www/wp-content/plugins/a/late.php":    "<?php /*" + strings.Repeat("x", 8170) + "\nPlugin Name: Cut here and there */",
		"www/wp-content/plugins/a/two.php":     "<?php /* Plugin Name: First */ ?>\n<?php /* Plugin Name: Second */",
		"www/wp-content/plugins/a/zero.php":    "<?php\n// Plugin Name:0",
		"www/wp-content/plugins/a/bom.php":     "\ufeff<?php // Plugin Name: Hidden by a mark",
		"www/wp-content/plugins/a/UPPER.PHP":   "<?php // Plugin Name: Other suffix",
		"www/wp-content/plugins/b.d/x.y.php":   "<?php # plugin name: Lower\n#version:2#x",
		"www/wp-content/plugins/dir.php/x.php": "<?php // Plugin Name: In a folder named so",
	}), "", options("wp_options", "active_plugins", serialized("hello.php")))
	ours := map[string]string{}
	inv := p.inventory()
	for i := range inv.Components {
		c := &inv.Components[i]
		// WordPress follows a link out of the site; we do not.
		if (c.Kind == upkeep.Plugin || c.Kind == upkeep.MustUse) && !strings.HasPrefix(c.ID, "outer/") {
			ours[c.ID] = c.Name + "|" + string(c.Version) + "|" + string(c.RequiresPHP) + "|" + strconv.FormatBool(strings.EqualFold(c.Headers["Network"], "true"))
		}
	}
	for i := range set.Cores {
		wants := askWordPressFor(t, set.Cores[i].Tree, filepath.Join(p.dir, "www/wp-content"))
		for id := range merge(ours, wants) {
			if ours[id] != wants[id] {
				t.Errorf("%s: ours %q, WordPress %s says %q", id, ours[id], set.Cores[i].Version, wants[id])
			}
		}
		if len(wants) < 8 {
			t.Errorf("WordPress finds only %v", wants)
		}
	}
}

// askWordPressFor returns the plugins that a release of WordPress finds.
func askWordPressFor(t *testing.T, core, content string) map[string]string {
	t.Helper()
	cmd := exec.Command("php", "/dev/stdin", content, core)
	cmd.Stdin = strings.NewReader(askWordPress)
	var printed strings.Builder
	cmd.Stderr = &printed
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("php: %v: %s%s", err, text, printed.String())
	}
	var theirs struct {
		Plugins map[string]map[string]any
		Must    map[string]map[string]any
	}
	if err := json.Unmarshal(text, &theirs); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	plugins := map[string]string{}
	for _, set := range []map[string]map[string]any{theirs.Plugins, theirs.Must} {
		for id, headers := range set {
			if !strings.HasPrefix(id, "outer/") {
				plugins[id] = fmt.Sprintf("%v|%v|%v|%v", headers["Name"], headers["Version"], headers["RequiresPHP"], headers["Network"])
			}
		}
	}
	return plugins
}
