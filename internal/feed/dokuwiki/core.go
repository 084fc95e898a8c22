package dokuwiki

import (
	"context"
	"encoding/json"
	"html"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"upkeep"
	"upkeep/internal/feed"
)

// Forms of what dokuwiki.org says.
var (
	versionForm = regexp.MustCompile(`^\d{4}-\d\d-\d\d[a-z]?$`) // a release; candidates are none
	versionIn   = regexp.MustCompile(`\b\d{4}-\d\d-\d\d[a-z]?\b`)
	counterForm = regexp.MustCompile(`^[0-9]{1,6}(\.[0-9]{1,6}){0,3}$`)
)

// releaseList is what the download server says of releases.
type releaseList struct {
	versions []string // newest first
	fetched  time.Time
	stale    bool
}

// askReleases asks which releases can be downloaded: an object of what is
// stable, what was before it, and what is tried out, each with its version,
// date and name.
func (c *check) askReleases(ctx context.Context) error {
	if len(c.messages) == 0 {
		return nil // no core to be told about
	}
	p := c.publisher
	answer, err := p.client.Ask(ctx, feed.Request{URL: p.o.Downloads + "/version", MaxAge: p.o.MaxAge, Limit: 1 << 20, Valid: validReleases})
	if err != nil {
		c.releases.stale = true
		return c.problem(ctx, err)
	}
	c.releases = releaseList{versions: readReleases(answer.Body), fetched: answer.Fetched, stale: answer.Stale}
	slices.SortFunc(c.releases.versions, func(a, b string) int { return p.o.Compare(b, a) })
	return c.problem(ctx, answer.Problem)
}

func validReleases(entry *feed.Entry) error {
	if entry.Status != http.StatusOK || len(readReleases(entry.Body)) == 0 {
		return upkeep.Errorf(upkeep.CodeRefused, "names no release")
	}
	return nil
}

// readReleases takes from each entry the most precise of its values that is a
// version: some say "2025-05-14" and "2025-05-14b".
func readReleases(body []byte) []string {
	var entries map[string]json.RawMessage
	if json.Unmarshal(body, &entries) != nil {
		return nil
	}
	found := map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		var fields map[string]any
		if json.Unmarshal(entries[key], &fields) != nil {
			continue
		}
		best := ""
		for _, name := range []string{"version", "date"} {
			if value := text(fields[name]); versionForm.MatchString(value) && len(value) > len(best) {
				best = value
			}
		}
		if best != "" && key != "rc" && key != "master" {
			found[best] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// messages are the sentences that the update service has for one release.
type messages struct {
	texts   []string
	fetched time.Time
	stale   bool
}

// askMessages asks what administrators of the installed releases are told.
func (c *check) askMessages(ctx context.Context) error {
	p := c.publisher
	for _, counter := range slices.Sorted(maps.Keys(c.messages)) {
		m := c.messages[counter]
		answer, err := p.client.Ask(ctx, feed.Request{URL: p.o.Updates + "/check/" + counter, MaxAge: p.o.MaxAge, Limit: 1 << 20, Valid: validMessages})
		if err != nil {
			m.stale = true
			if err := c.problem(ctx, err); err != nil {
				return err
			}
			continue
		}
		m.fetched, m.stale = answer.Fetched, answer.Stale
		for part := range strings.SplitSeq(string(answer.Body), "\n%") {
			if part = plain(part); part != "" {
				m.texts = append(m.texts, part)
			}
		}
		if err := c.problem(ctx, answer.Problem); err != nil {
			return err
		}
	}
	return nil
}

// validMessages tells the service's answer from the page of whoever stands
// between: it is empty, or ends in the sign that ends each message.
func validMessages(entry *feed.Entry) error {
	body := strings.TrimSpace(string(entry.Body))
	if entry.Status != http.StatusOK || body != "" && !strings.HasSuffix(body, "%") {
		return upkeep.Errorf(upkeep.CodeRefused, "is no list of messages")
	}
	return nil
}

var tag = regexp.MustCompile(`<[^>]*>`)

// plain is a message without its markup, bounded.
func plain(message string) string {
	message = strings.Trim(html.UnescapeString(tag.ReplaceAllString(message, "")), "%\n\r\t ")
	if len(message) > 2000 {
		message = message[:2000]
	}
	return strings.ToValidUTF8(message, "?")
}

// answerCore adds the releases of DokuWiki. Where the download server cannot
// be asked, the versions that messages name must do: it keeps every release
// under its version.
func (c *check) answerCore(said *feed.SiteAnswer, core *upkeep.Component) {
	told := c.messages[core.Headers["update_version"]]
	if told == nil {
		told = &messages{}
	}
	said.Age(c.releases.fetched, c.releases.stale)
	said.Age(told.fetched, told.stale)
	notices := map[string]string{}
	for _, message := range told.texts {
		for _, version := range versionIn.FindAllString(message, -1) {
			notices[version] = message
		}
	}
	versions := slices.Clone(c.releases.versions)
	if len(versions) == 0 {
		versions = slices.Sorted(maps.Keys(notices))
	}
	checked := c.releases.fetched
	if checked.IsZero() {
		checked = told.fetched
	}
	for _, version := range versions {
		branch := c.publisher.o.Branch(version)
		said.Releases = append(said.Releases, upkeep.Release{
			Kind: upkeep.Core, Slug: "dokuwiki", Version: upkeep.Version(version), Branch: branch,
			Package: c.publisher.packageOf(version), Source: Source, Checked: checked, Notice: notices[version],
			// A letter is a hotfix, which is made for security or what comes near it.
			Security: branch != version || strings.Contains(strings.ToLower(notices[version]), "security"),
			URL:      "https://www.dokuwiki.org/changes",
		})
	}
}

// packageOf is where the download server keeps a release.
func (p *Publisher) packageOf(version string) string {
	return p.o.Downloads + "/src/dokuwiki/dokuwiki-" + version + ".tgz"
}
