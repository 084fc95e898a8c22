package upkeeptest_test

import (
	"bytes"
	"errors"
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
	"upkeep/internal/upkeeptest"
)

func TestMain(m *testing.M) { upkeeptest.Main(m) }

func TestClonesAreTheirOwnSites(t *testing.T) {
	a := upkeeptest.WordPress(t, demo.Spec{Posts: 2})
	began := time.Now()
	b := upkeeptest.WordPress(t, demo.Spec{Posts: 2})
	t.Logf("clone in %v", time.Since(began))
	if a.URL == b.URL || a.Root == b.Root || a.Database.Name == b.Database.Name {
		t.Fatalf("%+v shares with %+v", a, b)
	}
	upkeeptest.Works(t, a)
	upkeeptest.Works(t, b)
	if out, err := b.PHP(t.Context(), "echo get_option('home'), ABSPATH;"); err != nil || out != strings.TrimSuffix(b.URL, "/")+b.Root+"/" {
		t.Errorf("%s, %v", out, err)
	}
}

func TestStateSeesEveryChange(t *testing.T) {
	site := upkeeptest.WordPress(t, demo.Spec{})
	before := upkeeptest.StateOf(t, site)
	upkeeptest.Same(t, before, site)
	file := filepath.Join(site.Root, "wp-load.php")
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]func() error{
		"mode": {func() error { return os.Chmod(file, 0o600) }, func() error { return os.Chmod(file, info.Mode()) }},
		"time": {func() error { return os.Chtimes(file, time.Time{}, info.ModTime().Add(1)) },
			func() error { return os.Chtimes(file, time.Time{}, info.ModTime()) }},
		"row": {func() error {
			_, err := site.SQL(t.Context(), "UPDATE wp_posts SET post_title = CONCAT(post_title, ' ') WHERE ID = 1")
			return err
		},
			func() error {
				_, err := site.SQL(t.Context(), "UPDATE wp_posts SET post_title = LEFT(post_title, CHAR_LENGTH(post_title) - 1) WHERE ID = 1")
				return err
			}},
		"index": {func() error {
			_, err := site.SQL(t.Context(), "CREATE INDEX x ON wp_posts (post_author, ID)")
			return err
		},
			func() error { _, err := site.SQL(t.Context(), "DROP INDEX x ON wp_posts"); return err }},
	} {
		if err := change[0](); err != nil {
			t.Fatal(err)
		}
		if before.Diff(upkeeptest.StateOf(t, site)) == "" {
			t.Errorf("%s: not seen", name)
		}
		if err := change[1](); err != nil {
			t.Fatal(err)
		}
		upkeeptest.Same(t, before, site)
	}
}

func TestVisitorsRememberWhatWasAccepted(t *testing.T) {
	site := upkeeptest.WordPress(t, demo.Spec{})
	visitors := upkeeptest.Load(t, site)
	visitors.WaitAccepted(t, 12)
	world := upkeeptest.World(t)
	if err := world.PHP.KillWorkers(); err != nil {
		t.Fatal(err)
	}
	if err := world.MariaDB.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := world.MariaDB.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := world.PHP.KillMaster(); err != nil {
		t.Fatal(err)
	}
	if err := world.PHP.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := site.Web.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := site.Web.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	visitors.WaitAccepted(t, 12)
	visitors.Check(t)
	accepted, refused, unanswered := visitors.Counts()
	t.Logf("%d accepted, %d refused, %d unanswered", accepted, refused, unanswered)
	channels := make(map[string]int)
	for _, w := range visitors.Accepted() {
		channels[w.Channel]++
	}
	if len(channels) != 3 {
		t.Errorf("channels %v", channels)
	}
}

// Every fault must be one: a site that has it shows it, and a site whose
// release is good does not.
func TestFaultsShow(t *testing.T) {
	for _, fault := range append(fixtures.CodeFaults(), fixtures.None) {
		t.Run(string(fault), func(t *testing.T) {
			site := upkeeptest.WordPress(t, demo.Spec{})
			release := fixtures.Plugin(fixtures.Guestbook, "1.1").With(fault)
			for name, text := range release.Installed() {
				if err := os.WriteFile(filepath.Join(site.Content, name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if fault == fixtures.Hang {
				return // proven by waiting ten minutes
			}
			broken := false
			for _, path := range []string{"/?fault=1", "/?fault=2", "/wp-admin/admin-ajax.php?action=none"} {
				page, err := upkeeptest.Get(t.Context(), site, path)
				if err != nil {
					t.Fatal(err)
				}
				good := page.Status == 200 && strings.Contains(page.Body, "</html>") && strings.Contains(page.Body, "signatures") && strings.Contains(page.Body, "Hello world") && strings.Contains(page.Body, "<!-- wolf")
				if strings.Contains(path, "ajax") {
					good = page.Status == 400 && page.Body == "0"
				}
				broken = broken || !good
			}
			tables, err := site.SQL(t.Context(), "SHOW TABLES LIKE 'wp_guestbook'")
			if err != nil {
				t.Fatal(err)
			}
			if broken = broken || tables == ""; broken != (fault != fixtures.None) {
				t.Errorf("broken: %v", broken)
			}
		})
	}
}

func TestPublisherSendsWhatItShouldNot(t *testing.T) {
	order := func(a, b upkeep.Version) int { return strings.Compare(string(a), string(b)) }
	for _, fault := range fixtures.PackageFaults() {
		release := fixtures.Plugin(fixtures.Guestbook, "1.1").With(fault)
		p := upkeeptest.Publish(t, order, release)
		answer, err := http.Get(p.URL + "/plugin/guestbook-lite.1.1.zip")
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(answer.Body)
		if err := errors.Join(err, answer.Body.Close()); err != nil {
			t.Fatal(err)
		}
		want, err := release.Zip()
		if err != nil || answer.StatusCode != http.StatusOK || !bytes.Equal(got, want) {
			t.Errorf("%s: %s, %d bytes, not %d, %v", fault, answer.Status, len(got), len(want), err)
		}
	}
}
