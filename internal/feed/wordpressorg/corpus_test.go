package wordpressorg_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/feed"
	"upkeep/internal/feed/wordpressorg"
)

// corpus returns the folder of recorded answers, or skips.
func corpus(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("UPKEEP_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "corpus")
	}
	dir = filepath.Join(dir, "wordpress")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no corpus in %s: set UPKEEP_CORPUS", dir)
	}
	return dir
}

// replay serves bodies by path, and 404 for the rest.
func replay(t testing.TB, bodies map[string][]byte) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := bodies[r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"error":"Plugin not found."}`))
			return
		}
		_, _ = w.Write(body)
	}))
	t.Cleanup(server.Close)
	return server
}

func publisher(url string, o wordpressorg.Options) *wordpressorg.Publisher {
	client := feed.NewClient(feed.Options{Trusted: []string{strings.TrimPrefix(url, "http://")}, Backoff: time.Millisecond, Timeout: 5 * time.Second})
	o.API, o.Downloads = url, url
	return wordpressorg.New(client, o)
}

// tell writes releases as "kind id-or-slug version locale package".
func tell(releases []upkeep.Release) []string {
	var lines []string
	for _, r := range releases {
		words := []string{string(r.Kind), r.Slug, string(r.Version), r.Locale, strings.TrimPrefix(strings.TrimPrefix(r.Package, "https://"), "downloads.wordpress.org/")}
		if r.Security {
			words = append(words, "security")
		}
		if r.RequiresCMS+r.RequiresPHP+r.RequiresDatabase != "" {
			words = append(words, string(r.RequiresCMS)+"/"+string(r.RequiresPHP)+"/"+string(r.RequiresDatabase))
		}
		lines = append(lines, strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " "))
	}
	return lines
}

func installedPlugin(id, slug, name string, version upkeep.Version) upkeep.Component {
	return upkeep.Component{Kind: upkeep.Plugin, ID: id, Slug: slug, Version: version,
		Headers: map[string]string{"Plugin Name": name, "Plugin URI": "https://wordpress.org/plugins/" + slug + "/"}}
}

func installedTheme(slug string, version upkeep.Version) upkeep.Component {
	return upkeep.Component{Kind: upkeep.Theme, ID: slug, Slug: slug, Version: version}
}

func TestRecordedAnswers(t *testing.T) {
	akismet := installedPlugin("akismet/akismet.php", "akismet", "Akismet", "5.3.3")
	hello := installedPlugin("hello.php", "hello-dolly", "Hello Dolly", "1.7.2")
	buddypress := installedPlugin("buddypress/bp-loader.php", "buddypress", "BuddyPress", "14.3.1")
	tests := []struct {
		file    string
		ask     wordpressorg.Ask
		want    []string
		unknown []string
	}{
		{"api-recorded/core-version-check.1.7.latest.6.7.1-en_CA.json", wordpressorg.Ask{Core: "6.7.1", Locale: "en_CA"},
			[]string{"core wordpress 6.7.1 en_CA release/en_CA/wordpress-6.7.1.zip security /7.2.24/5.5.5"}, nil},
		{"api-recorded/core-version-check.1.7.upgrade.6.7-en_CA.json", wordpressorg.Ask{Core: "6.7", Locale: "en_CA"},
			[]string{"core wordpress 6.7.1 en_CA release/en_CA/wordpress-6.7.1.zip security /7.2.24/5.5.5"}, nil},
		{"api-recorded/core-version-check.1.7.upgrade.6.7-en_CA.json", wordpressorg.Ask{Core: "6.7"},
			[]string{"core wordpress 6.7.1 en_US release/wordpress-6.7.1-no-content.zip security /7.2.24/5.5.5"}, nil},
		{"api-recorded/core-version-check.1.7.development.6.8-alpha.json", wordpressorg.Ask{Core: "6.8-alpha"},
			[]string{"core wordpress 6.7.1 en_US release/wordpress-6.7.1-no-content.zip security /7.2.24/5.5.5"}, nil},
		{"constructed/core-version-check.1.7.from-6.8.3.json", wordpressorg.Ask{Core: "6.8.3"}, []string{
			"core wordpress 7.1 en_US release/wordpress-7.1-no-content.zip /7.4/5.5.5",
			"core wordpress 7.0.4 en_US release/wordpress-7.0.4-no-content.zip security /7.4/5.5.5",
			"core wordpress 6.9.7 en_US release/wordpress-6.9.7-no-content.zip security /7.2.24/5.5.5",
			"core wordpress 6.8.8 en_US release/wordpress-6.8.8-no-content.zip security /7.2.24/5.5.5",
		}, nil},
		{"constructed/core-version-check.1.7.from-7.1.json", wordpressorg.Ask{Core: "7.1"},
			[]string{"core wordpress 7.1 en_US release/wordpress-7.1-no-content.zip /7.4/5.5.5"}, nil},
		{"api-recorded/plugins-update-check.1.1.mixed.json",
			wordpressorg.Ask{Locales: []string{"fr_CA"}, Components: []upkeep.Component{akismet, hello}}, []string{
				"plugin akismet 5.3.5 plugin/akismet.5.3.5.zip 5.8/5.6.20/",
				"language akismet 2020-03-22 04:52:48 fr_CA translation/plugin/akismet/5.3.3/fr_CA.zip",
				"plugin hello-dolly 1.7.2 plugin/hello-dolly.1.7.3.zip 4.6//",
				"language hello-dolly 2018-08-13 16:24:31 fr_CA translation/plugin/hello-dolly/1.7.2/fr_CA.zip",
			}, nil},
		{"api-recorded/plugins-update-check.1.1.no-update.json",
			wordpressorg.Ask{Locales: []string{"fr_CA"}, Components: []upkeep.Component{buddypress}}, []string{
				"plugin buddypress 14.3.3 plugin/buddypress.14.3.3.zip 6.1//",
				"language buddypress 2024-05-10 06:22:11 en_CA translation/plugin/buddypress/14.3.3/en_CA.zip",
				"language buddypress 2020-11-22 00:31:40 fr_CA translation/plugin/buddypress/14.3.3/fr_CA.zip",
			}, nil},
		{"api-recorded/plugins-update-check.1.1.update.json",
			wordpressorg.Ask{Components: []upkeep.Component{buddypress, akismet}}, []string{
				"plugin buddypress 14.3.3 plugin/buddypress.14.3.3.zip 6.1/5.6/",
				"language buddypress 2024-05-10 06:22:11 en_CA translation/plugin/buddypress/14.3.1/en_CA.zip",
				"language buddypress 2020-11-22 00:31:40 fr_CA translation/plugin/buddypress/14.3.1/fr_CA.zip",
			}, []string{"plugin:akismet/akismet.php"}},
		{"api-recorded/themes-update-check.1.1.mixed.json",
			wordpressorg.Ask{Components: []upkeep.Component{installedTheme("twentytwentyfour", "1.2"), installedTheme("twentyten", "4.3"), installedTheme("own", "1")}}, []string{
				"theme twentytwentyfour 1.3 theme/twentytwentyfour.1.3.zip 6.4/7.0/",
				"theme twentyten 4.3 theme/twentyten.4.3.zip 3.0/5.2.4/",
				"language twentyten 2020-03-26 16:49:30 fr_CA translation/theme/twentyten/4.3/fr_CA.zip",
			}, []string{"theme:own"}},
		{"api-recorded/themes-update-check.1.1.no-update.json",
			wordpressorg.Ask{Components: []upkeep.Component{installedTheme("hello-elementor", "3.2.1")}}, []string{
				"theme hello-elementor 3.2.1 theme/hello-elementor.3.2.1.zip 6.0/7.4/",
				"language hello-elementor 2023-10-26 09:42:33 en_CA translation/theme/hello-elementor/3.2.1/en_CA.zip",
				"language hello-elementor 2023-11-05 13:58:29 fr_CA translation/theme/hello-elementor/3.2.1/fr_CA.zip",
			}, nil},
		{"api-recorded/themes-update-check.1.1.update.json",
			wordpressorg.Ask{Components: []upkeep.Component{installedTheme("hello-elementor", "3.2.0")}}, []string{
				"theme hello-elementor 3.2.1 theme/hello-elementor.3.2.1.zip 6.0/7.4/",
				"language hello-elementor 2023-10-26 09:42:33 en_CA translation/theme/hello-elementor/3.2.0/en_CA.zip",
				"language hello-elementor 2023-11-05 13:58:29 fr_CA translation/theme/hello-elementor/3.2.0/fr_CA.zip",
			}, nil},
		{"constructed/plugins-update-check.1.1.empty.json", wordpressorg.Ask{Components: []upkeep.Component{akismet}}, nil, []string{"plugin:akismet/akismet.php"}},
		{"constructed/themes-update-check.1.1.empty.json", wordpressorg.Ask{Components: []upkeep.Component{installedTheme("own", "1")}}, nil, []string{"theme:own"}},
	}
	dir := corpus(t)
	seen := make(map[string]bool)
	for _, test := range tests {
		seen[test.file] = true
		t.Run(filepath.Base(test.file)+" "+test.ask.Locale, func(t *testing.T) {
			body, err := os.ReadFile(filepath.Join(dir, test.file))
			if err != nil {
				t.Fatal(err)
			}
			server := replay(t, map[string][]byte{
				"/core/version-check/1.7/": body, "/plugins/update-check/1.1/": body, "/themes/update-check/1.1/": body})
			answer, err := publisher(server.URL, wordpressorg.Options{}).Check(t.Context(), []wordpressorg.Ask{test.ask})
			if err != nil {
				t.Fatal(err)
			}
			site := answer.Sites[0]
			if got := tell(site.Releases); !slices.Equal(got, test.want) {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(test.want, "\n  "))
			}
			if !slices.Equal(site.Unknown, test.unknown) || site.Stale || len(answer.Problems) > 0 {
				t.Errorf("unknown %v, stale %v, problems %v", site.Unknown, site.Stale, answer.Problems)
			}
		})
	}
	for _, pattern := range []string{"api-recorded/*check*.json", "constructed/*check.*.json"} {
		files, _ := filepath.Glob(filepath.Join(dir, pattern))
		for _, file := range files {
			name, _ := filepath.Rel(dir, file)
			if !seen[name] {
				t.Errorf("no expectation for recorded answer %s", name)
			}
		}
	}
}

func TestRecordedChecksums(t *testing.T) {
	dir := corpus(t)
	read := func(name string) []byte {
		body, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	ask := func(bodies map[string][]byte, c upkeep.Component) map[string]upkeep.Original {
		originals, problems := publisher(replay(t, bodies).URL, wordpressorg.Options{}).Originals(context.Background(), []upkeep.Component{c})
		if len(problems) > 0 {
			t.Errorf("%s: %v", c.Ref(), problems)
		}
		return originals
	}
	files, err := filepath.Glob(filepath.Join(dir, "core-checksums.*.en_US.json"))
	if err != nil || len(files) == 0 {
		t.Fatal("no core checksums in the corpus")
	}
	core := upkeep.Component{Kind: upkeep.Core, ID: "core", Version: "7.1"}
	for _, file := range files {
		got := ask(map[string][]byte{"/core/checksums/1.0/": read(filepath.Base(file))}, core)["core"]
		if len(got.Files) < 1500 || len(got.Files["wp-includes/version.php"]) != 1 || got.Files["wp-content/index.php"] != nil {
			t.Errorf("%s: %d files, version.php %v", filepath.Base(file), len(got.Files), got.Files["wp-includes/version.php"])
		}
	}
	if got := ask(map[string][]byte{"/core/checksums/1.0/": read("constructed/core-checksums.unknown-version.json")}, core); len(got) != 0 {
		t.Errorf("unknown version: %v", got)
	}
	akismet := upkeep.Component{Kind: upkeep.Plugin, ID: "akismet/akismet.php", Slug: "akismet", Version: "5.7.2"}
	got := ask(map[string][]byte{"/plugin-checksums/akismet/5.7.2.json": read("plugin-checksums.akismet.5.7.2.json")}, akismet)[akismet.Ref()]
	if len(got.Files) < 20 || len(got.Files["akismet.php"]) < 2 || !slices.Contains(got.Soft, "readme.txt") {
		t.Errorf("akismet: %d files, akismet.php %v, soft %v", len(got.Files), got.Files["akismet.php"], got.Soft)
	}
	if got := ask(nil, akismet); len(got) != 0 {
		t.Errorf("unpublished version: %v", got)
	}
}
