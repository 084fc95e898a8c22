package wordpress_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/agent/database"
	"upkeep/internal/agent/place"
	"upkeep/internal/cms"
	"upkeep/internal/cms/wordpress"
	"upkeep/internal/demo"
)

// lender lends a site as the agent does: only folders it was made for, its
// database and PHP.
type lender struct {
	places *place.Places
	db     *database.DB // nil does not answer
	runs   int          // of PHP
}

func (h *lender) Open(dir string) (*os.Root, error) { return h.places.Open(dir) }

func (h *lender) Query(ctx context.Context, _ *cms.Database, query string, args ...any) ([][][]byte, error) {
	if h.db == nil {
		return nil, upkeep.Errorf(upkeep.CodeUnreachable, "no database")
	}
	return h.db.Query(ctx, query, args...)
}

func (h *lender) PHP(ctx context.Context, script cms.Script, input, output any) error {
	h.runs++
	question, err := json.Marshal(input)
	if err != nil {
		return err
	}
	inR, inW, err := os.Pipe()
	if err != nil {
		return err
	}
	defer inR.Close()
	outR, outW, err := os.Pipe()
	if err != nil {
		return err
	}
	defer outR.Close()
	cmd := exec.CommandContext(ctx, "php", "-d", "display_errors=stderr")
	cmd.Dir, cmd.Stdin, cmd.ExtraFiles = script.Dir, strings.NewReader(script.Source), []*os.File{inR, outW}
	var printed bytes.Buffer
	cmd.Stderr = &printed
	if _, err := inW.Write(question); err != nil {
		return err
	}
	inW.Close()
	err = cmd.Run()
	outW.Close()
	answer, _ := io.ReadAll(outR) // nothing read is no JSON either
	if json.Unmarshal(answer, output) != nil {
		return upkeep.Errorf(upkeep.CodeRefused, "php: %v: %s", err, printed.String())
	}
	return nil
}

