package joomla_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/cms/php"
	"upkeep/internal/feed"
	"upkeep/internal/feed/joomla"
)

// stage is a publisher's world: what is answered to which path, and the time.
type stage struct {
	t       *testing.T
	mu      sync.Mutex
	answers map[string]string
	now     time.Time
	cache   *feed.Memory
	server  *httptest.Server
	root    string
}

func newStage(t *testing.T) *stage {
	s := &stage{t: t, answers: map[string]string{}, now: time.Date(2026, 8, 24, 12, 0, 0, 0, time.UTC), cache: &feed.Memory{}}
	s.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		body, ok := s.answers[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = io.WriteString(w, strings.ReplaceAll(body, "HERE", "http://"+r.Host))
	}))
	t.Cleanup(s.server.Close)
	return s
}

func (s *stage) publisher() *joomla.Publisher {
	client := feed.NewClient(feed.Options{
		Cache: s.cache, Clock: func() time.Time { return s.now }, Backoff: time.Millisecond,
		Trusted: []string{strings.TrimPrefix(s.server.URL, "http://")},
	})
	return joomla.New(client, joomla.Options{
		Updates: s.server.URL, Root: s.root, Compare: php.CompareVersions,
		Branch: func(v string) string { major, _, _ := strings.Cut(v, "."); return major },
	})
}

func (s *stage) check(site *upkeep.Inventory) *joomla.Answer {
	s.t.Helper()
	answer, err := s.publisher().Check(s.t.Context(), site)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer
}

func site(version string, components ...upkeep.Component) *upkeep.Inventory {
	core := upkeep.Component{Kind: upkeep.Core, ID: "core", Slug: "joomla", Version: upkeep.Version(version), Headers: map[string]string{"stability": "4", "stability_of_extensions": "4"}}
	return &upkeep.Inventory{CMS: upkeep.Joomla, PHP: "8.2.0", Database: "10.11.6-MariaDB", Components: append([]upkeep.Component{core}, components...)}
}

// extension is a component whose update site is at a path of the stage.
func (s *stage) extension(kind, folder, element, path string, headers ...string) upkeep.Component {
	c := upkeep.Component{
		Kind: upkeep.Plugin, ID: element, Slug: element, Name: element, Version: "1.0",
		Headers: map[string]string{"type": kind, "element": element, "folder": folder, "client": "site",
			"update_sites": fmt.Sprintf(`[{"type":"extension","location":"%s%s","enabled":true,"key":"7"}]`, s.server.URL, path)},
	}
	for i := 0; i+1 < len(headers); i += 2 {
		c.Headers[headers[i]] = headers[i+1]
	}
	return c
}

