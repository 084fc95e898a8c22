package upkeeptest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"upkeep"
	"upkeep/internal/demo"
	"upkeep/internal/demo/fixtures"
	"upkeep/internal/upkeeptest"
)

// newest is the core that sites of these tests are brought to.
const newest = "6.5.5"

// layouts are the ways to keep a WordPress that the whole life of a site must
// not care about.
var layouts = []struct {
	name string
	spec demo.Spec
	make func(t *testing.T, site *demo.Site) // changes the site before it is adopted
}{
	{"network", demo.Spec{Network: true}, nil},
	{"bedrock", demo.Spec{Layout: demo.Bedrock, Prefix: "bed_"}, nil},
	{"subdirectory with its configuration above and neighbours in its database",
		demo.Spec{Layout: demo.Subdirectory, ConfigAbove: true, Prefix: "shop_", Version: "6.2.6"}, addNeighbours},
	{"content outside on a file system of its own", demo.Spec{Outside: true, Version: "6.4.5"}, mountContent},
	{"drop-ins below a link to a folder with an odd name", demo.Spec{Config: "define( 'WP_CACHE', true );\n", Extensions: append(upkeeptest.Basics("1.0"),
		fixtures.DropIn(fixtures.AdvancedCache, "1.0"), fixtures.DropIn(fixtures.ObjectCache, "1.0"))}, linkRoot},
	{"code cached without looking, files of another group", demo.Spec{Version: "6.3.5"}, lockDown},
}

func TestWholeLifeOfEveryLayout(t *testing.T) {
	for _, layout := range layouts {
		t.Run(layout.name, func(t *testing.T) {
			t.Parallel()
			site := upkeeptest.WordPress(t, layout.spec)
			if layout.make != nil {
				layout.make(t, site)
			}
			explain(t, site)
			p := upkeeptest.AdoptWith(t, site, []string{"--majors"},
				fixtures.Plugin(fixtures.Guestbook, "1.1"), fixtures.Plugin(fixtures.Diary, "1.1"), fixtures.Theme(fixtures.Paper, "1.1"))
			agrees(t, p, site)
			live(t, p, site)
		})
	}
}

func TestReadOnlyRootIsToldBeforeAnythingIsDone(t *testing.T) {
	t.Parallel()
	site := upkeeptest.WordPress(t, demo.Spec{})
	p := upkeeptest.AdoptWith(t, site, []string{"--majors"}, fixtures.Plugin(fixtures.Guestbook, "1.1"))
	if err := os.Chmod(site.Root, 0o555); err != nil {
		t.Fatal(err)
	}
	before := upkeeptest.StateOf(t, site)
	_, code := p.Run(t, "site", "update", "shop", "--yes")
	iv := p.Last(t)
	if code != 1 || iv.State != upkeep.Failed || !iv.FrozenAt.IsZero() {
		t.Errorf("exit %d, ended %s, frozen at %s", code, iv.State, iv.FrozenAt)
	}
	if iv.Error == nil || !strings.Contains(iv.Error.Error(), "cannot write to "+site.Root) || !strings.Contains(iv.Error.Hint, "chmod u+w") {
		t.Errorf("%+v", iv.Error)
	}
	upkeeptest.Same(t, before, site, upkeeptest.Volatile...)
}

// live updates a site, brings it back to what it was, and then meets a core
// that does not work.
func live(t *testing.T, p *upkeeptest.Program, site *demo.Site) {
	t.Helper()
	upkeeptest.Works(t, site)
	before, switched := upkeeptest.StateOf(t, site), active(t, site)
	updateAll(t, p, site)
	if now := active(t, site); now != switched {
		t.Errorf("active is\n%s\nnot\n%s", now, switched)
	}
	agrees(t, p, site)
	upkeeptest.Works(t, site)

	restore(t, p, site, before)

	if err := p.Mirror.Add(repack(t, newest, "6.6.9", broken)); err != nil {
		t.Fatal(err)
	}
	p.Run(t, "update", "list", "shop") // asks the publisher anew
	before = upkeeptest.StateOf(t, site)
	writes := duringFreeze(t, p, site, "site", "update", "shop", "--only", "core", "--yes")
	iv := p.Intervention(t)
	if iv.State != upkeep.Undone || iv.Identity == nil || !iv.Identity.Proven() {
		t.Errorf("ended %s, %v, %+v", iv.State, iv.Error, iv.Identity)
	}
	if !slices.ContainsFunc(iv.Failed, func(c upkeep.Check) bool { return c.Code == "page" }) {
		t.Errorf("not undone for its pages: %+v", iv.Failed)
	}
	if t.Failed() {
		t.Fatalf("verdict %+v", iv.Verdict) // a list of all that differs would hide it
	}
	upkeeptest.Same(t, before, site, append(writes, everChanging...)...)
	upkeeptest.Works(t, site)
}

