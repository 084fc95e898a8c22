package upkeeptest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"upkeep"
	"upkeep/internal/demo"
	"upkeep/internal/demo/portal"
	"upkeep/internal/upkeeptest"
)

// joomlas are a miniature of our own, and the generations of Joomla that there
// are trees of: an old release with its installer and a newer one of the same
// major version, unpacked.
func joomlas(t *testing.T) []subject {
	t.Helper()
	small := t.TempDir() + "/"
	if err := errors.Join(portal.Miniature(small+"5.0.0", "5.0.0"), portal.Miniature(small+"5.0.1", "5.0.1")); err != nil {
		t.Fatal(err)
	}
	miniature := joomlaSubject("miniature of joomla", joomlaTrees{from: small + "5.0.0", to: small + "5.0.1"})
	miniature.small = true
	all := []subject{miniature}
	for _, name := range []string{"joomla", "joomla3", "joomla on postgresql"} {
		kind, engine, _ := strings.Cut(name, " on ")
		variable := "UPKEEP_TEST_" + strings.ToUpper(kind)
		from, to := os.Getenv(variable+"_OLD"), os.Getenv(variable+"_NEW")
		if from == "" || to == "" {
			t.Run(name, func(t *testing.T) {
				t.Skipf("set %s_OLD and %[1]s_NEW to the folders of unpacked releases", variable)
			})
			continue
		}
		if engine != "" && !phpKnows("pdo_pgsql") {
			t.Run(name, func(t *testing.T) { t.Skip("PHP is without pdo_pgsql") })
			continue
		}
		all = append(all, joomlaSubject(name, joomlaTrees{from: from, to: to, postgreSQL: engine != ""}))
	}
	return all
}

// joomlaTrees is what Joomlas are made of.
type joomlaTrees struct {
	from, to   string
	postgreSQL bool
}

func (j joomlaTrees) site(t *testing.T) *demo.Site { return upkeeptest.Joomla(t, j.from, j.postgreSQL) }

// phpKnows reports whether the PHP of this machine has an extension.
func phpKnows(extension string) bool {
	out, err := exec.Command("php", "-r", "exit(extension_loaded('"+extension+"') ? 0 : 1);").CombinedOutput()
	return err == nil && len(out) == 0
}

func joomlaSubject(name string, j joomlaTrees) subject {
	s := subject{
		name: name, site: j.site, adopt: j.adopt, agrees: joomlaAgrees,
		extensions: "plugins/system", code: "tripwire.php",
		writes: []attempt{
			{"/index.php?option=com_users&task=user.login", "username=a&password=b"}, {"/administrator/index.php", "username=admin&passwd=x&option=com_login&task=login"},
			{"/api/index.php/v1/content/articles", "{}"}, {"/index.php?option=com_content&task=article.save", "x=1"},
			{"/index.php?option=com_ajax&format=json&plugin=x", "x=1"}, {"/index.php?option=com_config", "x=1"}, {"/api/index.php/v1/users", ""},
			{"/administrator/components/com_joomlaupdate/extract.php", "password=x&task=startExtract"}, {"/administrator/components/com_joomlaupdate/restore.php", "task=ping"},
			{"/administrator/index.php?option=com_installer", ""},
		},
		page: "/", mark: "joomla-script-options",
		original: "libraries/src/Factory.php", brought: "media/upkeep-brought.txt", dropped: "media/upkeep-dropped.txt", script: "cli/joomla.php",
		modified: func(t *testing.T, site *demo.Site) *upkeeptest.Program {
			return upkeeptest.AdoptJoomla(t, site, func(m *portal.Mirror) error {
				m.AddOriginal(site.Version, joomlaPack(t, j.from, nil))
				return m.AddCore(j.newer(t))
			})
		},
	}
	if portal.Legacy(j.from) {
		s.script = "cli/update_cron.php"
	}
	return s
}

// joomlaPacks are releases packed once in a process.
var joomlaPacks sync.Map

