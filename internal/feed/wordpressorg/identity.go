package wordpressorg

import (
	"context"
	"html"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"upkeep"
	"upkeep/internal/feed"
)

// Confidence says how sure it is that what wordpress.org publishes under a
// slug is what is installed. A premium plugin whose folder happens to be a
// slug of somebody else must never be replaced by that stranger.
type Confidence string

// The degrees of confidence.
const (
	Certain  Confidence = "certain"  // the component itself names wordpress.org
	Likely   Confidence = "likely"   // name, author or home page agree
	Doubtful Confidence = "doubtful" // nothing speaks for or against it
	Stranger Confidence = "stranger" // name, author and home page all differ: its release is not taken
)

// askDetails asks about single plugins where the check leaves a question:
// those that are absent (withdrawn, or never published), and those that may
// be strangers. Answers hold for Options.Details.
func (c *check) askDetails(ctx context.Context) error {
	open := make(map[string][]*question)
	for _, q := range c.questions {
		q.confidence = q.evidence()
		if q.known && q.kind == upkeep.Plugin && q.wantsInfo() {
			open[q.publishedSlug()] = append(open[q.publishedSlug()], q)
		}
	}
	return forEach(ctx, slices.Sorted(maps.Keys(open)), func(ctx context.Context, slug string) error {
		info, err := c.publisher.askInfo(ctx, slug)
		if err != nil {
			return c.problem(ctx, err)
		}
		for _, q := range open[slug] {
			q.info = info
			if q.record.Item != nil && info != nil && info.Error == "" {
				q.confidence = q.compare()
			}
		}
		return nil
	})
}

// wantsInfo reports whether the check left something open that matters: an
// update that may be a stranger's, or an absence.
func (q *question) wantsInfo() bool {
	item := q.record.Item
	return item == nil || q.confidence == Doubtful && string(item.NewVersion) != q.headers["Version"]
}

// publishedSlug is the slug that wordpress.org answered with, or ours.
func (q *question) publishedSlug() string {
	if q.record.Item != nil && q.record.Item.Slug != "" {
		return string(q.record.Item.Slug)
	}
	return q.slug
}

// evidence judges by the headers alone, without a request.
func (q *question) evidence() Confidence {
	slug := q.publishedSlug()
	for _, name := range []string{"UpdateURI", "PluginURI"} {
		if pointsTo(q.headers[name], slug) {
			return Certain
		}
	}
	if q.kind == upkeep.Theme {
		return Likely // themes are matched by the publisher; it has no second opinion to ask for
	}
	if q.headers["TextDomain"] == slug && normal(q.headers["Name"]) == normal(slug) {
		return Likely
	}
	return Doubtful
}

// pointsTo reports whether an address is that of the slug at wordpress.org.
func pointsTo(address, slug string) bool {
	if address == "" || Foreign(address) {
		return false
	}
	if !strings.Contains(address, "://") {
		address = "https://" + address
	}
	u, err := url.Parse(address)
	return err == nil && slices.Contains(strings.Split(u.Path, "/"), slug)
}

// compare judges with what wordpress.org says about the slug. One agreement
// is enough: plugins change their name, their owner or their home page, but
// not all of it at once.
func (q *question) compare() Confidence {
	name, author := normal(q.headers["Name"]), normal(q.headers["Author"])
	theirName, theirAuthor := normal(string(q.info.Name)), normal(string(q.info.Author))
	home, theirHome := host(q.headers["PluginURI"]), host(string(q.info.Homepage))
	switch {
	case name == "" || theirName == "":
		return Doubtful
	case name == theirName, similar(name, theirName):
		return Likely
	case author != "" && author == theirAuthor, home != "" && home == theirHome:
		return Likely
	}
	return Stranger
}

// similar reports whether one name begins with the other: vendors lengthen
// names ("Yoast SEO" is "Yoast SEO – Advanced SEO …" at wordpress.org).
func similar(a, b string) bool {
	const significant = 5
	return min(len(a), len(b)) >= significant && (strings.HasPrefix(a, b) || strings.HasPrefix(b, a))
}

var tag = regexp.MustCompile(`<[^>]*>`)

// normal keeps the letters and digits of a name, in lower case.
func normal(name string) string {
	if len(name) > 1000 {
		name = name[:1000]
	}
	name = html.UnescapeString(tag.ReplaceAllString(name, ""))
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
}

func host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	h := strings.ToLower(strings.TrimPrefix(u.Hostname(), "www."))
	if h == "github.com" || h == "wordpress.org" {
		return "" // shared by everybody
	}
	return h
}

// askInfo asks about one plugin by its slug.
func (p *Publisher) askInfo(ctx context.Context, slug string) (*infoWire, error) {
	if !slugForm.MatchString(slug) {
		return nil, nil
	}
	query := url.Values{"action": {"plugin_information"}, "request[slug]": {slug}}
	for _, bulky := range []string{"sections", "versions", "reviews", "screenshots", "banners", "icons", "contributors"} {
		query.Set("request[fields]["+bulky+"]", "0")
	}
	answer, err := p.client.Ask(ctx, feed.Request{
		URL: p.o.API + "/plugins/info/1.2/?" + query.Encode(), MaxAge: p.o.Details, Limit: 4 << 20, Valid: validInfo,
	})
	if err != nil {
		return nil, err
	}
	info := &infoWire{}
	return info, decode(answer.Body, info, "error", "slug")
}

// validInfo accepts a 404 only with the reason that the API gives: a missing
// page is not a missing plugin.
func validInfo(entry *feed.Entry) error {
	info := &infoWire{}
	if err := decode(entry.Body, info, "error", "slug"); err != nil {
		return err
	}
	if entry.Status != http.StatusOK && info.Error == "" {
		return upkeep.Errorf(upkeep.CodeRefused, "status %d without a reason", entry.Status)
	}
	return nil
}

// answerAbsent says of a component that the check does not know whether it
// was withdrawn or never published.
func (q *question) answerAbsent(site *SiteAnswer, c *upkeep.Component) {
	site.Unknown = append(site.Unknown, c.Ref())
	if q.info == nil || q.info.Error != "closed" {
		return
	}
	closed := upkeep.Closed{Kind: c.Kind, Slug: c.Slug}
	for _, reason := range []text{q.info.ReasonText, q.info.Reason, q.info.Description} {
		if reason != "" {
			closed.Reason = reason.cut(500)
			break
		}
	}
	if since, err := time.Parse(time.DateOnly, string(q.info.ClosedDate)); err == nil {
		closed.Since = since
	}
	site.Closed = append(site.Closed, closed)
}
