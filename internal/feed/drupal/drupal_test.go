package drupal_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"upkeep"
	"upkeep/internal/cms/php"
	"upkeep/internal/feed"
	"upkeep/internal/feed/drupal"
)

// said is what a drupal.org of the test's own says of each project.
var said = map[string]string{
	"/drupal/current": history("drupal", "published", "10.2.,10.1.,9.5.", "10.2.1", "10.2.0", "10.1.8+sec", "10.1.7", "10.1.6", "10.2.x-dev", "9.5.11"),
	"/token/current":  history("token", "published", "8.x-1.,2.0.", "2.0.0", "8.x-1.14-beta1", "8.x-1.13+sec", "8.x-1.12+bad", "8.x-1.11"),
	"/gone/current":   history("gone", "unsupported", "1.", "1.1.0", "1.0.0"),
	"/views/7.x":      history("views", "published", "7.x-3.", "7.x-3.29", "7.x-3.28", "7.x-2.16"),
	"/drupal/7.x":     history("drupal", "published", "7.", "7.103", "7.102"),
}

// history writes releases, newest first; +sec marks a security update, +bad an
// insecure release.
func history(project, status, branches string, versions ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<?xml version="1.0"?><project><title>%s</title><short_name>%[1]s</short_name><project_status>%s</project_status><supported_branches>%s</supported_branches><releases>`, project, status, branches)
	for i, version := range versions {
		version, kind, _ := strings.Cut(version, "+")
		terms := map[string]string{"sec": "Security update", "bad": "Insecure", "": "Bug fixes"}[kind]
		fmt.Fprintf(&b, `<release><name>x</name><version>%s</version><status>published</status><release_link>https://example.org/%[1]s</release_link><download_link>https://example.org/%[1]s.tar.gz</download_link><date>%d</date><core_compatibility>^9 || ^10</core_compatibility><terms><term><name>Release type</name><value>%s</value></term></terms></release>`, version, 1700000000-i, terms)
	}
	return b.String() + "</releases></project>"
}

func check(t *testing.T, components ...upkeep.Component) feed.SiteAnswer {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, known := said[r.URL.Path]
		if !known {
			text = "<?xml version=\"1.0\"?>\n<error>No release history was found for the requested project.</error>"
		}
		_, _ = w.Write([]byte(text)) // whoever hung up needs no answer
	}))
	t.Cleanup(server.Close)
	client := feed.NewClient(feed.Options{Trusted: []string{strings.TrimPrefix(server.URL, "http://")}})
	bare := func(v string) string { return strings.TrimPrefix(strings.TrimPrefix(v, "8.x-"), "7.x-") }
	publisher := drupal.New(client, drupal.Options{History: server.URL, Compare: func(a, b string) int { return php.CompareVersions(bare(a), bare(b)) }})
	answer, err := publisher.Check(t.Context(), []*upkeep.Inventory{{Components: components}})
	if err != nil || len(answer.Problems) > 0 {
		t.Fatal(err, answer)
	}
	return answer.Sites[0]
}

func core(version upkeep.Version) upkeep.Component {
	return upkeep.Component{Kind: upkeep.Core, ID: "core", Slug: "drupal", Version: version}
}

func module(slug string, version upkeep.Version) upkeep.Component {
	return upkeep.Component{Kind: upkeep.Plugin, ID: slug, Slug: slug, Version: version}
}

// offered are the releases of a project; ! marks security.
func offered(answer feed.SiteAnswer, slug string) []string {
	var all []string
	for i := range answer.Releases {
		if r := &answer.Releases[i]; r.Slug == slug {
			all = append(all, string(r.Version)+map[bool]string{true: "!"}[r.Security])
		}
	}
	return all
}

func TestOffers(t *testing.T) {
	for name, c := range map[string]struct {
		core, component upkeep.Component
		want            []string
		findings        int
	}{
		"core, within and beyond":      {core("9.5.10"), upkeep.Component{Kind: upkeep.Core, Slug: "drupal"}, []string{"10.2.1", "10.2.0", "10.1.8", "10.1.7", "10.1.6", "9.5.11"}, 0},
		"security between":             {core("10.1.6"), upkeep.Component{Slug: "drupal"}, []string{"10.2.1!", "10.2.0!", "10.1.8!", "10.1.7"}, 0},
		"a module stays in its series": {core("10.1.8"), module("token", "8.x-1.11"), []string{"8.x-1.13!"}, 0},
		"what is insecure":             {core("10.1.8"), module("token", "8.x-1.12"), []string{"8.x-1.13!"}, 1},
		"who has a beta":               {core("10.1.8"), module("token", "8.x-1.13-rc1"), []string{"8.x-1.14-beta1!", "8.x-1.13!"}, 0},
		"nothing newer":                {core("10.1.8"), module("token", "2.0.0"), nil, 0},
		"not of drupal.org":            {core("10.1.8"), module("own", "1.0.0"), nil, 0},
		"drupal 7":                     {core("7.102"), module("views", "7.x-3.28"), []string{"7.x-3.29"}, 0},
		"a series that ended":          {core("7.102"), module("views", "7.x-2.15"), nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			components := []upkeep.Component{c.core}
			if c.component.ID != "" {
				components = append(components, c.component)
			}
			answer := check(t, components...)
			if got := offered(answer, c.component.Slug); !slices.Equal(got, c.want) {
				t.Errorf("offered %q, want %q", got, c.want)
			}
			if len(answer.Findings) != c.findings {
				t.Errorf("findings %+v", answer.Findings)
			}
		})
	}
	answer := check(t, core("10.1.8"), module("gone", "1.0.0"))
	if len(answer.Closed) != 1 || answer.Closed[0].Reason != "unsupported" || offered(answer, "gone") != nil {
		t.Errorf("withdrawn: %+v", answer)
	}
	for _, release := range check(t, core("9.5.10")).Releases {
		if want, _, _ := strings.Cut(string(release.Version), "."); release.Branch != want {
			t.Errorf("%s is of branch %s", release.Version, release.Branch)
		}
	}
}
