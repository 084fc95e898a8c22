package dokuwiki_test

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/demo/wiki"
	"upkeep/internal/feed"
	"upkeep/internal/feed/dokuwiki"
)

// publisher returns one that asks handler, and the clock that it goes by.
func publisher(t *testing.T, handler http.Handler, age time.Duration) (*dokuwiki.Publisher, *time.Time) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	now := time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC)
	client := feed.NewClient(feed.Options{
		Trusted: []string{strings.TrimPrefix(server.URL, "http://")}, Backoff: time.Millisecond, Clock: func() time.Time { return now },
	})
	packages, err := feed.NewPackages(filepath.Join(t.TempDir(), "packages"), client, 0)
	if err != nil {
		t.Fatal(err)
	}
	return dokuwiki.New(client, dokuwiki.Options{
		Downloads: server.URL, Updates: server.URL, Repository: server.URL + "/repository", MaxAge: age, Packages: packages,
		Compare: strings.Compare, Branch: func(v string) string { return v[:min(10, len(v))] },
	}), &now
}

func site(components ...upkeep.Component) *upkeep.Inventory {
	core := upkeep.Component{Kind: upkeep.Core, ID: "core", Slug: "dokuwiki", Version: "2025-05-14a", Headers: map[string]string{"update_version": "56.1"}}
	return &upkeep.Inventory{PHP: "8.2.30", Components: append([]upkeep.Component{core}, components...)}
}

func plugin(base, version string) upkeep.Component {
	return upkeep.Component{Kind: upkeep.Plugin, ID: base, Slug: base, Version: upkeep.Version(version), Active: true,
		Headers: map[string]string{"author": "Example Works", "name": base}}
}

