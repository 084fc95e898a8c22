package upkeeptest

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"

	"upkeep/internal/demo"
	"upkeep/internal/demo/portal"
)

// Joomla returns a new site of an unpacked release, with its installer, and
// both extensions in version 1.0. The first of a process is installed, later
// ones are its clones.
func Joomla(t testing.TB, tree string, postgreSQL bool) *demo.Site {
	t.Helper()
	r := theRig(t)
	once, _ := r.templates.LoadOrStore(fmt.Sprint("joomla ", tree, postgreSQL), sync.OnceValues(func() (*demo.Site, error) {
		return portal.Add(context.Background(), r.world, portal.Spec{
			Name: "j" + strconv.FormatInt(r.clones.Add(1), 10), Tree: tree, PostgreSQL: postgreSQL,
			Extensions: []portal.Release{{Element: portal.Tally, Version: "1.0"}, {Element: portal.Ribbon, Version: "1.0"}},
		})
	}))
	template, err := once.(func() (*demo.Site, error))()
	if err != nil {
		t.Fatal(err)
	}
	name := "j" + strconv.FormatInt(r.clones.Add(1), 10)
	site, err := r.world.Clone(t.Context(), template, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.world.RemoveSite(context.WithoutCancel(t.Context()), name); err != nil {
			t.Errorf("remove site: %v", err)
		}
	})
	return site
}

// AdoptJoomla gives a Joomla to a program whose joomla.org, and whose vendors,
// offer some releases.
func AdoptJoomla(t testing.TB, site *demo.Site, offer func(m *portal.Mirror) error) *Program {
	t.Helper()
	p := newProgram(t, site)
	var err error
	if p.Portal, err = portal.NewMirror(); err != nil {
		t.Fatal(err)
	}
	if err := offer(p.Portal); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(p.Portal)
	t.Cleanup(server.Close)
	root, err := p.Portal.Root()
	if err != nil {
		t.Fatal(err)
	}
	// The extensions' manifests name vendors that do not exist.
	for _, element := range []string{portal.Tally, portal.Ribbon} {
		if _, err := site.SQL(t.Context(), "UPDATE jos_update_sites SET location = '"+server.URL+"/extensions/"+element+".xml' WHERE location LIKE '%"+element[len("upkeep"):]+"%'"); err != nil {
			t.Fatal(err)
		}
	}
	p.configure(t, server, "joomla", map[string]string{"updates": server.URL, "downloads": server.URL + "/originals", "root": root})
	p.add(t, nil)
	return p
}
