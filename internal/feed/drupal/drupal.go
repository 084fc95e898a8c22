// Package drupal asks drupal.org (or a mirror of it) which releases there are
// of Drupal and of the projects on a site, and says of them what Drupal's own
// update module would.
//
// Each project has a history of its own, asked for once for all sites of a
// generation: that of Drupal 7, or the current one.
package drupal

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"upkeep"
	"upkeep/internal/feed"
)

// Source is the name of this publisher in releases.
const Source = "drupal.org"

const defaultHistory = "https://updates.drupal.org/release-history"

// atOnce is how many histories are asked for side by side.
const atOnce = 4

// Options say whom to ask and how long an answer holds. The zero value asks
// drupal.org.
type Options struct {
	History string        // base address of the release history or a mirror
	MaxAge  time.Duration // answers hold so long; 0 asks anew every time

	Compare  func(a, b string) int // Drupal's order of versions
	Packages *feed.Packages        // where releases are fetched to know their files; nil does without
}

// Publisher is drupal.org, asked through a client.
type Publisher struct {
	client *feed.Client
	o      Options
}

// New returns a publisher.
func New(client *feed.Client, o Options) *Publisher {
	o.History = strings.TrimRight(cmp.Or(o.History, defaultHistory), "/")
	return &Publisher{client: client, o: o}
}

// Check asks about all sites at once. Releases are those that an installed
// version may go to; whether it does is left to resolve. An error means that
// nothing at all is known.
func (p *Publisher) Check(ctx context.Context, sites []*upkeep.Inventory) (_ *feed.Said, err error) {
	defer upkeep.Wrap(&err, "check drupal.org for %d sites", len(sites))
	c := &check{publisher: p, histories: map[string]*told{}}
	for _, site := range sites {
		for i := range site.Components {
			if address := p.address(&site.Components[i], legacy(site.Components)); address != "" {
				c.histories[address] = &told{}
			}
		}
	}
	if err := c.ask(ctx); err != nil {
		return nil, err
	}
	answer, known := &feed.Said{Problems: c.problems}, false
	for _, site := range sites {
		said := c.answer(site)
		known = known || !said.Checked.IsZero()
		answer.Sites = append(answer.Sites, said)
	}
	if !known && len(c.problems) > 0 {
		return nil, c.problems[0]
	}
	return answer, nil
}

// legacy reports whether components are those of a Drupal 7.
func legacy(components []upkeep.Component) bool {
	for i := range components {
		if components[i].Kind == upkeep.Core {
			return strings.HasPrefix(string(components[i].Version), "7.")
		}
	}
	return false
}

// projectForm is what drupal.org takes as the name of a project.
var projectForm = regexp.MustCompile(`^[a-z0-9_]{1,100}$`)

// address is where the history of a component's project is; "" for one that
// is not of drupal.org.
func (p *Publisher) address(c *upkeep.Component, legacy bool) string {
	if !projectForm.MatchString(c.Slug) || c.Version == "" {
		return ""
	}
	return p.o.History + "/" + c.Slug + "/" + map[bool]string{true: "7.x", false: "current"}[legacy]
}

// told is one history with its age.
type told struct {
	history *history // nil when drupal.org does not know the project
	fetched time.Time
	stale   bool
}

// check is one run of Check.
type check struct {
	publisher *Publisher
	histories map[string]*told // by address

	mu       sync.Mutex
	problems []error
}

func (c *check) ask(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, address := range slices.Sorted(maps.Keys(c.histories)) {
		t := c.histories[address]
		group.Go(func() error { return c.askOne(ctx, address, t) })
	}
	return group.Wait()
}

func (c *check) askOne(ctx context.Context, address string, t *told) error {
	answer, err := c.publisher.client.Ask(ctx, feed.Request{URL: address, MaxAge: c.publisher.o.MaxAge, Valid: valid})
	if err != nil {
		t.stale = true
		return c.problem(ctx, err)
	}
	t.history, t.fetched, t.stale = parse(answer.Body), answer.Fetched, answer.Stale
	return c.problem(ctx, answer.Problem)
}

// errorForm is how drupal.org says that it does not know a project.
var errorForm = regexp.MustCompile(`^\s*(<\?xml[^>]*\?>)?\s*<error>`)

// valid tells drupal.org's answer from the page of whoever stands between.
func valid(entry *feed.Entry) error {
	if entry.Status == http.StatusNotFound || errorForm.Match(entry.Body) || parse(entry.Body) != nil {
		return nil
	}
	return upkeep.Errorf(upkeep.CodeRefused, "is no release history")
}

// problem notes an error that only makes the answer poorer. It returns one
// that has to end the check.
func (c *check) problem(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
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
func (c *check) answer(site *upkeep.Inventory) feed.SiteAnswer {
	said := feed.SiteAnswer{}
	old := legacy(site.Components)
	for i := range site.Components {
		component := &site.Components[i]
		t := c.histories[c.publisher.address(component, old)]
		if t == nil {
			continue
		}
		said.Age(t.fetched, t.stale)
		if t.history != nil {
			o := offer{publisher: c.publisher, component: component, told: t, legacy: old}
			o.make(&said)
		}
	}
	return said
}
