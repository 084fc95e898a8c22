package upkeeptest_test

import (
	"os"
	"testing"

	"upkeep"
	"upkeep/internal/demo/wikimedia"
	"upkeep/internal/upkeeptest"
)

// The suite's wikis are on SQLite; most of the world's are not.
func TestMediaWikiOnMariaDB(t *testing.T) {
	t.Parallel()
	branch := debianBranch(t)
	site := upkeeptest.MediaWiki(t, wikimedia.Spec{MariaDB: true, Extensions: []wikimedia.Snapshot{wikimedia.Extension(branch, tallyOld)}})
	p := adoptMediaWikiOffers(t, site, true)
	if out, code := p.Run(t, "site", "update", "shop", "--yes"); code != 0 || p.Last(t).State != upkeep.Done {
		t.Fatalf("exit %d\n%s", code, out)
	}
	mediawikiAgrees(t, p, site)
	if rows, err := site.SQL(t.Context(), "SHOW TABLES LIKE 'tally_20240202'"); err != nil || rows == "" {
		t.Errorf("the updater made no table: %q, %v", rows, err)
	}
	before := upkeeptest.StateOf(t, site)
	p.Wikimedia.Add(wikimedia.Extension(branch, tallyNew.AddDate(0, 1, 0)).With(wikimedia.Wipes))
	out, code := p.Run(t, "site", "update", "shop", "--yes")
	if iv := p.Last(t); code != 4 || iv.State != upkeep.Undone || iv.Identity == nil || !iv.Identity.Proven() {
		t.Errorf("exit %d, ended %s, identity %+v\n%s", code, iv.State, iv.Identity, out)
	}
	upkeeptest.Same(t, before, site, upkeeptest.Volatile...)
	upkeeptest.Works(t, site)
}

// Unpacked releases of MediaWiki that these variables name: a site of the first
// is brought to the second, of another branch.
const (
	mediawikiOldVariable = "UPKEEP_TEST_MEDIAWIKI_OLD"
	mediawikiNewVariable = "UPKEEP_TEST_MEDIAWIKI_NEW"
)

func TestRealMediaWiki(t *testing.T) {
	before, after := os.Getenv(mediawikiOldVariable), os.Getenv(mediawikiNewVariable)
	if before == "" || after == "" {
		t.Skipf("%s and %s name no unpacked releases of MediaWiki", mediawikiOldVariable, mediawikiNewVariable)
	}
	for name, spec := range map[string]wikimedia.Spec{"mariadb": {MariaDB: true}, "sqlite": {}, "postgresql": {PostgreSQL: true}} {
		t.Run(name, func(t *testing.T) {
			if spec.PostgreSQL && !phpKnows("pgsql") {
				t.Skip("PHP is without pgsql")
			}
			spec.Tree = before
			site := upkeeptest.MediaWiki(t, spec)
			p := upkeeptest.AdoptMediaWiki(t, site, []string{"--majors"})
			offerMediaWiki(t, p, after)
			if out, code := p.Run(t, "site", "update", "shop", "--yes"); code != 0 || p.Last(t).State != upkeep.Done {
				t.Fatalf("exit %d, ended %s\n%s", code, p.Last(t).State, out)
			}
			upkeeptest.Works(t, site)
			mediawikiAgrees(t, p, site)
		})
	}
}

func offerMediaWiki(t *testing.T, p *upkeeptest.Program, tree string) {
	t.Helper()
	version := upkeep.Version(wikimedia.VersionOf(tree))
	file := t.TempDir() + "/core.tar.gz"
	if err := wikimedia.Core(file, tree, version, nil); err != nil {
		t.Fatal(err)
	}
	p.Wikimedia.AddCore(version, file)
}
