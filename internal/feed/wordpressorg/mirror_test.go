package wordpressorg_test

import (
	"archive/zip"
	"cmp"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/demo/mirror"
	"upkeep/internal/feed"
	"upkeep/internal/feed/wordpressorg"
)

// compare orders plain dotted numbers, which is all these tests use.
func compare(a, b upkeep.Version) int {
	as, bs := strings.Split(string(a), "."), strings.Split(string(b), ".")
	return slices.CompareFunc(as, bs, func(x, y string) int {
		m, _ := strconv.Atoi(x)
		n, _ := strconv.Atoi(y)
		return cmp.Compare(m, n)
	})
}

// pack writes a zip of name → content.
func pack(t testing.TB, path string, files map[string]string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := zip.NewWriter(f)
	for name, content := range files {
		member, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = member.Write([]byte(content))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func packPlugin(t testing.TB, dir, slug, name, version, more string) {
	pack(t, filepath.Join(dir, slug+"."+version+".zip"), map[string]string{
		slug + "/" + slug + ".php": fmt.Sprintf("<?php\n/*\n * Plugin Name: %s\n * Version: %s\n * Author: The %s people\n%s */\n", name, version, name, more),
		slug + "/readme.txt":       "=== " + name + " ===",
	})
}

// world is a mirror with a little of everything, and a way to ask it.
type world struct {
	*mirror.Mirror
	url    string
	server *httptest.Server
	client *feed.Client
	now    time.Time
}

func newWorld(t testing.TB) *world {
	t.Helper()
	dir := t.TempDir()
	for version, locale := range map[string]string{"6.2.6": "", "6.2.9": "", "6.4.3": "", "6.2.8": "de_DE"} {
		php := "<?php\n$wp_version = '" + version + "';\n$wp_db_version = 57155;\n$required_php_version = '7.0.0';\n$required_mysql_version = '5.0';\n"
		if locale != "" {
			php += "$wp_local_package = '" + locale + "';\n"
		}
		pack(t, filepath.Join(dir, "wordpress-"+version+locale+".zip"), map[string]string{
			"wordpress/wp-includes/version.php": php, "wordpress/index.php": "<?php", "wordpress/wp-content/index.php": "<?php // Silence",
		})
	}
	packPlugin(t, dir, "akismet", "Akismet", "5.3", "")
	packPlugin(t, dir, "akismet", "Akismet", "5.10", " * Requires PHP: 7.2\n * Requires at least: 5.8\n")
	packPlugin(t, dir, "forms", "Forms", "2.0", " * Requires Plugins: akismet\n")
	pack(t, filepath.Join(dir, "hello-dolly.1.7.3.zip"), map[string]string{"hello-dolly/hello.php": "<?php\n/*\nPlugin Name: Hello Dolly\nVersion: 1.7.3\n*/"})
	pack(t, filepath.Join(dir, "ashes.1.2.zip"), map[string]string{"ashes/style.css": "/*\nTheme Name: Ashes\nVersion: 1.2\n*/", "ashes/index.php": "<?php"})
	for _, place := range []string{"plugin/akismet/5.10", "core/6.2.6"} {
		pack(t, filepath.Join(dir, place, "fr_FR.zip"), map[string]string{"x-fr_FR.po": "msgid \"\"\nmsgstr \"\"\n\"PO-Revision-Date: 2024-01-02 03:04:05+0000\\n\"\n"})
	}
	m, err := mirror.New(mirror.Options{Dir: dir, Compare: compare})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(m)
	t.Cleanup(server.Close)
	w := &world{Mirror: m, url: server.URL, server: server, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	w.client = feed.NewClient(feed.Options{Clock: func() time.Time { return w.now }, Backoff: time.Millisecond,
		Timeout: 5 * time.Second, Trusted: []string{strings.TrimPrefix(server.URL, "http://")}})
	return w
}

func (w *world) publisher(o wordpressorg.Options) *wordpressorg.Publisher {
	o.API, o.Downloads = w.url, w.url
	return wordpressorg.New(w.client, o)
}

func (w *world) tell(site wordpressorg.SiteAnswer) []string {
	lines := tell(site.Releases)
	for i := range lines {
		lines[i] = strings.ReplaceAll(lines[i], w.url, "")
	}
	return lines
}

func plainPlugin(id string, version upkeep.Version) upkeep.Component {
	slug, _, _ := strings.Cut(strings.TrimSuffix(id, ".php"), "/")
	name := strings.ToUpper(slug[:1]) + slug[1:]
	return upkeep.Component{Kind: upkeep.Plugin, ID: id, Slug: slug, Name: name, Version: version,
		Headers: map[string]string{"Plugin Name": name, "Author": "The " + name + " people"}}
}

func TestCheckAgainstMirror(t *testing.T) {
	w := newWorld(t)
	w.Close("gone", "Security Issue")
	w.Withhold("forms")
	hello := plainPlugin("hello.php", "1.7.2")
	hello.Headers["Plugin Name"] = "Hello Dolly"
	stranger := plainPlugin("forms/pro.php", "1.0")
	stranger.ID, stranger.Name = "forms/forms.php", "Gold Forms"
	stranger.Headers = map[string]string{"Plugin Name": "Gold Forms", "Author": "Vendor Ltd", "Plugin URI": "https://vendor.example"}
	foreign := plainPlugin("akismet/akismet.php", "1.0")
	foreign.UpdateURI = "https://vendor.example/akismet"
	asks := []wordpressorg.Ask{
		{Core: "6.2.6", PHP: "8.2.7", Database: "10.11.6-MariaDB-0+deb12u1", Locales: []string{"fr_FR"}, Components: []upkeep.Component{
			{Kind: upkeep.Core, ID: "core", Version: "6.2.6"}, plainPlugin("akismet/akismet.php", "5.3"), plainPlugin("forms/forms.php", "1.0"), hello,
			plainPlugin("gone/gone.php", "1.0"), plainPlugin("own/own.php", "1.0"), installedTheme("ashes", "1.0"),
			{Kind: upkeep.MustUse, ID: "loader.php", Version: "1"}}},
		{Core: "6.2.6", Locale: "de_DE", PHP: "8.2.7", Components: []upkeep.Component{foreign, stranger}},
	}
	answer, err := w.publisher(wordpressorg.Options{}).Check(t.Context(), asks)
	if err != nil || len(answer.Problems) > 0 {
		t.Fatal(err, answer.Problems)
	}
	first, second := answer.Sites[0], answer.Sites[1]
	want := []string{
		"core wordpress 6.4.3 en_US /release/wordpress-6.4.3.zip security /7.0.0/5.0",
		"core wordpress 6.2.9 en_US /release/wordpress-6.2.9.zip security /7.0.0/5.0",
		"language default 2024-01-02 03:04:05 fr_FR /translation/core/6.2.6/fr_FR.zip",
		"plugin akismet 5.10 /plugin/akismet.5.10.zip 5.8/7.2/",
		"language akismet 2024-01-02 03:04:05 fr_FR /translation/plugin/akismet/5.10/fr_FR.zip",
		"plugin forms 2.0",
		"plugin hello-dolly 1.7.3 /plugin/hello-dolly.1.7.3.zip",
		"theme ashes 1.2 /theme/ashes.1.2.zip",
	}
	if got := w.tell(first); !slices.Equal(got, want) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	if !slices.Equal(first.Unknown, []string{"plugin:gone/gone.php", "plugin:own/own.php"}) ||
		len(first.Closed) != 1 || first.Closed[0].Slug != "gone" || first.Closed[0].Reason != "Security Issue" || first.Closed[0].Since.Year() != 2024 {
		t.Errorf("unknown %v closed %v", first.Unknown, first.Closed)
	}
	if first.Confidence["plugin:akismet/akismet.php"] != wordpressorg.Likely || first.Confidence["core"] != wordpressorg.Certain {
		t.Errorf("confidence %v", first.Confidence)
	}
	want = []string{ // the German build of its branch comes with the newest ones of the rest of the world
		"core wordpress 6.2.8 de_DE /release/de_DE/wordpress-6.2.8.zip security /7.0.0/5.0",
		"core wordpress 6.4.3 en_US /release/wordpress-6.4.3.zip security /7.0.0/5.0",
	}
	if got := w.tell(second); !slices.Equal(got, want) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	if len(second.Findings) != 1 || second.Findings[0].Code != "same_slug_stranger" || second.Findings[0].Component != "plugin:forms/forms.php" {
		t.Errorf("findings %v", second.Findings)
	}
	required := first.Releases[5].RequiresComponents
	if !slices.Equal(required, []string{"akismet"}) {
		t.Errorf("forms requires %v", required)
	}
}

func TestFleetAsksOnce(t *testing.T) {
	w := newWorld(t)
	var asks []wordpressorg.Ask
	for i := range 500 {
		asks = append(asks, wordpressorg.Ask{Core: "6.2.6", PHP: "8.2.7", Locales: []string{"fr_FR"}, Components: []upkeep.Component{
			plainPlugin("akismet/akismet.php", upkeep.Version([]string{"5.3", "5.2"}[i%2])), plainPlugin("forms/forms.php", "1.0"), installedTheme("ashes", "1.0")}})
	}
	p := w.publisher(wordpressorg.Options{MaxAge: time.Hour})
	check := func(wantRequests map[string]int) {
		t.Helper()
		before := w.Requests()
		answer, err := p.Check(t.Context(), asks)
		if err != nil || len(answer.Sites) != len(asks) || len(answer.Problems) > 0 {
			t.Fatal(err)
		}
		for i, site := range answer.Sites {
			if len(site.Releases) < 6 || site.Stale {
				t.Fatalf("site %d: %v stale %v", i, site.Releases, site.Stale)
			}
		}
		for path, n := range w.Requests() {
			if n-before[path] != wantRequests[path] {
				t.Errorf("%s was asked %d times, want %d", path, n-before[path], wantRequests[path])
			}
		}
	}
	// Two versions of one plugin do not fit one request.
	check(map[string]int{"/core/version-check/1.7/": 1, "/plugins/update-check/1.1/": 2, "/themes/update-check/1.1/": 1, "/plugins/info/1.2/": 2})
	check(nil)
	w.now = w.now.Add(2 * time.Hour)
	check(map[string]int{"/core/version-check/1.7/": 1, "/plugins/update-check/1.1/": 2, "/themes/update-check/1.1/": 1})
	asks[3].Components = append(asks[3].Components, plainPlugin("hello.php", "1.0"))
	check(map[string]int{"/plugins/update-check/1.1/": 1, "/plugins/info/1.2/": 1})
}

func TestCheckDuringOutage(t *testing.T) {
	w := newWorld(t)
	p := w.publisher(wordpressorg.Options{MaxAge: time.Hour})
	ask := wordpressorg.Ask{Core: "6.2.6", Components: []upkeep.Component{plainPlugin("akismet/akismet.php", "5.3")}}
	if _, err := p.Check(t.Context(), []wordpressorg.Ask{ask}); err != nil {
		t.Fatal(err)
	}
	asked := w.now
	w.now = w.now.Add(30 * time.Hour)
	faults := map[string]mirror.Fault{
		"overloaded": {Path: "/", Status: http.StatusServiceUnavailable},
		"error page": {Path: "/", Body: "<html>Be right back</html>"},
		"not php":    {Path: "/", Body: `{"surprise":true}`},
		"cut":        {Path: "/", Cut: 10},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			w.Heal()
			w.Break(fault)
			more := ask
			more.Components = append(slices.Clone(ask.Components), plainPlugin("forms/forms.php", "1.0"))
			answer, err := p.Check(t.Context(), []wordpressorg.Ask{more})
			if err != nil {
				t.Fatal(err)
			}
			site := answer.Sites[0]
			if !site.Stale || !site.Checked.Equal(asked) || !slices.Equal(site.Missing, []string{"plugin:forms/forms.php"}) || len(answer.Problems) == 0 {
				t.Errorf("stale %v checked %v missing %v problems %v", site.Stale, site.Checked, site.Missing, answer.Problems)
			}
			if len(site.Releases) == 0 || site.Releases[len(site.Releases)-1].Version != "5.10" {
				t.Errorf("releases %v", site.Releases)
			}
		})
	}
	w.server.Close()
	if _, err := newWorldPublisher(w).Check(t.Context(), []wordpressorg.Ask{ask}); upkeep.CodeOf(err) != upkeep.CodeUnreachable {
		t.Errorf("nothing known at all: %v", err)
	}
}

// newWorldPublisher asks the same mirror with an empty memory.
func newWorldPublisher(w *world) *wordpressorg.Publisher {
	client := feed.NewClient(feed.Options{Backoff: time.Millisecond, Trusted: []string{strings.TrimPrefix(w.url, "http://")}})
	return wordpressorg.New(client, wordpressorg.Options{API: w.url, Downloads: w.url})
}

func TestOriginalsAgainstMirror(t *testing.T) {
	w := newWorld(t)
	store, err := feed.NewPackages(t.TempDir(), w.client, 0)
	if err != nil {
		t.Fatal(err)
	}
	foreign := plainPlugin("forms/forms.php", "2.0")
	foreign.UpdateURI = "false"
	hello := plainPlugin("hello.php", "1.7.3")
	components := []upkeep.Component{{Kind: upkeep.Core, ID: "core", Version: "6.2.6"}, plainPlugin("akismet/akismet.php", "5.3"), plainPlugin("own/own.php", "1"),
		foreign, hello, installedTheme("ashes", "1.2"), installedTheme("lost", "1.0")}
	originals, problems := w.publisher(wordpressorg.Options{Packages: store}).Originals(t.Context(), components)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	want := map[string][]string{
		"core": {"index.php", "wp-includes/version.php"}, "plugin:akismet/akismet.php": {"akismet.php", "readme.txt"},
		"plugin:hello.php": {"hello.php"}, "theme:ashes": {"index.php", "style.css"},
	}
	for ref, files := range want {
		for _, file := range files {
			if len(originals[ref].Files[file]) == 0 {
				t.Errorf("%s: no hash of %s", ref, file)
			}
		}
		if len(originals[ref].Files) != len(files) {
			t.Errorf("%s: %v", ref, originals[ref].Files)
		}
	}
	if len(originals) != len(want) {
		t.Errorf("originals of %d components, want %d", len(originals), len(want))
	}
	w.Break(mirror.Fault{Path: "/plugin-checksums/", Status: http.StatusBadGateway})
	if _, problems := newWorldPublisher(w).Originals(t.Context(), components); len(problems) != 3 {
		t.Errorf("problems %v", problems)
	}
}

func TestPackagesFromMirror(t *testing.T) {
	w := newWorld(t)
	release := upkeep.Release{Kind: upkeep.Plugin, Slug: "akismet", Version: "5.10", Package: w.url + "/plugin/akismet.5.10.zip"}
	faults := map[string]struct {
		fault mirror.Fault
		want  upkeep.Code
	}{
		"cut once":  {mirror.Fault{Path: "/plugin/", Cut: 100, Times: 1}, ""},
		"late":      {mirror.Fault{Path: "/plugin/", Delay: 50 * time.Millisecond}, ""},
		"login":     {mirror.Fault{Path: "/plugin/", Body: "<html>Log in"}, upkeep.CodeRefused},
		"forbidden": {mirror.Fault{Path: "/plugin/", Status: http.StatusForbidden}, upkeep.CodeHeld},
		"cut":       {mirror.Fault{Path: "/plugin/", Cut: -1}, upkeep.CodeUnreachable},
	}
	for name, test := range faults {
		t.Run(name, func(t *testing.T) {
			w.Heal()
			w.Break(test.fault)
			store, err := feed.NewPackages(t.TempDir(), w.client, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := store.Fetch(t.Context(), release, nil); upkeep.CodeOf(err) != test.want {
				t.Errorf("%v", err)
			}
		})
	}
}
