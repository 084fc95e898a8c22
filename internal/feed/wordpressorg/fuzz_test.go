package wordpressorg_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/feed"
	"upkeep/internal/feed/wordpressorg"
)

// hostile are answers that no publisher sends.
var hostile = [...]string{
	``, `null`, `[]`, `{}`, `"x"`, `{"plugins":null,"themes":3,"no_update":"x","translations":{"a":1}}`,
	`{"offers":[[],null,{"current":{"a":1},"packages":[1]},{"current":7.1,"download":"https://downloads.wordpress.org/a.zip","locale":false}]}`,
	`{"offers":{"3":{"current":"6.9","packages":{"full":"https://evil.example/a.zip"}}}}`,
	`{"plugins":{"a/a.php":{"slug":"../../etc","new_version":"2","package":"https://downloads.wordpress.org/x.zip"}}}`,
	`{"plugins":{"a/a.php":{"slug":"a","new_version":"2\n<script>","package":"javascript:alert(1)"}}}`,
	`{"plugins":{"a/a.php":{"slug":"a","new_version":"2","package":"https://downloads.wordpress.org.evil.example/x.zip"}}}`,
	`{"plugins":[],"no_update":{"a/a.php":{"slug":"a","new_version":3,"requires_plugins":"x"}},"translations":[{"type":"plugin","slug":"a","language":"../x","updated":"now","package":"x"}]}`,
	`{"error":"closed","closed_date":12,"reason":[]}`, `{"slug":"a","name":{"x":[]},"author":"<a href='x'>&lt;b&gt;"}`,
	`{"checksums":{"../../x":"00000000000000000000000000000000","/abs":"0","ok":["00000000000000000000000000000000"]}}`,
	`{"files":{"a.php":{"md5":[[],"00000000000000000000000000000000"],"sha256":false},"..":{"md5":"00000000000000000000000000000000"}}}`,
}

// forgetful is a cache that remembers nothing: every body is new.
type forgetful struct{}

func (forgetful) Get(context.Context, string) (feed.Entry, error) {
	return feed.Entry{}, upkeep.Errorf(upkeep.CodeNotFound, "nothing is remembered")
}

func (forgetful) Put(context.Context, string, feed.Entry) error { return nil }

// FuzzAnswers sends one body in answer to everything: it may be refused, but
// what is taken from it has to be harmless.
func FuzzAnswers(f *testing.F) {
	for _, body := range hostile {
		f.Add([]byte(body))
	}
	f.Add([]byte(`{"plugins":` + strings.Repeat(`[`, 20_000)))
	f.Add([]byte(`{"offers":` + strings.Repeat(`{"a":`, 5_000) + `1` + strings.Repeat(`}`, 5_000) + `}`))
	dir := os.Getenv("UPKEEP_CORPUS")
	if files, err := filepath.Glob(filepath.Join(dir, "wordpress", "api-recorded", "*.json")); err == nil && dir != "" {
		for _, file := range files {
			if body, err := os.ReadFile(file); err == nil {
				f.Add(body)
			}
		}
	}
	var body atomic.Pointer[[]byte]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(*body.Load()) }))
	f.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	client := feed.NewClient(feed.Options{Trusted: []string{host}, Backoff: time.Nanosecond, Cache: forgetful{}})
	p := wordpressorg.New(client, wordpressorg.Options{API: server.URL, Downloads: server.URL})
	f.Fuzz(func(t *testing.T, answer []byte) {
		body.Store(&answer)
		ask := wordpressorg.Ask{Core: "6.8.3", Locales: []string{"fr_FR"}, Components: []upkeep.Component{plainPlugin("a/a.php", "1"), installedTheme("a", "1")}}
		if got, err := p.Check(context.Background(), []wordpressorg.Ask{ask}); err == nil {
			for _, r := range got.Sites[0].Releases {
				harmless(t, r, host)
			}
		}
		components := append(ask.Components, upkeep.Component{Kind: upkeep.Core, ID: "core", Version: "6.8.3"})
		originals, _ := p.Originals(context.Background(), components)
		for ref, original := range originals {
			for name := range original.Files {
				if !filepath.IsLocal(name) {
					t.Errorf("%s: file %q leads out", ref, name)
				}
			}
		}
	})
}

func harmless(t *testing.T, r upkeep.Release, host string) {
	t.Helper()
	from := strings.HasPrefix(r.Package, "https://downloads.wordpress.org/") || strings.HasPrefix(r.Package, "https://wordpress.org/") ||
		strings.HasPrefix(r.Package, "http://"+host) || strings.HasPrefix(r.Package, "https://"+host) || strings.HasPrefix(r.Package, "http://downloads.wordpress.org") || strings.HasPrefix(r.Package, "http://wordpress.org")
	if r.Package != "" && !from {
		t.Errorf("package from %q", r.Package)
	}
	if r.Version == "" || len(r.Version) > 64 || strings.ContainsAny(string(r.Version)+r.Slug+r.Locale, "/\\<>\n\x00") || r.Kind == upkeep.Core && r.Slug != wordpressorg.CoreSlug {
		t.Errorf("release %+v", r)
	}
}
