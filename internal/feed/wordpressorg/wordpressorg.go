// Package wordpressorg asks wordpress.org (or a mirror of its API) which
// releases there are of WordPress, of plugins, themes and translations, which
// plugins it withdrew, and what the files of a release are.
//
// A check is made for any number of sites at once: what several sites have in
// common is asked once, in batches, and each part of an answer is remembered,
// so that a fleet that changes by one plugin still knows the rest when
// wordpress.org does not answer.
package wordpressorg

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"upkeep"
	"upkeep/internal/feed"
)

// Source is the name of this publisher in releases.
const Source = "wordpress.org"

const (
	defaultAPI       = "https://api.wordpress.org"
	defaultDownloads = "https://downloads.wordpress.org"

	parallel = 4   // requests at a time: one publisher for the whole fleet
	perBatch = 100 // components in one request
)

// Options say whom to ask and how long an answer holds. The zero value asks
// wordpress.org.
type Options struct {
	API       string        // base address of api.wordpress.org or a mirror
	Downloads string        // base address of downloads.wordpress.org or a mirror
	MaxAge    time.Duration // answers about releases hold so long; 0 asks anew every time
	Details   time.Duration // answers about one plugin and about files hold so long; 0 is a day

	Packages *feed.Packages // where packages of themes are fetched to know their files; nil does without
}

// Publisher is wordpress.org, asked through a client.
type Publisher struct {
	client *feed.Client
	o      Options
	hosts  []string // that packages may come from
}

// New returns a publisher.
func New(client *feed.Client, o Options) *Publisher {
	o.API = strings.TrimRight(cmp.Or(o.API, defaultAPI), "/")
	o.Downloads = strings.TrimRight(cmp.Or(o.Downloads, defaultDownloads), "/")
	o.Details = cmp.Or(o.Details, 24*time.Hour)
	p := &Publisher{client: client, o: o, hosts: []string{"downloads.wordpress.org", "wordpress.org"}}
	for _, base := range []string{o.API, o.Downloads} {
		if u, err := url.Parse(base); err == nil {
			p.hosts = append(p.hosts, u.Host)
		}
	}
	return p
}

// Ask is what one site has.
type Ask struct {
	Core       upkeep.Version
	Locale     string         // of the core build, "" for en_US
	PHP        upkeep.Version // of the site's interpreter
	Database   string         // as the server says: "10.11.6-MariaDB"
	Locales    []string       // that translations are wanted for
	Components []upkeep.Component
}

// AskOf returns what to ask for a site.
func AskOf(inv *upkeep.Inventory) Ask {
	ask := Ask{PHP: inv.PHP, Database: inv.Database, Locales: inv.Locales, Components: inv.Components}
	if core := inv.Core(); core != nil {
		ask.Core, ask.Locale = core.Version, core.Locale
	}
	return ask
}

// Answer is what wordpress.org says about the sites asked for.
type Answer struct {
	Sites    []SiteAnswer // as asked, in the same order
	Problems []error      // what could not be asked; older answers stand in where there are any
}

// SiteAnswer is what wordpress.org says about one site.
type SiteAnswer struct {
	feed.SiteAnswer // its findings: "same_slug_stranger"

	Unknown    []string              // refs that wordpress.org does not know: premium, own, withdrawn
	Missing    []string              // refs that nothing is known about, since it could not be asked
	Confidence map[string]Confidence // by ref, that a release is of the installed component
}

// Check asks about all sites at once. Releases are all that are offered, the
// installed version among them: comparing is left to resolve. An error means
// that nothing at all is known.
func (p *Publisher) Check(ctx context.Context, asks []Ask) (_ *Answer, err error) {
	defer upkeep.Wrap(&err, "check wordpress.org for %d sites", len(asks))
	c := &check{publisher: p, cores: make(map[string]*coreQuestion), questions: make(map[string]*question)}
	for _, ask := range asks {
		c.asked = append(c.asked, c.collect(ask))
	}
	if err := c.askCores(ctx); err != nil {
		return nil, err
	}
	if err := c.askExtensions(ctx); err != nil {
		return nil, err
	}
	if err := c.askDetails(ctx); err != nil {
		return nil, err
	}
	answer := &Answer{Problems: c.problems}
	known := len(c.cores)+len(c.questions) == 0
	for i := range asks {
		site := c.answer(asks[i].Components, c.asked[i])
		known = known || !site.Checked.IsZero()
		answer.Sites = append(answer.Sites, site)
	}
	if !known && len(c.problems) > 0 {
		return nil, c.problems[0]
	}
	return answer, nil
}

// check is one run of Check.
type check struct {
	publisher *Publisher
	cores     map[string]*coreQuestion
	questions map[string]*question
	asked     []asked // by site

	mu       sync.Mutex
	problems []error
}

// asked is the questions that one site's answer is made of.
type asked struct {
	core       *coreQuestion // nil without a core
	components []*question   // as in Ask.Components; nil where nothing is asked
}

// collect notes what has to be asked for a site, once for all sites.
func (c *check) collect(ask Ask) asked {
	var site asked
	if ask.Core != "" {
		q := newCoreQuestion(c.publisher.o.API, ask)
		if c.cores[q.key()] == nil {
			c.cores[q.key()] = q
		}
		site.core = c.cores[q.key()]
	}
	locales := slices.Compact(slices.Sorted(slices.Values(ask.Locales)))
	for i := range ask.Components {
		component := &ask.Components[i]
		if !askable(component) {
			site.components = append(site.components, nil)
			continue
		}
		key := questionKey(component, locales)
		if c.questions[key] == nil {
			c.questions[key] = newQuestion(key, component, locales)
		}
		site.components = append(site.components, c.questions[key])
	}
	return site
}

// problem notes an error that only makes the answer poorer. It returns one
// that has to end the check.
func (c *check) problem(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return upkeep.Errorf(upkeep.CodeInterrupted, "stopped: %w", context.Cause(ctx))
	}
	if _, ours := errors.AsType[*upkeep.Error](err); !ours {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.problems = append(c.problems, err)
	return nil
}

// answer puts together what is known about a site.
func (c *check) answer(components []upkeep.Component, asked asked) SiteAnswer {
	site := SiteAnswer{Confidence: make(map[string]Confidence)}
	if asked.core != nil {
		asked.core.answer(&site, c.publisher)
	}
	for i, q := range asked.components {
		if q != nil {
			q.answer(&site, &components[i], c.publisher)
		}
	}
	slices.Sort(site.Missing)
	slices.Sort(site.Unknown)
	return site
}

// forEach calls do for every item, a few at a time.
func forEach[T any](ctx context.Context, items []T, do func(context.Context, T) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, item := range items {
		group.Go(func() error { return do(ctx, item) })
	}
	return group.Wait()
}