// broken is a core that brings the database to its level and then answers no
// visitor.
var broken = map[string]string{"wp-includes/template-loader.php": "<?php\nwordpress_function_that_nobody_wrote();\n"}

// explain shows what PHP said of a site when its test has failed.
func explain(t *testing.T, site *demo.Site) {
	t.Cleanup(func() {
		if text, err := os.ReadFile(site.PHPLog()); err == nil && t.Failed() {
			t.Logf("PHP's log: %.3000s", text)
		}
	})
}

// updateAll carries everything that is offered through and checks what the
// site now is without asking the program.
func updateAll(t *testing.T, p *upkeeptest.Program, site *demo.Site) *upkeep.Intervention {
	t.Helper()
	if out, code := p.Run(t, "site", "update", "shop", "--yes"); code != 0 {
		t.Fatalf("exit %d\n%s", code, out)
	}
	iv := p.Last(t)
	if iv.State != upkeep.Done || !iv.Verdict.OK() || iv.Frozen(iv.Ended) <= 0 {
		t.Errorf("ended %s, frozen %v, verdict %+v", iv.State, iv.Frozen(iv.Ended), iv.Verdict)
	}
	t.Logf("frozen for %v", iv.Frozen(iv.Ended))
	for _, o := range iv.Outcomes {
		if o.Result != upkeep.Applied {
			t.Errorf("%+v", o)
		}
	}
	backedUp(t, p, iv)
	version, schema := versionIn(t, site.Root)
	if version != newest {
		t.Errorf("WordPress is %s", version)
	}
	for _, level := range schemas(t, site) {
		if level != schema {
			t.Errorf("levels of the database: %v, not %s", schemas(t, site), schema)
		}
	}
	sameCore(t, tree(t, newest), site.Root)
	return iv
}

// backedUp fails the test unless both backups of an intervention are whole
// and were read back.
func backedUp(t *testing.T, p *upkeeptest.Program, iv *upkeep.Intervention) {
	t.Helper()
	found := map[upkeep.BackupID]upkeep.Backup{}
	for _, b := range upkeeptest.JSON[[]upkeep.Backup](t, p, "backup", "list", "shop") {
		found[b.ID] = b
	}
	for id, frozen := range map[upkeep.BackupID]bool{iv.Before: true, iv.After: false} {
		if b := found[id]; !b.Complete || b.Verified.IsZero() || b.Frozen != frozen || b.Files == 0 || b.Tables == 0 {
			t.Errorf("backup %d: %+v", id, b)
		}
	}
}

// restore brings a site back to before its last intervention.
func restore(t *testing.T, p *upkeeptest.Program, site *demo.Site, before *upkeeptest.State) {
	t.Helper()
	iv := p.Last(t)
	out, code := p.Run(t, "backup", "restore", strconv.FormatInt(int64(iv.Before), 10), "--in-place", "--yes")
	if code != 0 {
		t.Fatalf("restore: exit %d\n%s", code, out)
	}
	upkeeptest.Same(t, before, site, everChanging...)
	upkeeptest.Works(t, site)
}

// everChanging is what any visit to a site changes: besides upkeeptest.Volatile, what
// the drop-ins keep in files.
var everChanging = append([]string{"/cache/drawer", "/cache/pocket"}, upkeeptest.Volatile...)