// plant writes files below dir; a name that ends with "/" is a folder, a
// content that begins with "-> " a link.
func plant(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		file := filepath.Join(dir, name)
		folder := filepath.Dir(file)
		if strings.HasSuffix(name, "/") {
			folder = file
		}
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, ok := strings.CutPrefix(content, "-> "); ok {
			err = os.Symlink(target, file)
		} else if folder != file {
			err = os.WriteFile(file, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

const staticConfig = `<?php
define('DB_NAME', 'site'); define('DB_USER', 'u'); define('DB_PASSWORD', 'p'); define('DB_HOST', 'localhost:/run/x.sock');
$table_prefix = 'wp_';
`

const endOfConfig = "require_once ABSPATH . 'wp-settings.php';\n"

// coreFiles is as much of a WordPress as reading one takes.
func coreFiles(below string) map[string]string {
	files := map[string]string{
		"wp-load.php":             "<?php",
		"wp-settings.php":         "<?php define( 'WPINC', 'wp-includes' ); require ABSPATH . WPINC . '/version.php'; define('DB_NAME', 'core ran');",
		"wp-includes/version.php": "<?php\n$wp_version = '6.1.9';\n$wp_db_version = 53496;\n$required_php_version = '5.6.20';\n$wp_local_package = 'de_DE';\n",
	}
	out := map[string]string{}
	for name, content := range files {
		out[filepath.Join(below, name)] = content
	}
	return out
}

// tree is a folder with links resolved, so that paths can be compared.
func tree(t testing.TB) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// detect looks at root below dir, where the host lends root and its parent.
func detect(t *testing.T, dir, root string) (*cms.Layout, error) {
	t.Helper()
	root = filepath.Join(dir, root)
	h := &lender{places: place.New(root, filepath.Dir(root))}
	return wordpress.New().Detect(t.Context(), h, root)
}

func codes(findings []upkeep.Finding) string {
	var out []string
	for _, f := range findings {
		code := f.Code
		if f.Component != "" {
			code += " " + f.Component
		}
		if f.Blocks {
			code += "!"
		}
		out = append(out, code)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// areas writes a layout's areas, relative to dir.
func areas(l *cms.Layout, dir string) string {
	var out []string
	for _, area := range l.Areas {
		rel, _ := filepath.Rel(dir, area.Dir)
		text := area.Name + "=" + rel
		if area.Only != nil {
			text += "(" + strings.Join(area.Only, " ") + ")"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

func TestDetect(t *testing.T) {
	for name, c := range map[string]struct {
		core     string // folder of the core
		files    map[string]string
		root     string
		areas    string
		dirs     map[string]string
		options  map[string]string
		findings string
	}{
		"plain": {
			core: "www", root: "www", files: map[string]string{"www/wp-config.php": staticConfig + endOfConfig},
			areas: "site=www", dirs: map[string]string{"core": "www", "plugins": "www/wp-content/plugins", "languages": "www/wp-content/languages", "uploads": "www/wp-content/uploads"},
		},
		"configuration above": {
			core: "www", root: "www", files: map[string]string{"wp-config.php": staticConfig},
			areas: "site=www, config=.(wp-config.php)",
		},
		"in a subfolder": {
			core: "www/blog", root: "www", files: map[string]string{
				"www/index.php": "<?php require __DIR__ . '/blog/wp-blog-header.php';", "www/wp-config.php": staticConfig,
			},
			areas: "site=www", dirs: map[string]string{"core": "www/blog", "content": "www/blog/wp-content"},
		},
		"alone in a subfolder": {
			core: "www/blog", root: "www", files: map[string]string{"www/blog/wp-config.php": staticConfig, "www/other/wp-load.php": ""},
			areas: "site=www", dirs: map[string]string{"core": "www/blog"},
		},
		"composer project": {
			core: "web/wp", root: ".", files: bedrock,
			areas: "site=.", dirs: map[string]string{"core": "web/wp", "content": "web/app", "plugins": "web/app/plugins"},
			options: map[string]string{"composer": "1", "dynamic": "1"}, findings: "composer",
		},
		"composer web root": {
			core: "web/wp", root: "web", files: bedrock,
			areas: "site=web, config=.(.env composer.json config vendor)", dirs: map[string]string{"core": "web/wp", "content": "web/app"},
			findings: "composer",
		},
		"relocated": {
			core: "www", root: "www", files: map[string]string{
				"www/wp-config.php": staticConfig + `define('WP_CONTENT_DIR', dirname(__DIR__) . '/content'); define('WPMU_PLUGIN_DIR', WP_CONTENT_DIR . '/must');
					define('WP_PLUGIN_DIR', dirname(__DIR__) . '/plugins'); define('UPLOADS', 'media');`,
				"content/": "", "plugins/": "", "content/must/": "", "content/languages/": "",
			},
			areas: "site=www, content=content, plugins=plugins",
			dirs:  map[string]string{"content": "content", "plugins": "plugins", "mu-plugins": "content/must", "uploads": "www/media"},
		},
		"linked out": {
			core: "www", root: "www", files: map[string]string{
				"www/wp-config.php": staticConfig, "www/wp-content": "-> ../shared/content", "shared/content/uploads/2024": "-> ../../../disk/2024",
				"disk/2024/a.jpg": "", "www/media": "-> ../disk/media", "disk/media/": "", "www/gone": "-> nowhere",
			},
			areas: "site=www, content=shared/content, link-media=disk/media, link-content-uploads-2024=disk/2024", dirs: map[string]string{"uploads": "shared/content/uploads"},
			findings: "link_broken",
		},
		"uploads on another disk": {
			core: "www", root: "www", files: map[string]string{
				"www/wp-config.php": staticConfig, "www/wp-content/uploads/2024": "-> ../../../disk/2024", "disk/2024/a.jpg": "",
			},
			areas: "site=www, link-wp-content-uploads-2024=disk/2024",
		},
		"linked root": {
			core: "releases/7", root: "current", files: map[string]string{"releases/7/wp-config.php": staticConfig, "current": "-> releases/7"},
			areas: "site=releases/7",
		},
		"folders of the host": {
			core: "www", root: "www", files: map[string]string{"www/wp-config.php": staticConfig + `define('WP_CONTENT_DIR', '/etc'); define('WP_PLUGIN_DIR', dirname(__DIR__));`},
			areas: "site=www", findings: "area_refused!, area_refused!",
		},
		"multisite": {
			core: "www", root: "www", files: map[string]string{"www/wp-config.php": staticConfig + `define('MULTISITE', true); define('SITE_ID_CURRENT_SITE', 3); define('SUNRISE', 'on');`},
			areas: "site=www", options: map[string]string{"multisite": "1", "network": "3", "sunrise": "1"},
		},
		"restricted": {
			core: "www", root: "www", files: map[string]string{
				"www/wp-config.php": staticConfig + `define('DISALLOW_FILE_MODS', true); define('AUTOMATIC_UPDATER_DISABLED', true);`, "www/.git/": "", ".svn/": "",
			},
			areas: "site=www", options: map[string]string{"no_mods": "1", "no_updater": "1"},
			findings: "file_mods_disallowed, updater_disabled, version_control!",
		},
		"deployed from far above": {
			core: "a/b/www", root: "a/b/www", files: map[string]string{"a/b/www/wp-config.php": staticConfig, "a/.hg/": ""},
			areas: "site=a/b/www", findings: "version_control!",
		},
		"automatic core": {
			core: "www", root: "www", files: map[string]string{"www/wp-config.php": staticConfig + `define('WP_AUTO_UPDATE_CORE', 'minor');`},
			areas: "site=www", options: map[string]string{"core_auto": "minor"}, findings: "foreign_updater core",
		},
		"in maintenance for ever": {
			core: "www", root: "www", files: map[string]string{"www/wp-config.php": staticConfig, "www/.maintenance": "<?php $upgrading = time(); ?>"},
			areas: "site=www", findings: "update_in_progress!",
		},
		"in maintenance": {
			core: "www", root: "www", files: map[string]string{"www/wp-config.php": staticConfig, "www/.maintenance": "<?php $upgrading = 1700000000; ?>"},
			areas: "site=www", findings: "maintenance_orphaned",
		},
		"dynamic": {
			core: "www", root: "www", files: map[string]string{
				"www/wp-config.php": "<?php foreach (['DB_NAME'=>'site','DB_USER'=>'u','DB_PASSWORD'=>\"p\\xff\",'DB_HOST'=>'db:3307'] as $k => $v) define($k, $v);\n$table_prefix = getenv('NOTHING') ?: 'dyn_';\nif (!empty($_SERVER['HTTP_X'])) exit;\n" + endOfConfig,
			},
			areas: "site=www", options: map[string]string{"dynamic": "1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := tree(t)
			plant(t, dir, coreFiles(c.core))
			plant(t, dir, c.files)
			l, err := detect(t, dir, c.root)
			if err != nil {
				t.Fatalf("%v (%s)", err, upkeep.HintOf(err))
			}
			if got := areas(l, dir); got != c.areas {
				t.Errorf("areas %s, want %s", got, c.areas)
			}
			for key, want := range c.dirs {
				if l.Dirs[key] != filepath.Join(dir, want) {
					t.Errorf("%s is %s, want %s", key, l.Dirs[key], want)
				}
			}
			for key, want := range c.options {
				if l.Options[key] != want {
					t.Errorf("option %s is %q, want %q", key, l.Options[key], want)
				}
			}
			l.Findings = slices.DeleteFunc(l.Findings, func(f upkeep.Finding) bool { return f.Code == "database_unreachable" })
			if got := codes(l.Findings); got != c.findings {
				t.Errorf("findings %s, want %s", got, c.findings)
			}
			if name == "dynamic" && (l.Database.Prefix != "dyn_" || l.Database.Password != "p\xff" || l.Database.Host != "db" || l.Database.Port != 3307) {
				t.Errorf("database %+v", l.Database)
			}
			again, err := detect(t, "", l.Root)
			if err != nil || areas(again, dir) != c.areas {
				t.Errorf("detected again at %s: %v", l.Root, err)
			}
		})
	}
}

// bedrock has the shape of a Composer project: everything is dynamic.
var bedrock = map[string]string{
	".env": "DB_NAME=site\n", "composer.json": "{}", "web/app/": "",
	"vendor/autoload.php": "<?php function env($name) { return ['DB_NAME' => 'site', 'DB_USER' => 'u', 'DB_PASSWORD' => 'p', 'DB_HOST' => ''][$name]; }",
	"config/application.php": `<?php foreach (['DB_NAME', 'DB_USER', 'DB_PASSWORD', 'DB_HOST'] as $name) define($name, env($name));
		$table_prefix = 'wp_'; define('WP_CONTENT_DIR', dirname(__DIR__) . '/web/app');
		if (!defined('ABSPATH')) define('ABSPATH', dirname(__DIR__) . '/web/wp/');`,
	"web/wp-config.php": `<?php require_once dirname(__DIR__) . '/vendor/autoload.php'; require_once dirname(__DIR__) . '/config/application.php';
		require_once ABSPATH . 'wp-settings.php';`,
	"web/index.php": "<?php require __DIR__ . '/wp/wp-blog-header.php';",
}

func TestDetectRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		root  string
		code  upkeep.Code
		hint  string
	}{
		"nothing":       {map[string]string{"www/index.html": ""}, "www", upkeep.CodeNotFound, ""},
		"no folder":     {nil, "www", upkeep.CodeNotFound, ""},
		"half":          {map[string]string{"www/wp-load.php": "", "www/wp-includes/version.php": ""}, "www", upkeep.CodeInvalid, "Restore"},
		"not installed": {coreFiles("www"), "www", upkeep.CodeInvalid, "Finish"},
		"someone else's configuration": {merge(coreFiles("www/blog"), coreFiles("www"), map[string]string{"www/wp-config.php": staticConfig}),
			"www/blog", upkeep.CodeInvalid, "Finish"},
		"inside a project": {merge(coreFiles("web/wp"), bedrock), "web/wp", upkeep.CodeInvalid, "project's folder"},
		"two":              {merge(coreFiles("www/a"), coreFiles("www/b")), "www", upkeep.CodeInvalid, "one of them"},
		"no prefix":        {merge(coreFiles("www"), map[string]string{"www/wp-config.php": `<?php define('DB_NAME','a');`}), "www", upkeep.CodeInvalid, "Finish"},
		"prefix with a quote": {merge(coreFiles("www"), map[string]string{"www/wp-config.php": "<?php define('DB_NAME','a'); $table_prefix = 'a`b';"}),
			"www", upkeep.CodeInvalid, "Finish"},
	} {
		dir := tree(t)
		plant(t, dir, c.files)
		l, err := detect(t, dir, c.root)
		if upkeep.CodeOf(err) != c.code || !strings.Contains(upkeep.HintOf(err), c.hint) {
			t.Errorf("%s: %v, %v, hint %q", name, l, err, upkeep.HintOf(err))
		}
	}
}

func merge(all ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, files := range all {
		for name, content := range files {
			out[name] = content
		}
	}
	return out
}

func TestEvaluatingRunsNoCore(t *testing.T) {
	dir := tree(t)
	plant(t, dir, merge(coreFiles("www"), map[string]string{
		"www/wp-config.php": "<?php define('DB_NAME', getenv('X') ?: 'site'); define('DB_USER',''); define('DB_PASSWORD',''); define('DB_HOST','');\n" +
			"$table_prefix='wp_'; require __DIR__ . '/wp-settings.php';",
		"www/wp-includes/version.php": "<?php $wp_version = '6.1'; file_put_contents(__DIR__ . '/ran', '');",
	}))
	l, err := detect(t, dir, "www")
	if err != nil || l.Database.Name != "site" {
		t.Fatalf("%+v, %v", l, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "www/wp-includes/ran")); err == nil {
		t.Error("core ran")
	}
}

// server is a MariaDB for the test and what is below it.
func server(t testing.TB) *demo.MariaDB {
	t.Helper()
	dir, err := os.MkdirTemp("", "upkeep-survey-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	m, err := demo.StartMariaDB(ctx, filepath.Join(dir, "db"), demo.MariaDBOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Remove(context.Background()); err != nil {
			t.Error(err)
		}
		_ = os.RemoveAll(dir)
	})
	return m
}
