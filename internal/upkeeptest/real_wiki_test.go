package upkeeptest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"upkeep"
	"upkeep/internal/demo"
	"upkeep/internal/demo/wiki"
	"upkeep/internal/upkeeptest"
)

// A folder of unpacked releases of DokuWiki, named by this variable, makes the
// test below climb from the oldest to the newest, one by one.
const wikisVariable = "UPKEEP_DOKUWIKI_TREES"

// realWiki is an unpacked release.
type realWiki struct{ version, tree string }

func realWikis(t *testing.T) []realWiki {
	t.Helper()
	dir := os.Getenv(wikisVariable)
	if dir == "" {
		t.Skipf("%s names no folder with unpacked releases of DokuWiki", wikisVariable)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*", "VERSION"))
	if err != nil || len(files) < 2 {
		t.Fatalf("no releases in %s: %v", dir, err)
	}
	var all []realWiki
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		version, _, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
		tree, err := filepath.EvalSymlinks(filepath.Dir(file))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, realWiki{version, tree})
	}
	slices.SortFunc(all, func(a, b realWiki) int { return strings.Compare(a.version, b.version) })
	return all
}

func TestRealWikisOneByOne(t *testing.T) {
	wikis := realWikis(t)
	site := upkeeptest.DokuWiki(t, demo.WikiSpec{Tree: wikis[0].tree, Template: "dokuwiki"})
	p := upkeeptest.AdoptWiki(t, site, []string{"--majors"})
	offerWiki(t, p, wikis[0], wikis[0].version, nil)
	own, err := os.ReadFile(filepath.Join(site.Root, "data/pages/notes/one.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, next := range wikis[1:] {
		offerWiki(t, p, next, next.version, nil)
		out, code := p.Run(t, "site", "update", "shop", "--yes")
		t.Logf("to %s: exit %d", next.version, code)
		if code != 0 {
			t.Fatal(out)
		}
		iv := p.Last(t)
		if iv.State != upkeep.Done {
			t.Fatalf("to %s: ended %s\n%s", next.version, iv.State, out)
		}
		upkeeptest.Works(t, site)
		wikiAgrees(t, p, site)
		sameWiki(t, next.tree, site.Root)
		if text, err := os.ReadFile(filepath.Join(site.Root, "data/pages/notes/one.txt")); err != nil || string(text) != string(own) {
			t.Errorf("a page of the owner's is %q, %v", text, err)
		}
	}
	last := wikis[len(wikis)-1]
	before := upkeeptest.StateOf(t, site)
	offerWiki(t, p, last, "2099-01-01", map[string]string{"inc/common.php": "<?php\nfunction_that_nobody_wrote();\n"})
	out, code := p.Run(t, "site", "update", "shop", "--yes")
	if iv := p.Last(t); code != 4 || iv.State != upkeep.Undone || iv.Identity == nil || !iv.Identity.Proven() {
		t.Errorf("exit %d, ended %s, identity %+v\n%s", code, iv.State, iv.Identity, out)
	}
	upkeeptest.Same(t, before, site, upkeeptest.Volatile...)
	upkeeptest.Works(t, site)
}

func offerWiki(t *testing.T, p *upkeeptest.Program, release realWiki, version string, change map[string]string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), version+".tgz")
	if err := wiki.Core(file, release.tree, upkeep.Version(version), change); err != nil {
		t.Fatal(err)
	}
	p.Wiki.AddCore(upkeep.Version(version), file)
}

// sameWiki fails the test unless every file of a release but data and VERSION
// is at root as it is in its tree, and what it calls obsolete is gone.
func sameWiki(t *testing.T, tree, root string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "diff", "-rq", "-x", "data", "-x", "VERSION", "-x", "install.php", tree, root)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState.ExitCode() != 1 {
		t.Fatalf("diff: %v: %s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "Only in "+root) {
			t.Errorf("not as in the release: %s", line)
		}
	}
	list, err := os.ReadFile(filepath.Join(tree, "data/deleted.files"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(list)) {
		name, _, _ := strings.Cut(line, "#")
		if name = strings.TrimSpace(name); name == "" || strings.HasPrefix(name, "data/") {
			continue
		}
		_, inRelease := os.Lstat(filepath.Join(tree, name))
		if _, err := os.Lstat(filepath.Join(root, name)); err == nil && inRelease != nil {
			t.Errorf("%s is obsolete and still there", name)
		}
	}
}
