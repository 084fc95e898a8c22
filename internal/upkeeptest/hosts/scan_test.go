package hosts_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"upkeep"
	"upkeep/internal/upkeeptest"
	"upkeep/internal/web"
)

// Accounts without a name, as a panel that was removed leaves them.
const shopkeeper, librarian = 23001, 23002

// ground is a folder with what years of hosting leave: a WordPress with a
// forgotten copy in it, a wiki of another account's, and something home-made.
func ground(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can give folders to others")
	}
	base, err := os.MkdirTemp("/var/tmp", "upkeep-ground-")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(base)) })
	repository, err := upkeeptest.Repository()
	must(t, err)
	must(t, os.Chmod(base, 0o755))
	core := filepath.Join(repository, ".cache/wordpress/core/wordpress-6.4.5.zip")
	wiki := filepath.Join(repository, ".cache/dokuwiki/dokuwiki")
	for _, path := range []string{core, wiki} {
		if _, err := os.Stat(path); err != nil {
			t.Skip("make setup fetches it: ", err)
		}
	}
	shop := filepath.Join(base, "shop")
	run(t, "unzip", "-q", core, "-d", base)
	must(t, os.Rename(filepath.Join(base, "wordpress"), shop))
	write(t, filepath.Join(shop, "wp-config.php"), wordPressConfig("shop"))
	run(t, "cp", "-a", shop, filepath.Join(base, "old"))
	must(t, os.Rename(filepath.Join(base, "old"), filepath.Join(shop, "old")))
	write(t, filepath.Join(shop, "old/wp-config.php"), wordPressConfig("shop_2019"))
	run(t, "cp", "-a", wiki, filepath.Join(base, "wiki"))
	write(t, filepath.Join(base, "tool/index.php"), "<?php require 'config.php';")
	write(t, filepath.Join(base, "tool/config.php"), "<?php define('TITLE', 'Tool');")
	give(t, shopkeeper, shop, filepath.Join(base, "tool"))
	give(t, librarian, filepath.Join(base, "wiki"))
	must(t, os.Chmod(filepath.Join(shop, "wp-config.php"), 0o600))
	must(t, os.Chmod(filepath.Join(base, "wiki"), 0o700))
	return base
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(context.WithoutCancel(t.Context()), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

func wordPressConfig(database string) string {
	return "<?php\ndefine('DB_NAME', '" + database + "');\ndefine('DB_USER', 'u');\ndefine('DB_PASSWORD', 'p');\ndefine('DB_HOST', 'localhost');\n" +
		"$table_prefix = 'wp_';\ndefine('ABSPATH', __DIR__ . '/');\nrequire_once ABSPATH . 'wp-settings.php';\n"
}

func write(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(text), 0o644))
}

func give(t *testing.T, uid int, dirs ...string) {
	t.Helper()
	for _, dir := range dirs {
		must(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Lchown(path, uid, uid)
		}))
	}
}

// told is what a test expects of an application.
type told struct {
	Root, Within, Owner, Database string
	CMS                           upkeep.CMS
	Versioned                     bool
	Status                        web.ApplicationStatus
}