func joomlaPack(t *testing.T, tree string, change map[string]string) string {
	t.Helper()
	name := filepath.Base(tree) + strconv.Itoa(len(change))
	once, _ := joomlaPacks.LoadOrStore(name, sync.OnceValues(func() (string, error) {
		dir, err := os.MkdirTemp(upkeeptest.World(t).Dir, "portal-")
		if err != nil {
			return "", err
		}
		file := filepath.Join(dir, "Joomla_"+name+".zip")
		return file, portal.Core(file, tree, change)
	}))
	file, err := once.(func() (string, error))()
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// newer is the newer release, which brings a file and whose script takes
// one away, for any Joomla.
func (j joomlaTrees) newer(t *testing.T) (version, file, platform string) {
	t.Helper()
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(j.to, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	match := regexp.MustCompile(`<version>([^<]*)</version>`).FindStringSubmatch(read("administrator/manifests/files/joomla.xml"))
	if match == nil {
		t.Fatal("the newer release has no version")
	}
	const script = "administrator/components/com_admin/script.php"
	drops := regexp.MustCompile(`\$files = (\[|array\()`).ReplaceAllString(read(script), "$0 '/media/upkeep-dropped.txt',")
	return match[1], joomlaPack(t, j.to, map[string]string{"media/upkeep-brought.txt": "brought\n", script: drops}), ".*"
}

func (j joomlaTrees) adopt(t *testing.T, site *demo.Site, good bool) *upkeeptest.Program {
	t.Helper()
	return upkeeptest.AdoptJoomla(t, site, func(m *portal.Mirror) error {
		if !good {
			m.Add(portal.Release{Element: portal.Tally, Version: "1.1"}.With(portal.Wipes))
			return nil
		}
		m.Add(portal.Release{Element: portal.Tally, Version: "1.1"})
		m.Add(portal.Release{Element: portal.Ribbon, Version: "1.1"})
		plant(t, site, "media/upkeep-dropped.txt", "x")
		return m.AddCore(j.newer(t))
	})
}

const askJoomla = `
define('_JEXEC', 1); define('JPATH_BASE', $argv[1]);
require JPATH_BASE . '/includes/defines.php'; require JPATH_BASE . '/includes/framework.php';
$db = Joomla\CMS\Factory::getDbo();
$c = ['core' => JVERSION . ' on'];
$kinds = ['template' => 'theme'];
foreach ($db->setQuery("SELECT * FROM #__extensions WHERE state <> -1")->loadObjectList() as $e) {
	if ($e->type === 'file' && $e->element === 'joomla') continue;
	$base = [0 => '', 1 => 'administrator/', 3 => 'api/'][$e->client_id];
	$id = $e->type === 'plugin' ? "$e->folder/$e->element" : (in_array($e->type, ['module', 'template', 'language']) ? $base . $e->element : $e->element);
	$c[($kinds[$e->type] ?? $e->type) . ':' . $id] = (json_decode($e->manifest_cache)->version ?? '') . ($e->enabled ? ' on' : ' off');
}
echo json_encode($c);
`

// joomlaAgrees fails the test unless the inventory says of a site what Joomla
// says of itself.
func joomlaAgrees(t *testing.T, p *upkeeptest.Program, site *demo.Site) {
	t.Helper()
	uid, gid := site.World().Account()
	out := command(t, "setpriv", fmt.Sprintf("--reuid=%d", uid), fmt.Sprintf("--regid=%d", gid), "--clear-groups", "php", "-r", askJoomla, site.Root)
	want := map[string]string{}
	if err := json.Unmarshal([]byte(out), &want); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	got := map[string]string{}
	inventory := upkeeptest.JSON[upkeep.Inventory](t, p, "site", "inventory", "shop")
	for i := range inventory.Components {
		c := &inventory.Components[i]
		got[c.Ref()] = string(c.Version) + map[bool]string{true: " on", false: " off"}[c.Active]
	}
	if !maps.Equal(got, want) {
		t.Errorf("inventory\n%s\nJoomla says\n%s", lines(got), lines(want))
	}
	for i := range inventory.Findings {
		switch f := &inventory.Findings[i]; f.Code {
		case "version_differs", "manifest_missing", "not_registered":
			// A release that was packed with a translation brings files of that
			// one past its installer.
			if !strings.HasPrefix(f.Component, "package:pkg_") || f.Component == "package:pkg_"+portal.Ribbon {
				t.Errorf("finding %+v", f)
			}
		}
	}
}
