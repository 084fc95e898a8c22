package demo_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
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
	dir := folder(t)
	if inMemory, err := os.MkdirTemp("/dev/shm", "upkeep-demo-"); err == nil { // thousands of files are faster there
		if err := os.Chmod(inMemory, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(inMemory) })
		dir = inMemory
	}
	w, err := demo.Open(filepath.Join(dir, "world"), demo.Options{Packages: packages})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Remove(context.WithoutCancel(t.Context())); err != nil {
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

// A demo outlives the command that made it: a later one finds it, running or
// stopped, and ends all of it.
func TestWorldIsFoundAgain(t *testing.T) {
	packages, err := filepath.Abs(cache)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(folder(t), strings.Repeat("deep/", 12), "world") // too deep for sockets
	options := demo.Options{Packages: packages, Detached: true}
	open := func() *demo.World {
		w, err := demo.Open(dir, options)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	first := open()
	t.Cleanup(func() {
		if err := open().Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	if err := first.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	site, err := first.AddWordPress(t.Context(), demo.Spec{Name: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	pids := []int{first.MariaDB.PID(), first.PHP.PID(), site.Web.PID()}
	pids = append(pids, first.PHP.Workers()...)
	second := open()
	if err := second.Start(t.Context()); err != nil { // all runs already
		t.Fatal(err)
	}
	if second.PHP.PID() != pids[1] || second.MariaDB.PID() != pids[0] {
		t.Errorf("started again: %d %d, not %v", second.PHP.PID(), second.MariaDB.PID(), pids)
	}
	if err := open().Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		if state, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat"); err == nil && !strings.Contains(string(state), ") Z ") {
			t.Errorf("process %d still runs: %s", pid, state)
		}
	}
	third := open()
	if err := third.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	again, err := third.Site("shop")
	if err != nil {
		t.Fatal(err)
	}
	if status, _ := get(t, again.URL); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	if err := third.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("left behind: %v", err)
	}
	if _, err := demo.Open(filepath.Dir(dir), options); err != nil {
		t.Errorf("an empty folder: %v", err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(filepath.Dir(dir)), "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := demo.Open(filepath.Dir(filepath.Dir(dir)), options); upkeep.CodeOf(err) != upkeep.CodeConflict {
		t.Errorf("a folder of somebody else: %v", err)
	}
}