func check(t *testing.T, p *dokuwiki.Publisher, sites ...*upkeep.Inventory) *feed.Said {
	t.Helper()
	answer, err := p.Check(t.Context(), sites)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// told writes what an answer says, in lines.
func told(answer feed.SiteAnswer) string {
	var lines []string
	for _, r := range answer.Releases {
		line := string(r.Kind) + ":" + r.Slug + " " + string(r.Version)
		if r.Security {
			line += " security"
		}
		if r.Package == "" {
			line += " without"
		}
		lines = append(lines, line)
	}
	for _, c := range answer.Closed {
		lines = append(lines, "closed "+c.Slug)
	}
	for _, f := range answer.Findings {
		lines = append(lines, f.Code+" "+f.Component)
	}
	slices.Sort(lines)
	return strings.Join(lines, "; ")
}

func TestWhatIsOffered(t *testing.T) {
	m := wiki.NewMirror()
	m.AddCore("2026-07-14b", "")
	m.AddCore("2025-05-14b", "")
	m.Add(wiki.Plugin(wiki.Tally, "2024-02-02"))
	m.Add(wiki.Template(wiki.PlainPaper, "2024-02-02"))
	m.Add(wiki.Plugin(wiki.Ribbon, "2024-02-02"))
	m.Withhold("ribbon")
	m.Say("tally", map[string]any{"securitywarning": "allowsscript", "depends": []string{"sqlite", "template:x"}, "conflicts": map[string]any{"2": "ribbon"}, "phpmax": "8.1", "updatemessage": "Security update"})
	m.Say("template:plainpaper", map[string]any{"securityissue": "XSS", "lastupdate": "2024-03-03", "tags": []string{"!obsolete"}})
	bundled := plugin("acl", "2015-07-25")
	bundled.Headers["bundled"] = "1"
	theme := plugin("plainpaper", "2024-01-01")
	theme.Kind = upkeep.Theme
	p, _ := publisher(t, m, 0)
	answer := check(t, p, site(plugin("tally", "2024-01-01"), plugin("ribbon", "2024-01-01"), plugin("own", "1"), bundled, theme))
	want := "closed plainpaper; conflict plugin:tally; core:dokuwiki 2025-05-14b security; core:dokuwiki 2026-07-14b security; obsolete theme:plainpaper; php_too_new plugin:tally; " +
		"plugin:ribbon 2024-02-02 without; plugin:tally 2024-02-02 security; security_warning plugin:tally; theme:plainpaper 2024-03-03"
	if got := told(answer.Sites[0]); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, r := range answer.Sites[0].Releases {
		if r.Slug == "tally" && !slices.Equal(r.RequiresComponents, []string{"sqlite"}) {
			t.Errorf("tally requires %v", r.RequiresComponents)
		}
		if r.Version == "2026-07-14b" && (r.Branch != "2026-07-14" || !strings.HasSuffix(r.Package, "/src/dokuwiki/dokuwiki-2026-07-14b.tgz")) {
			t.Errorf("%+v", r)
		}
	}
}

func TestOneRequestForTheFleet(t *testing.T) {
	m := wiki.NewMirror()
	m.AddCore("2026-07-14b", "")
	m.Add(wiki.Plugin(wiki.Tally, "2024-02-02"))
	m.Add(wiki.Plugin(wiki.Ribbon, "2024-02-02"))
	p, now := publisher(t, m, time.Hour)
	check(t, p, site(plugin("tally", "1")), site(plugin("ribbon", "1")), site(plugin("tally", "1"), plugin("own", "1")))
	if n := m.Requests("/repository"); n != 1 {
		t.Errorf("%d requests for three sites", n)
	}
	check(t, p, site(plugin("tally", "1")))
	if n := m.Requests("/repository") + m.Requests("/version"); n != 2 {
		t.Errorf("%d requests while all is remembered", n)
	}
	*now = now.Add(2 * time.Hour)
	m.Down(true)
	answer := check(t, p, site(plugin("tally", "1")))
	if !answer.Sites[0].Stale || len(answer.Problems) == 0 || !strings.Contains(told(answer.Sites[0]), "plugin:tally 2024-02-02") {
		t.Errorf("when nobody answers: %+v", answer)
	}
}

func TestNothingKnownIsAnError(t *testing.T) {
	m := wiki.NewMirror()
	m.Down(true)
	p, _ := publisher(t, m, 0)
	if _, err := p.Check(t.Context(), []*upkeep.Inventory{site()}); upkeep.CodeOf(err) != upkeep.CodeUnreachable {
		t.Errorf("%v", err)
	}
}

func TestStrangersOfTheSameName(t *testing.T) {
	m := wiki.NewMirror()
	m.Add(wiki.Plugin(wiki.Tally, "2024-02-02"))
	m.AddCore("2026-07-14b", "")
	own := plugin("tally", "2020-01-01")
	own.Headers = map[string]string{"author": "The Agency", "name": "Our Tally", "email": "us@agency.example"}
	p, _ := publisher(t, m, 0)
	if got := told(check(t, p, site(own)).Sites[0]); !strings.Contains(got, "same_slug_stranger plugin:tally") || strings.Contains(got, "plugin:tally 2024") {
		t.Error(got)
	}
}

// answers serves fixed bodies by path.
type answers map[string]string

func (a answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, ok := a[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	_, _ = w.Write([]byte(body))
}

func TestMessages(t *testing.T) {
	list := `{"stable":{"version":"2026-07-14b","date":"2026-07-14b","name":"Mort"},"oldstable":{"version":"Librarian","date":"2025-05-14b"},"rc":{"date":"rc2026-06-09"},"odd":[]}`
	hotfix := "Hotfix <b>2025-05-14b</b> mends a security issue: see <a href=\"x\">there</a>\n%\nNew release 2026-07-14b available\n%"
	for name, test := range map[string]struct {
		answers answers
		want    string
	}{
		"both":            {answers{"/version": list, "/check/56.1": hotfix}, "core:dokuwiki 2025-05-14b security; core:dokuwiki 2026-07-14b security"},
		"no message":      {answers{"/version": list, "/check/56.1": ""}, "core:dokuwiki 2025-05-14b security; core:dokuwiki 2026-07-14b security"},
		"messages alone":  {answers{"/check/56.1": hotfix}, "core:dokuwiki 2025-05-14b security; core:dokuwiki 2026-07-14b security"},
		"a page between":  {answers{"/version": list, "/check/56.1": "<html>2099-01-01 log in to the WiFi</html>"}, "core:dokuwiki 2025-05-14b security; core:dokuwiki 2026-07-14b security"},
		"only a page":     {answers{"/version": "<html>", "/check/56.1": ""}, ""},
		"hostile version": {answers{"/version": `{"stable":{"version":"../../x"},"b":{"date":"2026-07-14"}}`, "/check/56.1": ""}, "core:dokuwiki 2026-07-14"},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := publisher(t, test.answers, 0)
			if got := told(check(t, p, site()).Sites[0]); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestOriginals(t *testing.T) {
	tree := t.TempDir()
	file := filepath.Join(t.TempDir(), "x.tgz")
	if err := wiki.Core(file, tree, "2025-05-14a", map[string]string{"inc/init.php": "<?php", "inc/lang/fr/lang.php": "<?php", "README": "x"}); err != nil {
		t.Fatal(err)
	}
	m := wiki.NewMirror()
	m.AddCore("2025-05-14a", file)
	p, _ := publisher(t, m, 0)
	originals, problems := p.Originals(t.Context(), site(plugin("tally", "1")).Components)
	core := originals["core"]
	if len(problems) > 0 || len(originals) != 1 || len(core.Files["inc/init.php"]) != 1 || !slices.Equal(core.Soft, []string{"README", "inc/lang/fr/lang.php"}) {
		t.Errorf("%+v, %v", originals, problems)
	}
	missing := site()
	missing.Components[0].Version = "2018-04-22"
	if originals, problems := p.Originals(t.Context(), missing.Components); len(originals)+len(problems) > 0 {
		t.Errorf("of a release that is not kept: %v, %v", originals, problems)
	}
}
