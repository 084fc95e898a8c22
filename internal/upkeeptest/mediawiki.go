package upkeeptest

import (
	"context"
	"net/http/httptest"
	"strconv"
	"testing"

	"upkeep/internal/demo"
	"upkeep/internal/demo/wikimedia"
)

// MediaWiki returns a new MediaWiki that is the test's own and is removed with
// it. The spec's name is not used.
func MediaWiki(t testing.TB, spec wikimedia.Spec) *demo.Site {
	t.Helper()
	r := theRig(t)
	spec.Name = "m" + strconv.FormatInt(r.clones.Add(1), 10)
	site, err := r.world.AddMediaWiki(t.Context(), spec)
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

// AdoptMediaWiki returns the program with a MediaWiki added under the name
// "shop", with further flags of site add. Its Wikimedia offers the given
// snapshots.
func AdoptMediaWiki(t testing.TB, site *demo.Site, flags []string, offers ...wikimedia.Snapshot) *Program {
	t.Helper()
	p := newProgram(t, site)
	p.Wikimedia = wikimedia.NewMirror()
	for _, snapshot := range offers {
		p.Wikimedia.Add(snapshot)
	}
	server := httptest.NewServer(p.Wikimedia)
	t.Cleanup(server.Close)
	p.configure(t, server, "mediawiki", map[string]string{"releases": server.URL + "/releases", "api": server.URL + "/api"})
	p.add(t, flags)
	return p
}
