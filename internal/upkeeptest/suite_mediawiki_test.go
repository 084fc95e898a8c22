package upkeeptest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/demo"
	"upkeep/internal/demo/wikimedia"
	"upkeep/internal/upkeeptest"
)

// When the commits of the extension on the suite's wikis, and of what is
// offered, were made.
var (
	tallyOld = time.Date(2024, 1, 1, 10, 0, 0, 0, time.UTC)
	tallyNew = time.Date(2024, 2, 2, 10, 0, 0, 0, time.UTC)
)

// mediawikis are MediaWiki on SQLite, and on PostgreSQL where PHP knows it.
func mediawikis(t *testing.T) []subject {
	t.Helper()
	all := []subject{mediawikiSubject("mediawiki", wikimedia.Spec{})}
	if phpKnows("pgsql") {
		return append(all, mediawikiSubject("mediawiki on postgresql", wikimedia.Spec{PostgreSQL: true}))
	}
	t.Run("mediawiki on postgresql", func(t *testing.T) { t.Skip("PHP is without pgsql") })
	return all
}

func mediawikiSubject(name string, spec wikimedia.Spec) subject {
	return subject{
		name: name, small: spec.PostgreSQL && testing.Short(),
		site: func(t *testing.T) *demo.Site {
			spec := spec
			spec.Extensions = []wikimedia.Snapshot{wikimedia.Extension(debianBranch(t), tallyOld)}
			return upkeeptest.MediaWiki(t, spec)
		},
		adopt:      adoptMediaWikiOffers,
		agrees:     mediawikiAgrees,
		extensions: "extensions", code: "tripwire.php",
		writes: []attempt{
			{"/index.php?title=Main_Page&action=submit", "wpTextbox1=x&wpSave=1"}, {"/index.php?title=Special:Upload", "wpUpload=1"},
			{"/index.php?title=Special:UserLogin", "wpName=a&wpPassword=b"}, {"/index.php?title=Special:RunJobs", "tasks=jobs"},
			{"/api.php", "action=edit&title=x&text=y&format=json"}, {"/api.php", "action=upload&format=json"}, {"/rest.php", "{}"}, {"/rest.php/v1/page/Main_Page", ""},
			{"/load.php?lang=en&modules=startup&only=scripts", ""}, {"/thumb.php?f=x.png&w=10", ""}, {"/img_auth.php/x.png", ""}, {"/opensearch_desc.php", ""},
			{"/thumb_handler.php", ""}, {"/mw-config/index.php", "x=1"}, {"/LocalSettings.php", ""}, {"/maintenance/update.php", ""},
		},
		page: "/index.php?title=Main_Page", mark: "MediaWiki has been installed",
		original: "includes/Title.php", brought: "includes/Brought.php", dropped: "includes/DevelopmentSettings.php", script: "maintenance/runJobs.php",
		modified: func(t *testing.T, site *demo.Site) *upkeeptest.Program {
			p := adoptMediaWikiOffers(t, site, true)
			p.Wikimedia.AddCore(upkeep.Version(site.Version), mediawikiCore(t, site.Version, nil))
			return p
		},
	}
}

// debianBranch is the branch of the MediaWiki that the suite's wikis are.
func debianBranch(t *testing.T) string {
	t.Helper()
	tree, err := upkeeptest.World(t).MediaWiki()
	if err != nil {
		t.Fatal(err)
	}
	version := wikimedia.VersionOf(tree)
	return version[:strings.LastIndex(version, ".")]
}

// adoptMediaWikiOffers offers a release of MediaWiki that brings a file and
// takes one away, and an extension with a new table, which is broken when not
// good.
func adoptMediaWikiOffers(t *testing.T, site *demo.Site, good bool) *upkeeptest.Program {
	t.Helper()
	extension := wikimedia.Extension(debianBranch(t), tallyNew)
	if !good {
		return upkeeptest.AdoptMediaWiki(t, site, nil, extension.With(wikimedia.Wipes))
	}
	p := upkeeptest.AdoptMediaWiki(t, site, nil, extension)
	next := nextVersion(t, site.Version)
	p.Wikimedia.AddCore(upkeep.Version(next), mediawikiCore(t, next, map[string]string{"includes/Brought.php": "<?php // brought\n", "includes/DevelopmentSettings.php": ""}))
	return p
}

// nextVersion is the release after one, of its branch.
func nextVersion(t *testing.T, version string) string {
	t.Helper()
	at := strings.LastIndex(version, ".") + 1
	patch, err := strconv.Atoi(version[at:])
	if err != nil {
		t.Fatal(err)
	}
	return version[:at] + strconv.Itoa(patch+1)
}

// mediawikiCore packs the wikis' MediaWiki as another version.
func mediawikiCore(t *testing.T, version string, change map[string]string) string {
	t.Helper()
	tree, err := upkeeptest.World(t).MediaWiki()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "mediawiki-"+version+".tar.gz")
	if err := wikimedia.Core(file, tree, upkeep.Version(version), change); err != nil {
		t.Fatal(err)
	}
	return file
}

const askMediaWiki = `
$argv = $_SERVER['argv'] = ['ask']; $argc = $_SERVER['argc'] = 1;
require_once getcwd() . '/maintenance/Maintenance.php';
class Ask extends Maintenance {
	public function execute() {
		$c = ['core' => MW_VERSION . ' on'];
		$on = ExtensionRegistry::getInstance()->getAllThings();
		foreach (['plugin' => 'extensions/*/extension.json', 'theme' => 'skins/*/skin.json'] as $kind => $pattern) {
			foreach (glob(MW_INSTALL_PATH . '/' . $pattern) as $file) {
				$info = json_decode(file_get_contents($file), true);
				$known = isset($on[$info['name']]) ? $on[$info['name']] : $info;
				$version = isset($known['version']) ? $known['version'] : '';
				$c[$kind . ':' . basename(dirname($file))] = $version . (isset($on[$info['name']]) ? ' on' : ' off');
			}
		}
		echo json_encode($c);
	}
}
$maintClass = 'Ask';
require RUN_MAINTENANCE_IF_MAIN;
`

// mediawikiAgrees fails the test unless the inventory says of a wiki what
// MediaWiki says of itself.
func mediawikiAgrees(t *testing.T, p *upkeeptest.Program, site *demo.Site) {
	t.Helper()
	uid, gid := site.World().Account()
	out := command(t, "setpriv", fmt.Sprintf("--reuid=%d", uid), fmt.Sprintf("--regid=%d", gid), "--clear-groups",
		"sh", "-c", `cd "$1" && exec php -r "$2"`, "sh", site.Root, askMediaWiki)
	want := map[string]string{}
	if err := json.Unmarshal([]byte(out), &want); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	got := map[string]string{}
	inventory := upkeeptest.JSON[upkeep.Inventory](t, p, "site", "inventory", "shop")
	for i := range inventory.Components {
		c := &inventory.Components[i]
		version := string(c.Version)
		if c.Kind != upkeep.Core {
			version = c.Headers["says"] // of the commit MediaWiki knows nothing
		}
		got[c.Ref()] = version + map[bool]string{true: " on", false: " off"}[c.Active]
	}
	if !maps.Equal(got, want) {
		t.Errorf("inventory\n%s\nMediaWiki says\n%s", lines(got), lines(want))
	}
}
