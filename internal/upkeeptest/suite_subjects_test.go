package upkeeptest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"upkeep"
	"upkeep/internal/demo"
	"upkeep/internal/demo/fixtures"
	"upkeep/internal/demo/wiki"
	"upkeep/internal/upkeeptest"
)

func wordpressSubject() subject {
	return subject{
		name: "wordpress", brief: true,
		site: func(t *testing.T) *demo.Site { return upkeeptest.WordPress(t, upkeeptest.Small()) },
		adopt: func(t *testing.T, site *demo.Site, good bool) *upkeeptest.Program {
			return upkeeptest.Adopt(t, site, fixtures.Plugin(fixtures.Diary, "1.1"))
		},
		agrees:     agrees,
		extensions: "wp-content/plugins", code: "tripwire.php",
		writes: []attempt{
			{"/wp-comments-post.php", "comment=x&author=x&email=x@example.org&comment_post_ID=1"},
			{"/wp-admin/admin-ajax.php", "action=heartbeat"}, {"/xmlrpc.php", "<?xml version='1.0'?><methodCall/>"},
			{"/?rest_route=/wp/v2/posts", "title=x"}, {"/wp-login.php", "log=a&pwd=b"}, {"/wp-admin/upgrade.php?step=1", ""},
			{"/wp-admin/install.php?step=2", "weblog_title=x"}, {"/wp-trackback.php?p=1", "url=x"},
		},
		page: "/contact/", mark: "Contact",
	}
}

// Versions of the plugins on the suite's wikis, and of what is offered.
const (
	wikiOld = "2024-01-01"
	wikiNew = "2024-02-02"
)

func dokuwikiSubject() subject {
	return subject{
		name: "dokuwiki",
		site: func(t *testing.T) *demo.Site {
			return upkeeptest.DokuWiki(t, demo.WikiSpec{
				Extensions: upkeeptest.WikiBasics(wikiOld), Disabled: []string{"testing"}, Template: wiki.PlainPaper,
				Preload: "<?php // the owner's own\ndefine('OWNERS_OWN', 1);\n",
			})
		},
		adopt:      adoptWikiOffers,
		agrees:     wikiAgrees,
		extensions: "lib/plugins", code: "action.php",
		writes: []attempt{
			{"/doku.php?id=start&do=save", "wikitext=x&summary=x"}, {"/lib/exe/ajax.php", "call=tally_add&text=x"}, {"/lib/exe/ajax.php", "call=lock&id=start"},
			{"/lib/exe/xmlrpc.php", "<?xml version='1.0'?><methodCall><methodName>dokuwiki.getVersion</methodName></methodCall>"},
			{"/lib/exe/jsonrpc.php", "{}"}, {"/lib/exe/taskrunner.php?id=start", ""}, {"/lib/exe/indexer.php?id=start", ""},
			{"/lib/exe/mediamanager.php?do=media", "x=1"}, {"/lib/exe/fetch.php?media=wiki:dokuwiki-128.png", ""}, {"/lib/exe/css.php", ""},
			{"/lib/exe/js.php", ""}, {"/lib/exe/detail.php?media=x.png", ""}, {"/feed.php", ""}, {"/install.php", "x=1"}, {"/index.php", ""},
			{"/doku.php?do=login", "u=a&p=b"}, {"/lib/exe/opensearch.php", ""}, {"/lib/exe/manifest.php", ""}, {"/lib/exe/jquery.php", ""},
		},
		page: "/doku.php?id=start", mark: "Welcome to",
		original: "inc/actions.php", brought: "inc/brought.php", dropped: "lib/index.html", script: "bin/indexer.php",
		modified: func(t *testing.T, site *demo.Site) *upkeeptest.Program {
			p := adoptWikiOffers(t, site, true)
			p.Wiki.AddCore(upkeep.Version(site.Version), wikiCore(t, site.Version, nil))
			return p
		},
	}
}

// wikiHotfix is a release of the branch that the suite's wikis are of.
const wikiHotfix = "2022-07-31c"

// adoptWikiOffers offers a hotfix of DokuWiki that brings a file and takes one
// away, and plugins, one of which is broken when not good.
func adoptWikiOffers(t *testing.T, site *demo.Site, good bool) *upkeeptest.Program {
	t.Helper()
	if !good {
		return upkeeptest.AdoptWiki(t, site, nil, wiki.Plugin(wiki.Tally, wikiNew).With(wiki.Wipes))
	}
	p := upkeeptest.AdoptWiki(t, site, nil, upkeeptest.WikiBasics(wikiNew)...)
	obsolete, err := os.ReadFile(filepath.Join(site.Root, "data/deleted.files"))
	if err != nil {
		t.Fatal(err)
	}
	p.Wiki.AddCore(wikiHotfix, wikiCore(t, wikiHotfix, map[string]string{
		"inc/brought.php": "<?php // brought\n", "lib/index.html": "", "data/deleted.files": string(obsolete) + "\n# removed now\nlib/index.html\n",
	}))
	return p
}

// wikiCore packs the wikis' DokuWiki as another version.
func wikiCore(t *testing.T, version string, change map[string]string) string {
	t.Helper()
	tree, err := upkeeptest.World(t).DokuWiki()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "dokuwiki-"+version+".tgz")
	if err := wiki.Core(file, tree, upkeep.Version(version), change); err != nil {
		t.Fatal(err)
	}
	return file
}

const askWiki = `
define('NOSESSION', true);
$_SERVER['HTTP_HOST'] = 'localhost'; $_SERVER['SCRIPT_NAME'] = '/doku.php'; $_SERVER['REMOTE_ADDR'] = '127.0.0.1';
require $argv[1] . '/inc/init.php';
$version = explode(' ', getVersionData()['date']);
$c = ['core' => $version[0] . ' on'];
$on = plugin_list();
foreach (plugin_list('', true) as $id) {
	$info = confToHash(DOKU_PLUGIN . $id . '/plugin.info.txt');
	$c["plugin:$id"] = (isset($info['date']) ? $info['date'] : '') . (in_array($id, $on) ? ' on' : ' off');
}
foreach (glob(DOKU_INC . 'lib/tpl/*', GLOB_ONLYDIR) as $dir) {
	$info = confToHash($dir . '/template.info.txt');
	$c['theme:' . basename($dir)] = (isset($info['date']) ? $info['date'] : '') . (basename($dir) === $conf['template'] ? ' on' : ' off');
}
echo json_encode($c);
`

// wikiAgrees fails the test unless the inventory says of a wiki what DokuWiki
// says of itself.
func wikiAgrees(t *testing.T, p *upkeeptest.Program, site *demo.Site) {
	t.Helper()
	uid, gid := site.World().Account()
	out := command(t, "setpriv", fmt.Sprintf("--reuid=%d", uid), fmt.Sprintf("--regid=%d", gid), "--clear-groups", "php", "-r", askWiki, site.Root)
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
		t.Errorf("inventory\n%s\nDokuWiki says\n%s", lines(got), lines(want))
	}
}

func lines(m map[string]string) string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		all = append(all, key+" "+m[key])
	}
	return strings.Join(all, "\n")
}
