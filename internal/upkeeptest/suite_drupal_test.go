package upkeeptest_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"upkeep"
	"upkeep/internal/demo"
	"upkeep/internal/demo/project"
	"upkeep/internal/upkeeptest"
)

// drupals are a miniature of our own, and the generations of Drupal that there
// are trees of: an old release and a newer one, unpacked.
func drupals(t *testing.T) []subject {
	t.Helper()
	all := []subject{miniatureDrupal(t)}
	for _, name := range []string{"drupal7", "drupal8", "drupal8 on postgresql", "drupal8 on sqlite"} {
		kind, engine, _ := strings.Cut(name, " on ")
		variable := map[string]string{"drupal7": "UPKEEP_TEST_DRUPAL7", "drupal8": "UPKEEP_TEST_DRUPAL"}[kind]
		from, to := os.Getenv(variable+"_OLD"), os.Getenv(variable+"_NEW")
		if from == "" || to == "" {
			t.Run(name, func(t *testing.T) {
				t.Skipf("set %s_OLD and %[1]s_NEW to the folders of unpacked releases", variable)
			})
			continue
		}
		if engine == "postgresql" && !phpKnows("pdo_pgsql") {
			t.Run(name, func(t *testing.T) { t.Skip("PHP is without pdo_pgsql") })
			continue
		}
		s := drupalSubject(name, drupalTrees{strings.TrimPrefix(kind, "drupal"), from, to, engine})
		s.small = engine == "sqlite"
		all = append(all, s)
	}
	return all
}

func miniatureDrupal(t *testing.T) subject {
	t.Helper()
	small := t.TempDir() + "/"
	if err := errors.Join(project.Miniature(small+"7.1", "7.1"), project.Miniature(small+"7.2", "7.2")); err != nil {
		t.Fatal(err)
	}
	s := drupalSubject("miniature of drupal", drupalTrees{generation: "7", from: small + "7.1", to: small + "7.2"})
	s.small = true
	return s
}

// drupalTrees is what drupals are made of.
type drupalTrees struct {
	generation, from, to string
	engine               string // of the database; "" is MariaDB
}

func (d drupalTrees) version(n string) upkeep.Version {
	if d.generation == "7" {
		return upkeep.Version("7.x-1." + n)
	}
	return upkeep.Version("1." + n + ".0")
}

func (d drupalTrees) module(name, n string, broken bool) project.Release {
	return project.Release{Generation: d.generation, Module: name, Version: d.version(n), Broken: broken}
}

func (d drupalTrees) site(t *testing.T) *demo.Site {
	return upkeeptest.Drupal(t, project.Spec{
		Tree: d.from, Generation: d.generation, Engine: d.engine, Modules: []project.Release{d.module(project.Tally, "0", false), d.module(project.Ribbon, "0", false)},
	})
}

// coreVersion reads the version of a tree.
func (d drupalTrees) coreVersion(t *testing.T, tree string) upkeep.Version {
	t.Helper()
	name, before := "core/lib/Drupal.php", "const VERSION = '"
	if d.generation == "7" {
		name, before = "includes/bootstrap.inc", "define('VERSION', '"
	}
	text, err := os.ReadFile(filepath.Join(tree, name))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), before)
	version, _, _ := strings.Cut(rest, "'")
	return upkeep.Version(version)
}

// packages of trees, made once.
var drupalPackages sync.Map

