// Package dokuwiki asks dokuwiki.org (or a mirror of it) which releases there
// are of DokuWiki, of plugins and of templates.
//
// There is no list of all releases: the download server says which one is
// stable and which was before it, the update service answers in sentences made
// for administrators, and the repository of extensions knows of each only what
// is newest. All extensions of all sites asked about are asked for at once,
// and each answer is remembered by itself.
package dokuwiki

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"
	"time"

	"upkeep"
	"upkeep/internal/feed"
)

// Source is the name of this publisher in releases.
const Source = "dokuwiki.org"

// Where dokuwiki.org answers.
const (
	defaultDownloads  = "https://download.dokuwiki.org"
	defaultUpdates    = "https://update.dokuwiki.org"
	defaultRepository = "https://www.dokuwiki.org/lib/plugins/pluginrepo/api.php"
)

// Options say whom to ask and how long an answer holds. The zero value asks
// dokuwiki.org.
type Options struct {
	Downloads  string        // base address of download.dokuwiki.org or a mirror
	Updates    string        // base address of update.dokuwiki.org or a mirror
	Repository string        // address of the repository's API or a mirror
	MaxAge     time.Duration // answers hold so long; 0 asks anew every time

	// Compare is DokuWiki's order of versions, Branch the branch of one of core.
	Compare func(a, b string) int
	Branch  func(version string) string

	Packages *feed.Packages // where releases are fetched to know their files; nil does without
}

// Publisher is dokuwiki.org, asked through a client.
type Publisher struct {
	client *feed.Client
	o      Options
}

// New returns a publisher.
func New(client *feed.Client, o Options) *Publisher {
	o.Downloads = strings.TrimRight(cmp.Or(o.Downloads, defaultDownloads), "/")
	o.Updates = strings.TrimRight(cmp.Or(o.Updates, defaultUpdates), "/")
	o.Repository = cmp.Or(o.Repository, defaultRepository)
	return &Publisher{client: client, o: o}
}

// Check asks about all sites at once. Releases are all that are offered, the
// installed version among them: comparing is left to resolve. An error means
// that nothing at all is known.
func (p *Publisher) Check(ctx context.Context, sites []*upkeep.Inventory) (_ *feed.Said, err error) {
	defer upkeep.Wrap(&err, "check dokuwiki.org for %d sites", len(sites))
	c := &check{publisher: p, extensions: map[string]*extension{}, messages: map[string]*messages{}}
	for _, site := range sites {
		c.collect(site)
	}
	for _, ask := range []func(context.Context) error{c.askReleases, c.askMessages, c.askExtensions} {
		if err := ask(ctx); err != nil {
			return nil, err
		}
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

// check is one run of Check.
type check struct {
	publisher  *Publisher
	releases   releaseList
	messages   map[string]*messages  // by update version
	extensions map[string]*extension // by the repository's ID

	mu       sync.Mutex
	problems []error
}

// collect notes what has to be asked for a site, once for all sites.
func (c *check) collect(site *upkeep.Inventory) {
	for i := range site.Components {
		component := &site.Components[i]
		switch id := repositoryID(component); {
		case component.Kind == upkeep.Core:
			if counter := component.Headers["update_version"]; counterForm.MatchString(counter) && c.messages[counter] == nil {
				c.messages[counter] = &messages{}
			}
		case id != "" && c.extensions[id] == nil:
			c.extensions[id] = &extension{id: id}
		}
	}
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
	for i := range site.Components {
		component := &site.Components[i]
		if component.Kind == upkeep.Core {
			c.answerCore(&said, component)
		} else if e := c.extensions[repositoryID(component)]; e != nil {
			e.answer(&said, component, site)
		}
	}
	return said
}

// address returns a package's or page's address when it is one that can be
// fetched.
func address(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || len(text) > 2000 {
		return ""
	}
	return text
}
