package mediawiki_test

import (
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/cms/php"
	"upkeep/internal/demo/wikimedia"
	"upkeep/internal/feed"
	"upkeep/internal/feed/mediawiki"
)

var made = time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)

// publisher returns one that asks m. It reads the version of an archive as the
// driver does, in little.
func publisher(t *testing.T, m *wikimedia.Mirror, now time.Time) *mediawiki.Publisher {
	t.Helper()
	server := httptest.NewServer(m)
	t.Cleanup(server.Close)
	client := feed.NewClient(feed.Options{
		Trusted: []string{strings.TrimPrefix(server.URL, "http://")}, Backoff: time.Millisecond, Clock: func() time.Time { return now },
	})
	packages, err := feed.NewPackages(filepath.Join(t.TempDir(), "packages"), client, 0)
	if err != nil {
		t.Fatal(err)
	}
	return mediawiki.New(client, mediawiki.Options{
		Releases: server.URL + "/releases", API: server.URL + "/api", Packages: packages, Compare: php.CompareVersions,
		Snapshot: func(text []byte) string {
			at, err := time.Parse("2006-01-02T15:04:05", strings.Split(string(text), "\n")[1])
			if err != nil {
				return ""
			}
			return "1.39-" + at.Format("20060102150405")
		},
	})
}

func site(version string, components ...upkeep.Component) *upkeep.Inventory {
	core := upkeep.Component{Kind: upkeep.Core, ID: "core", Slug: "mediawiki", Version: upkeep.Version(version)}
	return &upkeep.Inventory{Components: append([]upkeep.Component{core}, components...)}
}

func tally(s wikimedia.Snapshot) upkeep.Component {
	return upkeep.Component{Kind: upkeep.Plugin, ID: s.Name, Slug: s.Name, Version: s.Version(), Headers: map[string]string{"revision": s.Revision()}}
}

func told(t *testing.T, p *mediawiki.Publisher, sites ...*upkeep.Inventory) []string {
	t.Helper()
	answer, err := p.Check(t.Context(), sites)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, said := range answer.Sites {
		var lines []string
		for _, r := range said.Releases {
			line := string(r.Version)
			if r.Security {
				line += " security"
			}
			if r.UpgradesFrom != "" {
				line += " from " + string(r.UpgradesFrom)
			}
			if r.Kind == upkeep.Plugin {
				line += " for " + string(r.RequiresCMS)
			}
			lines = append(lines, line)
		}
		for _, f := range said.Findings {
			lines = append(lines, f.Code+" "+f.Detail)
		}
		all = append(all, strings.Join(lines, "; "))
	}
	return all
}

func offers() *wikimedia.Mirror {
	m := wikimedia.NewMirror()
	for _, version := range []string{"1.35.14", "1.39.16", "1.39.17", "1.40.4", "1.43.0", "1.43.9", "1.44.2"} {
		m.AddCore(upkeep.Version(version), "")
	}
	return m
}

// One with long support is offered its like; another everything. What is too
// far behind is told by each release.
func TestBranches(t *testing.T) {
	p := publisher(t, offers(), time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC))
	got := told(t, p, site("1.39.16"), site("1.40.1"), site("1.43.9"))
	want := []string{
		"1.39.16 security from 1.31; 1.39.17 security from 1.31; 1.43.0 from 1.35; 1.43.9 security from 1.35; branch_ended 1.39, 2025-12-31",
		"1.40.4 security from 1.35; 1.43.0 from 1.35; 1.43.9 security from 1.35; 1.44.2 security from 1.39; branch_ended 1.40, 2024-06-30",
		"1.43.0 from 1.35; 1.43.9 security from 1.35",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Releases have their signature beside them, for who knows the keys.
func TestReleasesAreSigned(t *testing.T) {
	server := httptest.NewServer(offers())
	t.Cleanup(server.Close)
	client := feed.NewClient(feed.Options{Trusted: []string{strings.TrimPrefix(server.URL, "http://")}})
	for _, signed := range []bool{true, false} {
		p := mediawiki.New(client, mediawiki.Options{Releases: server.URL + "/releases", API: server.URL + "/api", Compare: php.CompareVersions, Signed: signed})
		answer, err := p.Check(t.Context(), []*upkeep.Inventory{site("1.39.16")})
		if err != nil || len(answer.Sites[0].Releases) == 0 {
			t.Fatalf("%+v, %v", answer, err)
		}
		for _, r := range answer.Sites[0].Releases {
			if want := map[bool]string{true: r.Package + ".sig"}[signed]; r.Signature != want {
				t.Errorf("signature of %s: %q, want %q", r.Version, r.Signature, want)
			}
		}
	}
}

// An archive is known by its commit; when that was made stands inside.
func TestExtensions(t *testing.T) {
	m := offers()
	old, fresh := wikimedia.Extension("1.39", made), wikimedia.Extension("1.39", made.AddDate(0, 1, 0))
	m.Add(fresh)
	p := publisher(t, m, made)
	own := upkeep.Component{Kind: upkeep.Plugin, ID: "Own", Slug: "Own", Version: "1.0"}
	got := told(t, p, site("1.39.17", tally(old), own), site("1.39.17", tally(fresh)))
	for i, want := range []string{string(fresh.Version()) + " for 1.39", string(fresh.Version()) + " for 1.39"} {
		if !strings.HasSuffix(got[i], want) {
			t.Errorf("site %d: %s, want %s", i, got[i], want)
		}
	}
	told(t, p, site("1.39.17", tally(old)))
	if n := m.Requests("/dist/extensions/Tally-REL1_39-" + fresh.Revision() + ".tar.gz"); n != 1 {
		t.Errorf("%d downloads to know one version", n)
	}
}

func TestDown(t *testing.T) {
	m := offers()
	p := publisher(t, m, made)
	told(t, p, site("1.39.17"))
	m.Down(true)
	answer, err := p.Check(t.Context(), []*upkeep.Inventory{site("1.39.17")})
	if err != nil || !answer.Sites[0].Stale || len(answer.Sites[0].Releases) == 0 || len(answer.Problems) == 0 {
		t.Errorf("%+v, %v", answer, err)
	}
}