func versions(releases []upkeep.Release, id string) []string {
	var found []string
	for i := range releases {
		if releases[i].ID == id {
			found = append(found, string(releases[i].Version))
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

const emptyList = "<extensionset/>"

func update(version, platform, rest string) string {
	return "<Update><name>x</name><element>thing</element><type>plugin</type><folder>system</folder><client>site</client><VERSION>" + version +
		"</VERSION><downloads><downloadurl type='full' format='zip'>HERE/thing-" + version + ".zip?a=1</downloadurl></downloads>" +
		"<targetplatform name='joomla' version='" + platform + "'/>" + rest + "</Update>"
}

func TestExtensionsByJoomlasRules(t *testing.T) {
	s := newStage(t)
	s.answers["/core/list.xml"], s.answers["/core/sts/list_sts.xml"] = emptyList, emptyList
	s.answers["/thing.xml"] = "<?xml version='1.0'?><updates>" +
		update("1.1", "4.*", "<tags><tag>stable</tag></tags><php_minimum>8.1</php_minimum><sha512> ABCD </sha512><supported_databases mariadb='10.4' mysql='8.0'/>") +
		update("1.2", "5", "") + // for another Joomla
		update("1.3", "4", "<tags><tag>beta</tag></tags>") +
		update("1.4", "4", "<supported_databases postgresql='12'/>") + // not for this database
		update("1.5", "(4", "") + // nobody can tell
		strings.ReplaceAll(update("1.6", "4", ""), "<element>thing", "<element>other") +
		"</updates>"
	answer := s.check(site("4.3.4", s.extension("plugin", "system", "thing", "/thing.xml")))
	if got := versions(answer.Releases, "thing"); !slices.Equal(got, []string{"1.1"}) {
		t.Fatalf("offered %v", got)
	}
	r := answer.Releases[0]
	if r.RequiresPHP != "8.1" || r.RequiresDatabase != "10.4" || r.Hashes["sha512"] != "abcd" || !strings.HasSuffix(r.Package, "/thing-1.1.zip?a=1") || r.Key != "7" {
		t.Errorf("%+v", r)
	}
	if len(answer.Findings) != 1 || answer.Findings[0].Code != "platform_unknown" || !strings.Contains(answer.Findings[0].Detail, "1.5") {
		t.Errorf("findings %+v", answer.Findings)
	}
}

func TestWithoutItsKeyAReleaseHasNoPackage(t *testing.T) {
	s := newStage(t)
	s.answers["/core/list.xml"], s.answers["/core/sts/list_sts.xml"] = emptyList, emptyList
	s.answers["/thing/extension.xml"] = "<updates>" + update("1.1", ".*", "") + "</updates>" // found although the address names a folder
	answer := s.check(site("4.3.4", s.extension("plugin", "system", "thing", "/thing", "key", "missing")))
	if len(answer.Releases) != 1 || answer.Releases[0].Package != "" {
		t.Errorf("%+v", answer.Releases)
	}
	for _, headers := range [][]string{{"bundled", "1"}, {"package", "package:pkg_thing"}} {
		if answer := s.check(site("4.3.4", s.extension("plugin", "system", "thing", "/thing", headers...))); len(answer.Releases) != 0 {
			t.Errorf("%v is offered %+v", headers, answer.Releases)
		}
	}
}

func TestCollection(t *testing.T) {
	s := newStage(t)
	s.answers["/core/list.xml"], s.answers["/core/sts/list_sts.xml"] = emptyList, emptyList
	s.answers["/all.xml"] = `<extensionset><category name="x"><extension name="T" element="thing" type="plugin" folder="system" version="2.0" detailsurl="HERE/thing.xml"/></category>
<extension name="O" element="thing" type="plugin" folder="system" version="3.0" targetplatformversion="9" detailsurl="HERE/never.xml"/></extensionset>`
	s.answers["/thing.xml"] = "<updates>" + update("2.0", "4", "") + "</updates>"
	answer := s.check(site("4.3.4", s.extension("plugin", "system", "thing", "/all.xml")))
	if got := versions(answer.Releases, "thing"); !slices.Equal(got, []string{"2.0"}) || len(answer.Problems) > 0 {
		t.Errorf("offered %v, problems %v", got, answer.Problems)
	}
}

// corpusStage has joomla.org as it once was.
func corpusStage(t *testing.T) *stage {
	corpus := os.Getenv("UPKEEP_CORPUS")
	if corpus == "" {
		t.Skip("UPKEEP_CORPUS names no folder")
	}
	s := newStage(t)
	for prefix, dir := range map[string]string{"/cms/": "tuf", "/core/": "update.joomla.org/core"} {
		dir = filepath.Join(corpus, "joomla", dir)
		err := filepath.WalkDir(dir, func(file string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			text, err := os.ReadFile(file)
			rel, _ := filepath.Rel(dir, file)
			s.answers[prefix+filepath.ToSlash(rel)] = string(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func coreVersions(answer *joomla.Answer) map[string]string {
	found := map[string]string{}
	for i := range answer.Releases {
		if r := &answer.Releases[i]; r.Kind == upkeep.Core {
			found[string(r.Version)] = r.Branch
		}
	}
	return found
}

func TestRealRepository(t *testing.T) {
	s := corpusStage(t)
	answer := s.check(site("5.2.5"))
	got := coreVersions(answer)
	if got["5.4.8"] != "5" || got["6.1.3"] != "" || got["5.4.8-rc1"] != "" || len(answer.Problems) > 0 {
		t.Errorf("5.2.5 is offered %v, problems %v", got, answer.Problems)
	}
	got = coreVersions(s.check(site("5.4.2")))
	if got["5.4.8"] != "5" || got["6.1.3"] != "6" {
		t.Errorf("5.4.2 is offered %v", got)
	}
	for i := range answer.Releases {
		if r := &answer.Releases[i]; r.Version == "5.4.8" && (len(r.Hashes["sha512"]) != 128 || r.RequiresPHP != "8.1.0" || r.RequiresDatabase != "10.4" || r.Package == "") {
			t.Errorf("%+v", r)
		}
	}
}

func TestRealLists(t *testing.T) {
	s := corpusStage(t)
	for have, want := range map[string]string{"3.9.28": "3.10.12", "4.2.0": "4.4.14", "5.0.1": "5.4.8"} {
		if got := coreVersions(s.check(site(have))); got[want] == "" {
			t.Errorf("%s is offered %v, want %s", have, got, want)
		}
	}
	answer := s.check(site("3.10.12"))
	if got := coreVersions(answer); got["4.4.14"] != "4" {
		t.Errorf("3.10.12 is offered %v, want the next major version too", got)
	}
	for i := range answer.Releases {
		if r := &answer.Releases[i]; r.ByHand != (r.Branch != "3") {
			t.Errorf("from 3 to %s by hand: %v", r.Version, r.ByHand)
		}
	}
}

// Attacks on the repository: what was signed before is answered while it
// holds, and what was not signed is never.
func TestRepositoryUnderAttack(t *testing.T) {
	offers := func(s *stage) (int, bool) {
		answer, err := s.publisher().Check(t.Context(), site("5.2.5"))
		if err != nil {
			return 0, true
		}
		return len(coreVersions(answer)), answer.Stale || len(answer.Problems) > 0
	}
	for name, attack := range map[string]struct {
		change func(s *stage)
		fresh  bool // of a publisher that has seen nothing before
		kept   bool // what was signed before is still answered
	}{
		"another first root": {func(s *stage) { s.answers["/cms/1.root.json"] += " " }, true, false},
		"targets with a bit less": {func(s *stage) {
			s.answers["/cms/109.targets.json"] = strings.Replace(s.answers["/cms/109.targets.json"], "5.4.8", "5.4.9", 1)
		}, true, false},
		"a root of somebody's": {func(s *stage) {
			s.answers["/cms/17.root.json"] = strings.Replace(s.answers["/cms/16.root.json"], `"version":16`, `"version":17`, 1)
		}, true, false},
		"freeze":        {func(s *stage) { s.now = s.now.Add(48 * time.Hour) }, true, false},
		"freeze, later": {func(s *stage) { s.now = s.now.Add(48 * time.Hour) }, false, false},
		"unsigned timestamp, later": {func(s *stage) {
			s.answers["/cms/timestamp.json"] = strings.Replace(s.answers["/cms/timestamp.json"], `"version":1207`, `"version":1208`, 1)
		}, false, true},
		"gone, later": {func(s *stage) { delete(s.answers, "/cms/timestamp.json") }, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := corpusStage(t)
			if !attack.fresh {
				if n, problem := offers(s); n == 0 || problem {
					t.Fatalf("before: %d offers, problem %t", n, problem)
				}
			}
			attack.change(s)
			n, problem := offers(s)
			if !problem || (n > 0) != attack.kept {
				t.Errorf("%d offers, problem %t", n, problem)
			}
		})
	}
}
