package upkeeptest

import (
	"context"
	"net/http/httptest"
	"strconv"
	"testing"

	"upkeep"
	"upkeep/internal/demo"
	"upkeep/internal/demo/wiki"
)

// DokuWiki returns a new wiki that is the test's own and is removed with it.
// The spec's name is not used; a spec without extensions gets WikiBasics.
func DokuWiki(t testing.TB, spec demo.WikiSpec) *demo.Site {
	t.Helper()
	r := theRig(t)
	if len(spec.Extensions) == 0 {
		spec.Extensions = WikiBasics("2024-01-01")
	}
	spec.Name = "w" + strconv.FormatInt(r.clones.Add(1), 10)
	site, err := r.world.AddDokuWiki(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.world.RemoveSite(context.WithoutCancel(t.Context()), spec.Name); err != nil {
			t.Errorf("remove site: %v", err)
		}
	})
	return site
}

// WikiBasics returns what most tests want on a wiki, of one version.
func WikiBasics(v upkeep.Version) []wiki.Release {
	return []wiki.Release{wiki.Plugin(wiki.Tally, v), wiki.Plugin(wiki.Ribbon, v), wiki.Template(wiki.PlainPaper, v)}
}

// AdoptWiki returns the program with a wiki added under the name "shop", with
// further flags of site add. Its dokuwiki.org offers the given releases.
func AdoptWiki(t testing.TB, site *demo.Site, flags []string, offers ...wiki.Release) *Program {
	t.Helper()
	p := newProgram(t, site)
	p.Wiki = wiki.NewMirror()
	for _, release := range offers {
		p.Wiki.Add(release)
	}
	server := httptest.NewServer(p.Wiki)
	t.Cleanup(server.Close)
	p.configure(t, server, "dokuwiki", map[string]string{"downloads": server.URL, "updates": server.URL, "repository": server.URL + "/repository"})
	p.add(t, flags)
	return p
}