func expectFound(t *testing.T, base string, found []web.Application, want ...told) {
	t.Helper()
	var got []told
	for _, a := range found {
		rel := func(path string) string { return strings.TrimPrefix(path, base+"/") }
		got = append(got, told{rel(a.Root), rel(a.Within), a.Owner, a.Database, a.CMS, a.Version != "", a.Status})
		if a.Bytes == 0 && a.Status != web.Gone {
			t.Errorf("%s takes no space", a.Root)
		}
		if a.Problem != nil {
			t.Errorf("%s: %v", a.Root, a.Problem)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("found\n%+v, want\n%+v", got, want)
	}
}

var planted = []told{
	{"shop", "", "23001", "shop", upkeep.WordPress, true, web.Uncovered},
	{"shop/old", "shop", "23001", "shop_2019", upkeep.WordPress, true, web.Uncovered},
	{"tool", "", "23001", "", "php", false, web.Uncovered},
	{"wiki", "", "23002", "", upkeep.DokuWiki, true, web.Uncovered},
}

// What nobody looks after is found, and stays known until somebody says what
// is to be done with it.
func TestScanKnowsWhatIsUncovered(t *testing.T) {
	t.Parallel()
	base := ground(t)
	p := upkeeptest.NewProgram(t)
	scan := func() web.ScanResult {
		return upkeeptest.JSON[web.ScanResult](t, p, "host", "scan", "--path", base)
	}
	first := scan()
	expectFound(t, base, first.Applications, planted...)
	if len(first.New) != 4 || len(first.Cut) != 0 || !slices.Equal(first.Places, []string{base}) {
		t.Errorf("%+v", first)
	}
	id := func(root string) string {
		i := slices.IndexFunc(first.Applications, func(a web.Application) bool { return a.Root == filepath.Join(base, root) })
		return first.Applications[i].ID.String()
	}
	if out, code := p.Run(t, "application", "dismiss", id("shop/old")); code == 0 || !strings.Contains(out, "--because") {
		t.Errorf("without a reason: exit %d: %s", code, out)
	}
	if out, code := p.Run(t, "application", "dismiss", id("shop/old"), "--because", "a copy of 2019"); code != 0 {
		t.Fatalf("exit %d: %s", code, out)
	}
	if out, code := p.Run(t, "application", "adopt", id("tool"), "--url", "http://tool.test"); code != 0 {
		t.Fatalf("exit %d: %s", code, out)
	}
	uncovered := func(want int) {
		t.Helper()
		if status := upkeeptest.JSON[web.FleetStatus](t, p, "fleet", "status"); status.Uncovered != want {
			t.Errorf("%d uncovered, want %d", status.Uncovered, want)
		}
		if list := upkeeptest.JSON[[]web.Application](t, p, "application", "list", "--uncovered"); len(list) != want {
			t.Errorf("%+v uncovered, want %d", list, want)
		}
	}
	uncovered(2)
	want := slices.Clone(planted)
	want[1].Status, want[2].Status = web.Dismissed, web.Covered
	again := scan()
	expectFound(t, base, again.Applications, want...)
	if len(again.New)+len(again.Back)+len(again.Gone) != 0 {
		t.Errorf("nothing has changed, but %+v", again)
	}
	// The wiki goes; in the copy's place stands another application.
	must(t, os.RemoveAll(filepath.Join(base, "wiki")))
	write(t, filepath.Join(base, "shop/old/wp-config.php"), wordPressConfig("shop_staging"))
	want[1].Status, want[1].Database, want[3].Status, want[3].Versioned = web.Uncovered, "shop_staging", web.Gone, true
	changed := scan()
	expectFound(t, base, changed.Applications, want...)
	if len(changed.Back) != 1 || len(changed.Gone) != 1 || len(changed.New) != 0 {
		t.Errorf("%+v", changed)
	}
	uncovered(2)
	entries := upkeeptest.JSON[[]web.LedgerEntry](t, p, "ledger", "list")
	if !slices.ContainsFunc(entries, func(e web.LedgerEntry) bool {
		return e.Kind == "application_dismissed" && e.Facts["because"] == "a copy of 2019"
	}) {
		t.Errorf("the ledger does not say why: %+v", entries)
	}
}

// On a host reached by SSH the same is found as here; a login sees what it may
// read.
func TestScanOfAHost(t *testing.T) {
	t.Parallel()
	base := ground(t)
	for login, want := range map[upkeeptest.Login][]told{upkeeptest.AsRoot: planted, upkeeptest.AsSudoer: planted} {
		p := upkeeptest.NewProgram(t)
		h := upkeeptest.NewHost(t, login)
		var flags []string
		if login == upkeeptest.AsSudoer {
			flags = append(flags, "--sudo")
		}
		p.AdoptHost(t, h, flags...)
		result := upkeeptest.JSON[web.ScanResult](t, p, "host", "scan", "web1", "--path", base)
		expectFound(t, base, result.Applications, want...)
		for _, a := range result.Applications {
			if a.HostName != "web1" {
				t.Errorf("%s is on %q", a.Root, a.HostName)
			}
		}
		if out, code := p.Run(t, "host", "scan", "web1", "--path", "/nowhere"); code == 0 || !strings.Contains(out, "no folder /nowhere") {
			t.Errorf("exit %d: %s", code, out)
		}
	}
	p := upkeeptest.NewProgram(t)
	h := upkeeptest.NewHost(t, upkeeptest.AsOwner)
	p.AdoptHost(t, h)
	result := upkeeptest.JSON[web.ScanResult](t, p, "host", "scan", "web1", "--path", base)
	unread := upkeep.Cut{Path: filepath.Join(base, "wiki"), Why: upkeep.CutUnreadable}
	if !slices.Contains(result.Cut, unread) || len(result.Applications) != 3 || result.Applications[0].Problem == nil {
		t.Errorf("as a login: %+v", result)
	}
}

// None of what a site could do to hold a scan up does: it ends, and what is
// beside is found.
func TestHostileTreesHoldNoScanUp(t *testing.T) {
	t.Parallel()
	base := ground(t)
	evil := filepath.Join(base, "evil")
	must(t, os.MkdirAll(filepath.Join(evil, "names"), 0o755))
	must(t, os.Symlink("..", filepath.Join(evil, "up")))
	must(t, os.Symlink("/etc", filepath.Join(evil, "etc")))
	must(t, os.Symlink(filepath.Join(base, "shop"), filepath.Join(evil, "shop")))
	deep := evil
	for range 200 {
		deep = filepath.Join(deep, "d")
	}
	must(t, os.MkdirAll(deep, 0o755))
	for _, name := range []string{"wp-config.php", "wp-load.php", "index.php", "composer.json", ".env", "VERSION", "doku.php"} {
		run(t, "mkfifo", filepath.Join(evil, name))
	}
	must(t, os.MkdirAll(filepath.Join(evil, "wp-includes"), 0o755))
	run(t, "mkfifo", filepath.Join(evil, "wp-includes/version.php"))
	run(t, "sh", "-c", "cd "+filepath.Join(evil, "names")+" && seq -f f%g 120000 | xargs touch")
	give(t, 23003, evil)
	p := upkeeptest.NewProgram(t)
	result := upkeeptest.JSON[web.ScanResult](t, p, "host", "scan", "--path", base)
	var beside []web.Application
	for _, a := range result.Applications {
		if !strings.HasPrefix(a.Root, evil) {
			beside = append(beside, a)
		}
	}
	expectFound(t, base, beside, planted...)
	why := map[upkeep.CutReason]bool{}
	for _, cut := range result.Cut {
		why[cut.Why] = true
	}
	if !why[upkeep.CutDeep] || !why[upkeep.CutCrowded] {
		t.Errorf("cut %+v", result.Cut)
	}
}

// What an account may not read, a scan by root does not read for it.
func TestScanReadsNothingForAnother(t *testing.T) {
	t.Parallel()
	base := ground(t)
	// A link in the shopkeeper's folder names the librarian's settings.
	must(t, os.Remove(filepath.Join(base, "tool/config.php")))
	write(t, filepath.Join(base, "wiki/secret.php"), "<?php define('DB_NAME', 'secret'); define('DB_USER', 'u'); define('DB_HOST', 'localhost');")
	must(t, os.Chmod(filepath.Join(base, "wiki/secret.php"), 0o600))
	give(t, librarian, filepath.Join(base, "wiki"))
	must(t, os.Symlink("../wiki/secret.php", filepath.Join(base, "tool/config.php")))
	must(t, os.Lchown(filepath.Join(base, "tool/config.php"), shopkeeper, shopkeeper))
	p := upkeeptest.NewProgram(t)
	out, err := exec.CommandContext(t.Context(), p.Command(t).Path, "--state", p.State, "host", "scan", "--path", base, "--format", "json").CombinedOutput()
	if err != nil || strings.Contains(string(out), "secret\"") {
		t.Errorf("%v: %s", err, out)
	}
}
