package upkeeptest_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/demo"
	"upkeep/internal/demo/project"
	"upkeep/internal/upkeeptest"
)

// secondHost is the name of the other site of the same code.
const secondHost = "second.example"

// withSecond makes a Drupal whose code serves two sites, and returns the
// database of the second.
func withSecond(t *testing.T) (*drupalTrees, *demo.Site, *cms.Database) {
	t.Helper()
	d := &drupalTrees{generation: "8", from: os.Getenv("UPKEEP_TEST_DRUPAL_OLD"), to: os.Getenv("UPKEEP_TEST_DRUPAL_NEW")}
	if d.from == "" || d.to == "" {
		t.Skip("set UPKEEP_TEST_DRUPAL_OLD and _NEW to the folders of unpacked releases")
	}
	site := d.site(t)
	world := site.World()
	second, err := world.MariaDB.CreateDatabase(t.Context(), "second_"+site.Name)
	if err != nil {
		t.Fatal(err)
	}
	dump, err := site.Dump(t.Context())
	if err == nil {
		_, err = world.MariaDB.Exec(t.Context(), second.Name, dump)
	}
	if err != nil {
		t.Fatal(err)
	}
	sites := filepath.Join(site.Root, "sites")
	if err := world.CopyTree(filepath.Join(sites, "default"), filepath.Join(sites, secondHost)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(sites, secondHost, "settings.php")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	replace := strings.NewReplacer("'"+site.Database.Name+"'", "'"+second.Name+"'", "'"+site.Database.User+"'", "'"+second.User+"'", site.Database.Password, second.Password)
	if err := os.WriteFile(file, []byte(replace.Replace(string(text))), 0o444); err != nil {
		t.Fatal(err)
	}
	plant(t, site, "sites/sites.php", "<?php\n// Several sites.\n")
	for _, path := range []string{"", "user/login", "node/1"} { // tables of caches are made when they are first needed
		if status := secondShows(t, site, path); status != http.StatusOK {
			t.Fatalf("the second site answers %d", status)
		}
	}
	return d, site, second
}

// secondAnswers is the status of the second site's home page.
func secondAnswers(t *testing.T, site *demo.Site) int { return secondShows(t, site, "") }

// secondShows is the status of one of its pages.
func secondShows(t *testing.T, site *demo.Site, path string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, site.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = secondHost
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := answer.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode
}

// steady is of a dump what no visit changes, a statement each.
func steady(dump string) *upkeeptest.State {
	return &upkeeptest.State{Database: slices.DeleteFunc(strings.Split(dump, ";\n"), func(statement string) bool {
		return slices.ContainsFunc(upkeeptest.Volatile, func(part string) bool { return strings.Contains(statement, part) })
	})}
}

// One intervention freezes, backs up and migrates every site of the code.
func TestSitesOfOneCodeGoTogether(t *testing.T) {
	t.Parallel()
	d, site, second := withSecond(t)
	p := d.adopt(t, site, true)
	if out, code := p.Run(t, "site", "freeze", "shop", "--yes"); code != 0 {
		t.Fatalf("exit %d: %s", code, out)
	}
	if status := secondAnswers(t, site); status != http.StatusServiceUnavailable {
		t.Errorf("the second site answers %d while frozen", status)
	}
	if out, code := p.Run(t, "site", "thaw", "shop"); code != 0 {
		t.Fatalf("exit %d: %s", code, out)
	}
	if out, code := p.Run(t, "site", "update", "shop", "--yes"); code != 0 {
		t.Fatalf("exit %d\n%s", code, out)
	}
	iv := p.Last(t)
	loaded, looked := "", ""
	for _, check := range iv.Verdict.Checks {
		switch {
		case check.Code == "bootstrap" && check.OK:
			loaded += check.Subject + " "
		case check.Code == "page" && check.OK && strings.HasPrefix(check.Subject, secondHost):
			looked += check.Subject + " "
		}
	}
	if loaded != "default "+secondHost+" " || looked != secondHost+"/ "+secondHost+"/user/login "+secondHost+"/node/1 " {
		t.Errorf("loaded %q, looked at %q", loaded, looked)
	}
	for _, database := range []string{site.Database.Name, second.Name} {
		weight, err := site.World().MariaDB.Exec(t.Context(), database, "SELECT MIN(weight), COUNT(*) FROM tally")
		if err != nil || strings.TrimSpace(weight) != "7\t3" {
			t.Errorf("%s was not migrated: %q, %v", database, weight, err)
		}
	}
	if status := secondAnswers(t, site); status != http.StatusOK {
		t.Errorf("the second site answers %d", status)
	}
	upkeeptest.Works(t, site)
}

// A page that only another site of the code fails to show is seen, and named.
func TestAnotherSitesPagesAreLookedAt(t *testing.T) {
	t.Parallel()
	d, site, _ := withSecond(t)
	file := "sites/" + secondHost + "/settings.php"
	text, err := os.ReadFile(filepath.Join(site.Root, file))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(site.Root, file), 0o644); err != nil {
		t.Fatal(err)
	}
	plant(t, site, file, string(text)+"\nif (PHP_SAPI !== 'cli' && is_file($app_root . '/core/brought.php')) { http_response_code(500); exit; }\n")
	p := d.offer(t, site, true)
	out, code := p.Run(t, "site", "update", "shop", "--yes")
	iv := p.Last(t)
	if code != 4 || iv.State != upkeep.Undone || !strings.Contains(out, secondHost+"/node/1") {
		t.Errorf("exit %d, ended %s\n%s", code, iv.State, out)
	}
	if status := secondAnswers(t, site); status != http.StatusOK {
		t.Errorf("the second site answers %d", status)
	}
}

// What breaks on one of them is undone on all.
func TestOneSiteOfTheCodeBreaksForAll(t *testing.T) {
	t.Parallel()
	d, site, second := withSecond(t)
	if _, err := site.World().MariaDB.Exec(t.Context(), second.Name, "ALTER TABLE tally DROP COLUMN weight"); err != nil {
		t.Fatal(err)
	}
	p := d.offer(t, site, false, d.module(project.Tally, "1", false))
	before := upkeeptest.StateOf(t, site)
	content, err := site.World().MariaDB.Dump(t.Context(), second.Name)
	if err != nil {
		t.Fatal(err)
	}
	out, code := p.Run(t, "site", "update", "shop", "--yes")
	iv := p.Last(t)
	if code != 4 || iv.State != upkeep.Undone || iv.Identity == nil || !iv.Identity.Proven() {
		t.Errorf("exit %d, ended %s, identity %+v\n%s", code, iv.State, iv.Identity, out)
	}
	upkeeptest.Same(t, before, site, upkeeptest.Volatile...)
	now, err := site.World().MariaDB.Dump(t.Context(), second.Name)
	if diff := steady(content).Diff(steady(now)); err != nil || diff != "" {
		t.Errorf("the second database is another: %v\n%s", err, diff)
	}
	if status := secondAnswers(t, site); status != http.StatusOK {
		t.Errorf("the second site answers %d", status)
	}
}
