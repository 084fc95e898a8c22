package upkeeptest

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"upkeep/internal/demo"
	"upkeep/internal/demo/project"
)

// Drupal returns a new site that is the test's own and is removed with it. The
// spec's name is not used. The first site of a spec is installed, which takes
// up to half a minute; each further one is its clone.
func Drupal(t testing.TB, spec project.Spec) *demo.Site {
	t.Helper()
	r := theRig(t)
	key, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	once, _ := r.templates.LoadOrStore(string(key), sync.OnceValues(func() (*demo.Site, error) {
		spec.Name = "t" + strconv.FormatInt(r.clones.Add(1), 10)
		site, err := project.Add(context.Background(), r.world, spec)
		if err == nil {
			err = forget(site)
		}
		return site, err
	}))
	template, err := once.(func() (*demo.Site, error))()
	if err != nil {
		t.Fatal(err)
	}
	name := "d" + strconv.FormatInt(r.clones.Add(1), 10)
	site, err := r.world.Clone(t.Context(), template, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.world.RemoveSite(context.WithoutCancel(t.Context()), name); err != nil {
			t.Errorf("remove site: %v", err)
		}
	})
	Works(t, site) // tables of caches are made when they are first needed
	return site
}

// forget empties the caches of a site: they know in which folder it lies.
func forget(site *demo.Site) error {
	ctx := context.Background()
	list := map[string]string{
		"mariadb":    "SELECT table_name FROM information_schema.tables WHERE table_schema = database() AND table_name LIKE 'cache%'",
		"postgresql": "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_name LIKE 'cache%'",
		"sqlite":     "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'cache%'",
	}
	tables, err := site.SQL(ctx, list[site.Database.Engine])
	if err != nil {
		return err
	}
	statements := ""
	for _, table := range strings.Fields(tables) {
		if table != "cachetags" {
			statements += "DELETE FROM " + table + ";"
		}
	}
	_, err = site.SQL(ctx, statements)
	return err
}

// AdoptDrupal returns the program with a Drupal added under the name "shop".
// Its drupal.org is empty.
func AdoptDrupal(t testing.TB, site *demo.Site, fill func(m *project.Mirror)) *Program {
	t.Helper()
	p := newProgram(t, site)
	p.Drupal = project.NewMirror()
	fill(p.Drupal)
	server := httptest.NewServer(p.Drupal)
	t.Cleanup(server.Close)
	p.configure(t, server, "drupal", map[string]string{"history": server.URL})
	p.add(t, nil)
	return p
}
