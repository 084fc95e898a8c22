//go:build bench

package upkeeptest_test

import (
	"crypto/rand"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/agent/post"
	"upkeep/internal/demo"
	"upkeep/internal/demo/fixtures"
	"upkeep/internal/demo/wikimedia"
	"upkeep/internal/upkeeptest"
)

// The figures of the other CMSs: of those that there are trees of, and of
// Debian's.

// Size of the sites that freezing is measured on, beside their CMS.
const (
	padding     = 256 << 20 // bytes of files
	paddingSize = 128 << 10 // bytes of each
	paddingRows = 20_000    // of 2 KB in the database, where there is one
)

// others are the suite's subjects, MediaWiki on MariaDB as most are.
func others(t *testing.T) []subject {
	all := append([]subject{dokuwikiSubject(), mediawikiSubject("mediawiki", wikimedia.Spec{MariaDB: true})}, joomlas(t)...)
	return slices.DeleteFunc(append(all, drupals(t)...), func(s subject) bool { return s.small })
}

// whole is a WordPress to be updated as the others are: core and a plugin.
func whole() subject {
	s := wordpressSubject()
	s.adopt = func(t *testing.T, site *demo.Site, _ bool) *upkeeptest.Program {
		return upkeeptest.AdoptWith(t, site, []string{"--majors"}, fixtures.Plugin(fixtures.Diary, "1.1"))
	}
	return s
}

func TestBenchOtherInventories(t *testing.T) {
	var rows []row
	for _, s := range others(t) {
		t.Run(s.name, func(t *testing.T) {
			site := s.site(t)
			p := s.adopt(t, site, true)
			var boots, fresh, again []time.Duration
			for range 5 {
				boots = append(boots, clock(func() { s.ask(t, site) }))
			}
			at := &post.Local{Dir: filepath.Dir(p.AgentDir()), Guard: []string{"/bin/false"}}
			client, err := at.Start(t.Context(), filepath.Base(p.AgentDir()), site.Root)
			must(t, err)
			defer client.Close()
			take := func() {
				_, err := client.Inventory(t.Context())
				must(t, err)
			}
			take()
			for range 5 {
				must(t, touched(site.Root))
				fresh = append(fresh, clock(take))
			}
			time.Sleep(4 * time.Second) // what was written a moment ago is never believed to be unchanged
			take()
			for range 5 {
				again = append(again, clock(take))
			}
			rows = append(rows, row{s.name + ", anew", median(boots), median(fresh)}, row{s.name + ", unchanged", median(boots), median(again)})
			if s.name == "joomla" { // the only one with a command of its own
				boots = nil
				for range 5 {
					boots = append(boots, clock(func() {
						asOwner(t, site, `$_SERVER['argv'] = $argv = ['cli/joomla.php', 'extension:list']; $argc = 2; require 'cli/joomla.php';`)
					}))
				}
				rows = append(rows, row{s.name + ", unchanged, beside extension:list", median(boots), median(again)})
			}
		})
	}
	table(t, "Inventory beside the list that the CMS's own PHP gives", rows...)
}

// touched gives every file another time of change.
func touched(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		return os.Chtimes(path, time.Time{}, time.Now())
	})
}

func TestBenchOtherFreezes(t *testing.T) {
	var rows []row
	var ours, theirs []time.Duration // of WordPress: but for its migration, and that
	for _, s := range append([]subject{whole()}, others(t)...) {
		t.Run(s.name, func(t *testing.T) {
			var frozen, apart []time.Duration
			for range rounds(t) {
				f, m := freezing(t, s)
				frozen, apart = append(frozen, f-m), append(apart, m)
			}
			if s.name == "wordpress" {
				ours, theirs = frozen, apart
			}
			rows = append(rows, row{s.name + ", frozen but for applying and migrating", median(ours), median(frozen)}, row{s.name + ", applying and migrating", median(theirs), median(apart)})
		})
	}
	table(t, "Core and an extension, 256 MB of files, 40 MB of database; the first figure is WordPress's", rows...)
}

// freezing updates a padded site, and tells how long it was frozen and how much
// of that the swaps and the CMS's own migration took.
func freezing(t *testing.T, s subject) (frozen, migrating time.Duration) {
	t.Helper()
	site := s.site(t)
	must(t, pad(t, site))
	p := s.adopt(t, site, true)
	if out, code := p.Run(t, "site", "update", "shop", "--yes"); code != 0 {
		t.Fatalf("exit %d\n%s", code, out)
	}
	iv := p.Last(t)
	var began time.Time
	for _, event := range upkeeptest.JSON[[]upkeep.Event](t, p, "intervention", "log", iv.ID.String()) {
		switch {
		case event.Code == "state" && event.State == upkeep.Applying:
			began = event.At
		case event.Code == "state" && event.State == upkeep.Verifying:
			migrating += event.At.Sub(began)
		}
	}
	return iv.Frozen(time.Now()), migrating
}

// pad gives a site files and rows.
func pad(t *testing.T, site *demo.Site) error {
	dir := filepath.Join(site.Content, "bench")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	block := make([]byte, paddingSize)
	for i := range padding / paddingSize {
		if _, err := rand.Read(block); err != nil {
			return err
		}
		if err := site.World().WriteOwned(site, filepath.Join(dir, strconv.Itoa(i)+".bin"), string(block), 0o644); err != nil {
			return err
		}
	}
	if site.Database == nil {
		return nil
	}
	statement := fmt.Sprintf(`CREATE TABLE bench_rows (id INT AUTO_INCREMENT PRIMARY KEY, text MEDIUMTEXT, n INT);
		INSERT INTO bench_rows (text, n) SELECT REPEAT(MD5(seq), %d), seq FROM seq_1_to_%d;`, rowText/32, paddingRows)
	if site.Database.Engine == "postgresql" {
		statement = fmt.Sprintf(`SET ROLE %s; CREATE TABLE bench_rows (id serial PRIMARY KEY, text text, n int);
			INSERT INTO bench_rows (text, n) SELECT repeat(md5(i::text), %d), i FROM generate_series(1, %d) i;`, site.Database.User, rowText/32, paddingRows)
	}
	_, err := site.SQL(t.Context(), statement)
	return err
}

// asOwner runs PHP code as the site's account, in its folder.
func asOwner(t *testing.T, site *demo.Site, code string) string {
	t.Helper()
	uid, gid := site.World().Account()
	return command(t, "setpriv", fmt.Sprintf("--reuid=%d", uid), fmt.Sprintf("--regid=%d", gid), "--clear-groups",
		"sh", "-c", `cd "$1" && exec php -r "$2" "$1"`, "sh", site.Root, code)
}

// ask has the CMS list what it consists of, by its own code and nothing more.
func (s subject) ask(t *testing.T, site *demo.Site) {
	t.Helper()
	code := map[string]string{"dokuwiki": askWiki, "mediawiki": askMediaWiki, "drupal7": askDrupal7, "drupal8": askDrupal8}[s.name]
	switch {
	case strings.HasPrefix(s.name, "joomla"):
		code = askJoomla
	case s.name == "drupal8 on postgresql":
		code = askDrupal8
	}
	if out := asOwner(t, site, code); !strings.Contains(out, `"core"`) {
		t.Fatalf("%s", out)
	}
}