func (d drupalTrees) pack(t *testing.T, tree string, change map[string]string) string {
	t.Helper()
	once, _ := drupalPackages.LoadOrStore(tree+fmt.Sprint(change), sync.OnceValues(func() (string, error) {
		dir, err := os.MkdirTemp(upkeeptest.World(t).Dir, "drupal-")
		if err != nil {
			return "", err
		}
		file := filepath.Join(dir, "drupal.tar.gz")
		return file, project.Core(file, tree, d.coreVersion(t, tree), change)
	}))
	file, err := once.(func() (string, error))()
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func (d drupalTrees) adopt(t *testing.T, site *demo.Site, good bool) *upkeeptest.Program {
	t.Helper()
	return d.offer(t, site, good, d.module(project.Tally, "1", !good))
}

// offer adopts a site for which there are modules besides those that it has,
// and the newer release of core.
func (d drupalTrees) offer(t *testing.T, site *demo.Site, core bool, modules ...project.Release) *upkeeptest.Program {
	t.Helper()
	return upkeeptest.AdoptDrupal(t, site, func(m *project.Mirror) {
		m.AddCore(d.coreVersion(t, d.from), d.pack(t, d.from, nil))
		if core {
			m.AddCore(d.coreVersion(t, d.to), d.pack(t, d.to, d.change()))
		}
		for _, module := range append([]project.Release{d.module(project.Ribbon, "0", false), d.module(project.Tally, "0", false)}, modules...) {
			if err := m.Add(module); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// change is what makes the newer release bring a file and take one away.
func (d drupalTrees) change() map[string]string {
	if d.generation == "7" {
		return map[string]string{"includes/brought.inc": "<?php // brought\n", "misc/watchdog-ok.png": ""}
	}
	return map[string]string{"core/brought.php": "<?php // brought\n", "core/misc/active-link.js": ""}
}

func drupalSubject(name string, d drupalTrees) subject {
	s := subject{
		name: name, site: d.site, adopt: d.adopt, agrees: d.agrees,
		extensions: project.ModuleDir(d.generation), code: "tripwire.module",
		modified: func(t *testing.T, site *demo.Site) *upkeeptest.Program { return d.adopt(t, site, true) },
	}
	if d.generation == "7" {
		s.writes = []attempt{
			{"/?q=user/login", "name=a&pass=b&form_id=user_login&op=Log+in"}, {"/xmlrpc.php", "<?xml version='1.0'?><methodCall/>"}, {"/cron.php?cron_key=x", ""},
			{"/update.php", "op=x"}, {"/install.php", "x=1"}, {"/authorize.php", ""}, {"/index.php?q=node/1", ""}, {"/?q=node", ""}, {"/?q=rss.xml", ""},
		}
		s.page, s.mark, s.original = "/?q=node/1", "A page of the owner.", "includes/common.inc"
		s.brought, s.dropped, s.script = "includes/brought.inc", "misc/watchdog-ok.png", "scripts/run-tests.sh"
		return s
	}
	s.writes = []attempt{
		{"/user/login", "name=a&pass=b&form_id=user_login_form&op=Log+in"}, {"/update.php/selection", ""}, {"/core/install.php", "x=1"}, {"/core/rebuild.php", ""},
		{"/core/authorize.php", ""}, {"/core/modules/statistics/statistics.php", "nid=1"}, {"/cron/x", ""}, {"/index.php", ""}, {"/node", ""}, {"/rss.xml", ""},
	}
	s.page, s.mark, s.original = "/node/1", "Welcome", "core/includes/common.inc"
	s.brought, s.dropped, s.script = "core/brought.php", "core/misc/active-link.js", "core/scripts/drupal"
	return s
}

const askDrupal7 = `
error_reporting(0);
define('DRUPAL_ROOT', $argv[1]); chdir(DRUPAL_ROOT); $_SERVER['REMOTE_ADDR'] = '127.0.0.1'; $_SERVER['SERVER_SOFTWARE'] = NULL; $_SERVER['HTTP_HOST'] = 'localhost';
require 'includes/bootstrap.inc';
drupal_bootstrap(DRUPAL_BOOTSTRAP_FULL);
$c = array('core' => VERSION);
foreach (system_rebuild_module_data() as $name => $module) {
	$c[$name] = (isset($module->info['version']) ? $module->info['version'] : '') . ($module->status ? ' on' : ' off');
}
foreach (system_rebuild_theme_data() as $name => $theme) {
	$c[$name] = (isset($theme->info['version']) ? $theme->info['version'] : '') . ($theme->status ? ' on' : ' off');
}
echo json_encode($c);
`

const askDrupal8 = `
error_reporting(0); chdir($argv[1]);
$loader = require 'autoload.php';
$request = Symfony\Component\HttpFoundation\Request::create('http://localhost/');
$kernel = Drupal\Core\DrupalKernel::createFromRequest($request, $loader, 'prod', false);
$kernel->boot(); $kernel->preHandle($request);
$c = array('core' => Drupal::VERSION);
foreach (array('extension.list.module', 'extension.list.theme', 'extension.list.profile') as $list) {
	foreach (Drupal::service($list)->reset()->getList() as $name => $extension) {
		// The profile is in two lists, and on in that of modules.
		if (!isset($c[$name])) {
			$c[$name] = (isset($extension->info['version']) ? $extension->info['version'] : '') . ($extension->status ? ' on' : ' off');
		}
	}
}
echo json_encode($c);
`

// agrees fails the test unless the inventory says of a site what Drupal says
// of itself.
func (d drupalTrees) agrees(t *testing.T, p *upkeeptest.Program, site *demo.Site) {
	t.Helper()
	uid, gid := site.World().Account()
	ask := map[string]string{"7": askDrupal7, "8": askDrupal8}[d.generation]
	out := command(t, "setpriv", fmt.Sprintf("--reuid=%d", uid), fmt.Sprintf("--regid=%d", gid), "--clear-groups", "php", "-r", ask, site.Root)
	says := map[string]string{}
	if err := json.Unmarshal([]byte(out), &says); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	got, want := map[string]string{}, map[string]string{}
	inventory := upkeeptest.JSON[upkeep.Inventory](t, p, "site", "inventory", "shop")
	var enabled, enabledWant []string
	for i := range inventory.Components {
		c := &inventory.Components[i]
		enabled = append(enabled, strings.Fields(c.Headers["enabled"])...)
		got[c.ID] = string(c.Version)
		want[c.ID], _, _ = strings.Cut(says[c.ID], " ")
	}
	for name, said := range says {
		if strings.HasSuffix(said, " on") {
			enabledWant = append(enabledWant, name)
		}
	}
	if !maps.Equal(got, want) || len(got) < 3 {
		t.Errorf("inventory\n%s\nDrupal says\n%s", lines(got), lines(want))
	}
	slices.SortFunc(enabled, cmp.Compare[string])
	slices.SortFunc(enabledWant, cmp.Compare[string])
	if !slices.Equal(enabled, enabledWant) {
		t.Errorf("enabled\n%s\nDrupal says\n%s", enabled, enabledWant)
	}
}
