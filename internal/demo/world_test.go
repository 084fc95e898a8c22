package demo_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/demo"
	"upkeep/internal/demo/fixtures"
)

// cache is where make setup puts WordPress.
const cache = "../../.cache/wordpress"

func world(t *testing.T) *demo.World {
	t.Helper()
	packages, err := filepath.Abs(cache)
	if err != nil {
		t.Fatal(err)
	}
	w, err := demo.Open(filepath.Join(folder(t), "world"), demo.Options{Packages: packages})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Remove(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func all(version upkeep.Version) []fixtures.Release {
	releases := []fixtures.Release{fixtures.MustUse(fixtures.OpenComments, "1.0"), fixtures.Theme(fixtures.Paper, version), fixtures.Theme(fixtures.PaperChild, version)}
	for _, slug := range fixtures.Plugins() {
		releases = append(releases, fixtures.Plugin(slug, version))
	}
	return releases
}

func TestWordPressLayouts(t *testing.T) {
	w := world(t)
	set, err := w.Packages()
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range []demo.Spec{
		{Name: "plain", Posts: 3, Comments: 2, Uploads: 2, Extensions: all("1.0")},
		{Name: "newest", Version: set.Newest().Version, Extensions: all("1.1")},
		{Name: "sub", Layout: demo.Subdirectory},
		{Name: "bedrock", Layout: demo.Bedrock, Prefix: "br_", Extensions: all("1.0")},
		{Name: "outside", Outside: true, ConfigAbove: true, Extensions: all("1.0")},
		{Name: "network", Network: true, Extensions: all("1.0")},
		{Name: "netsub", Network: true, Layout: demo.Subdirectory},
	} {
		t.Run(spec.Name, func(t *testing.T) {
			began := time.Now()
			s, err := w.AddWordPress(t.Context(), spec)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s %s in %v", s.Name, s.Version, time.Since(began))
			pages := []string{"", "hello-world/", "contact/", "wp-json/", "wp-login.php"}
			if len(spec.Extensions) > 0 {
				tables, err := s.SQL(t.Context(), "SHOW TABLES LIKE '%guestbook'")
				if err != nil || tables == "" {
					t.Errorf("own tables: %q, %v", tables, err)
				}
			}
			if spec.Network {
				pages = append(pages, "shop/", "shop/wp-login.php")
			}
			for _, page := range pages {
				if page == "hello-world/" {
					page, err = s.PHP(t.Context(), "echo wp_make_link_relative(get_permalink(1));")
					if err != nil {
						t.Fatal(err)
					}
					page = strings.TrimPrefix(page, "/blog")
				}
				if spec.Layout == demo.Bedrock && strings.HasPrefix(page, "wp-login") {
					page = "wp/" + page
				}
				status, text := get(t, s.Path(page))
				if status != http.StatusOK {
					t.Errorf("%s: %d %.300s", page, status, text)
				}
			}
			if log, err := os.ReadFile(s.PHPLog()); err == nil && len(spec.Extensions) > 0 {
				t.Errorf("php log: %s", log)
			}
		})
	}
	first, err := w.Site("plain")
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	clone, err := w.Clone(t.Context(), first, "clone1")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("clone in %v", time.Since(began))
	if status, text := get(t, clone.URL); status != http.StatusOK || !strings.Contains(text, "Paper 1.0") || strings.Contains(text, first.URL) {
		t.Errorf("clone: %d %.300s", status, text)
	}
}
