package wordpressorg

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"upkeep"
	"upkeep/internal/feed"
)

// English is the locale of a core build without one.
const English = "en_US"

// CoreSlug is the slug of core in releases, CoreLanguage that of core's
// translations.
const (
	CoreSlug     = "wordpress"
	CoreLanguage = "default"
)

// coreQuestion is a question about core that any number of sites share.
type coreQuestion struct {
	url    string
	form   url.Values
	locale string

	known   bool
	wire    coreWire
	fetched time.Time
	stale   bool
}

// newCoreQuestion sends of all that WordPress itself reports only what the
// answer depends on: nothing that tells the sites apart or counts visitors.
func newCoreQuestion(api string, ask Ask) *coreQuestion {
	q := &coreQuestion{locale: cmp.Or(ask.Locale, English)}
	q.url = api + "/core/version-check/1.7/?" + url.Values{
		"version": {string(ask.Core)}, "php": {string(ask.PHP)}, "locale": {q.locale},
		"mysql": {serverVersion(ask.Database)}, "local_package": {ask.Locale},
	}.Encode()
	q.form = url.Values{"translations": {installed(CoreLanguage, ask.Locales)}}
	return q
}

// installed lists translations as if they were of 1970, so that the answer
// holds whatever there is, the same for every site.
func installed(slug string, locales []string) string {
	if len(locales) == 0 {
		return "[]"
	}
	byLocale := make(map[string]map[string]string)
	for _, locale := range locales {
		byLocale[locale] = map[string]string{"PO-Revision-Date": "1970-01-01 00:00:00+0000"}
	}
	out, err := json.Marshal(map[string]any{slug: byLocale})
	if err != nil {
		return "[]" // strings always encode
	}
	return string(out)
}

// serverVersion cuts the distribution's part off a database version.
func serverVersion(database string) string {
	number := database
	if end := strings.IndexFunc(database, func(r rune) bool { return r != '.' && (r < '0' || r > '9') }); end >= 0 {
		number = database[:end]
	}
	if strings.Contains(database, "MariaDB") {
		return number + "-MariaDB"
	}
	return number
}

func (q *coreQuestion) key() string { return q.url + "\n" + q.form.Encode() }

func (c *check) askCores(ctx context.Context) error {
	keys := slices.Sorted(maps.Keys(c.cores))
	return forEach(ctx, keys, func(ctx context.Context, key string) error {
		if err := c.cores[key].ask(ctx, c); err != nil {
			return c.problem(ctx, err)
		}
		return nil
	})
}

func (q *coreQuestion) ask(ctx context.Context, c *check) error {
	p := c.publisher
	answer, err := p.client.Ask(ctx, feed.Request{URL: q.url, Form: q.form, MaxAge: p.o.MaxAge, Valid: validCore})
	if err != nil {
		return err
	}
	q.known, q.fetched, q.stale = true, answer.Fetched, answer.Stale
	if answer.Stale {
		err = c.problem(ctx, answer.Problem)
	}
	return errors.Join(err, decode(answer.Body, &q.wire, "offers"))
}

func validCore(entry *feed.Entry) error {
	if entry.Status != http.StatusOK {
		return upkeep.Errorf(upkeep.CodeRefused, "status %d in answer to a core check", entry.Status)
	}
	return decode(entry.Body, &coreWire{}, "offers")
}

// answer adds the core releases, newest offers and in-branch ones alike, and
// core's translations.
func (q *coreQuestion) answer(site *SiteAnswer, p *Publisher) {
	if !q.known {
		site.Missing = append(site.Missing, string(upkeep.Core))
		site.Stale = true
		return
	}
	site.Age(q.fetched, q.stale)
	site.Confidence[string(upkeep.Core)] = Certain
	site.Releases = append(site.Releases, coreReleases(q.wire.Offers, q.locale, p, q.fetched)...)
	for i := range q.wire.Translations {
		if t := &q.wire.Translations[i]; t.Type == "core" {
			site.addLanguage(t, CoreLanguage, p, q.fetched) // whatever slug it is sent with
		}
	}
}

// coreReleases turns offers into releases, one per version: the build of the
// site's locale where there is one. Nightly builds are no releases.
func coreReleases(offers []offerWire, locale string, p *Publisher, checked time.Time) []upkeep.Release {
	var releases []upkeep.Release
	at := make(map[upkeep.Version]int)
	for i := range offers {
		offer := &offers[i]
		version := offer.Current.version()
		address := p.packageURL(cmp.Or(offer.Packages.NoContent, offer.Packages.Full, offer.Download))
		if version == "" || address == "" || offer.Response == "development" || strings.Contains(string(version), "-") {
			continue
		}
		release := upkeep.Release{
			Kind: upkeep.Core, Slug: CoreSlug, Version: version, Package: address,
			Locale: string(offer.Locale), Source: Source, Checked: checked,
			Branch: branch(version), Security: strings.Count(string(version), ".") >= 2,
			RequiresPHP: offer.PHP.version(), RequiresDatabase: offer.MySQL.version(),
		}
		if before, ok := at[version]; !ok {
			at[version] = len(releases)
			releases = append(releases, release)
		} else if releases[before].Locale != locale && release.Locale == locale {
			releases[before] = release
		}
	}
	return releases
}

// branch is the first two numbers of a core version: WordPress has no
// semantic versions, 6.9 → 7.0 is a step like 6.8 → 6.9.
func branch(version upkeep.Version) string {
	parts := strings.FieldsFunc(string(version), func(r rune) bool { return r == '.' || r == '-' })
	if len(parts) < 2 {
		return string(version)
	}
	return parts[0] + "." + parts[1]
}

// addLanguage adds the release of a translation. Its version is the time it
// was revised, since that is what distinguishes two of them.
func (s *SiteAnswer) addLanguage(t *translationWire, slug string, p *Publisher, checked time.Time) {
	address := p.packageURL(t.Package)
	if address == "" || !slugForm.MatchString(slug) || !updatedForm.MatchString(string(t.Updated)) || !localeForm.MatchString(string(t.Language)) {
		return
	}
	s.Releases = append(s.Releases, upkeep.Release{
		Kind: upkeep.Language, Slug: slug, Locale: string(t.Language), Version: upkeep.Version(t.Updated),
		Package: address, Source: Source, Checked: checked,
	})
}