// duringFreeze runs a command to its end and, where a site has neighbours in
// its database, writes to theirs while it is frozen. It returns what tells
// their tables.
func duringFreeze(t *testing.T, p *upkeeptest.Program, site *demo.Site, args ...string) []string {
	t.Helper()
	if site.Spec.Prefix != "shop_" {
		p.Run(t, args...)
		return nil
	}
	earlier := p.Intervention(t).ID
	cmd := p.Command(t, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	upkeeptest.Eventually(t, 2*time.Minute, "another intervention", func() bool { return p.Intervention(t).ID != earlier })
	p.WaitState(t, upkeep.Applying)
	for _, prefix := range neighbours {
		query(t, site, "UPDATE "+prefix+"options SET option_value = 'while frozen' WHERE option_name = 'blogname'; ALTER TABLE "+prefix+"posts ADD COLUMN more int;"+
			"CREATE TABLE "+prefix+"later (id int); INSERT INTO "+prefix+"later VALUES (7);")
	}
	_ = cmd.Wait() // it is to be undone: the caller looks at the record
	for _, prefix := range neighbours {
		got := query(t, site, "SELECT option_value FROM "+prefix+"options WHERE option_name = 'blogname'; SELECT id FROM "+prefix+"later; SELECT COUNT(more) FROM "+prefix+"posts")
		if got != "while frozen\n7\n0" {
			t.Errorf("what the neighbour %s wrote is gone: %q", prefix, got)
		}
		query(t, site, "ALTER TABLE "+prefix+"posts DROP COLUMN more; DROP TABLE "+prefix+"later") // so that the rest can be compared
	}
	return neighbours
}

// neighbours are the prefixes of other WordPresses in the database of one
// whose own is "shop_".
var neighbours = []string{"shop_old_", "wp_"}

// addNeighbours gives a site's database the tables of other WordPresses.
func addNeighbours(t *testing.T, site *demo.Site) {
	t.Helper()
	for name := range strings.FieldsSeq(query(t, site, "SHOW TABLES LIKE 'shop\\_%'")) {
		for _, prefix := range neighbours {
			other := prefix + strings.TrimPrefix(name, "shop_")
			query(t, site, "CREATE TABLE "+other+" LIKE "+name+"; INSERT INTO "+other+" SELECT * FROM "+name)
		}
	}
	for _, prefix := range neighbours {
		query(t, site, "UPDATE "+prefix+"options SET option_name = '"+prefix+"user_roles' WHERE option_name = 'shop_user_roles'")
	}
}

// mountContent puts a site's wp-content on a file system of its own.
func mountContent(t *testing.T, site *demo.Site) {
	t.Helper()
	disk := upkeeptest.SmallDisk(t, 256<<20)
	command(t, "cp", "-a", site.Content+"/.", disk)
	if err := os.RemoveAll(site.Content); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(site.Content, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(disk, site.Content, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(site.Content, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	uid, gid := site.World().Account()
	if err := os.Chown(site.Content, uid, gid); err != nil {
		t.Fatal(err)
	}
	command(t, "chmod", "0755", site.Content)
}

// linkRoot moves a site's root into a folder with an odd name, and leaves a
// link where it was.
func linkRoot(t *testing.T, site *demo.Site) {
	t.Helper()
	place := filepath.Join(site.Dir, "Données clients", "L'été 🌞 $HOME")
	if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil {
		t.Fatal(err)
	}
	// What was kept of the site that this is a clone of knows its folder and address.
	if err := os.RemoveAll(filepath.Join(site.Content, "cache")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(site.Root, place); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(place, site.Root); err != nil {
		t.Fatal(err)
	}
}

// lockDown has PHP keep code without ever looking whether it changed, gives
// folders of a site to another group, which they pass on.
func lockDown(t *testing.T, site *demo.Site) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(site.Root, ".user.ini"), []byte("opcache.validate_timestamps = 0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	// What is to be restored must be of a group that the owner may give away.
	command(t, "chgrp", "-R", "users", filepath.Join(site.Content, "uploads"))
	for _, dir := range []string{"plugins", "themes", "uploads"} {
		dir = filepath.Join(site.Content, dir)
		command(t, "find", dir, "-type", "d", "-exec", "chmod", "2775", "{}", "+")
		command(t, "find", dir, "-type", "f", "-exec", "chmod", "0664", "{}", "+")
	}
	// It must be so: a changed file does not show. The sites of other tests
	// share the cache, and their updates empty it: then another file is tried.
	tries := 0
	upkeeptest.Eventually(t, time.Minute, "PHP not to look whether files changed", func() bool {
		tries++
		name := fmt.Sprintf("stale-%d.php", tries)
		path := filepath.Join(site.Root, name)
		defer os.Remove(path)
		then := time.Now().Add(-time.Hour)
		for _, text := range []string{"first", "second"} {
			if err := os.WriteFile(path, []byte("<?php exit('"+text+"');"), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(path, then, then); err != nil {
				t.Fatal(err)
			}
			page, err := upkeeptest.Get(t.Context(), site, "/"+name)
			if err != nil || text == "second" && page.Body != "first" {
				return false
			}
		}
		return true
	})
}
