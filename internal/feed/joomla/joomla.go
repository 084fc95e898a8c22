// Package joomla asks joomla.org, and the vendors of extensions, which
// releases there are: core by a TUF repository since 5.1 and by lists before,
// extensions by the update sites that each site names.
package joomla

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"upkeep"
	"upkeep/internal/feed"
)

// Source is the name of this publisher in releases of core.
const Source = "joomla.org"

const (
	defaultUpdates   = "https://update.joomla.org"
	defaultDownloads = "https://github.com/joomla/joomla-cms/releases/download"
)

// firstRoot is the SHA-256 of the first root of joomla.org's repository, from
// which every later one is signed on.
const firstRoot = "68dd6d0969e980fc5310c0e1a0e9ad08b90222d6121a6da9e4e770c7c838eba1"

// Options say whom to ask and how long an answer holds. The zero value asks
// joomla.org.
type Options struct {
	Updates   string        // base address of update.joomla.org or a mirror
	Downloads string        // base address of the published packages or a mirror
	Root      string        // SHA-256 of 1.root.json of its repository; "" is joomla.org's
	MaxAge    time.Duration // answers hold so long; 0 asks anew every time

	Compare func(a, b string) int // Joomla's order of versions
	Branch  func(version string) string

	Packages *feed.Packages // where releases are fetched to know their files; nil does without
}

// Publisher is joomla.org and the vendors, asked through a client.
type Publisher struct {
	client *feed.Client
	o      Options
}

// New returns a publisher.
func New(client *feed.Client, o Options) *Publisher {
	o.Updates = strings.TrimRight(cmp.Or(o.Updates, defaultUpdates), "/")
	o.Downloads = strings.TrimRight(cmp.Or(o.Downloads, defaultDownloads), "/")
	o.Root = cmp.Or(o.Root, firstRoot)
	return &Publisher{client: client, o: o}
}

// Answer is what is known about a site.
type Answer struct {
	feed.SiteAnswer
	Problems []error // what could not be asked; older answers stand in where there are any
}

// Check asks about a site. Releases are all that fit its Joomla, the installed
// version among them: comparing is left to resolve. An error means that
// nothing at all is known.
func (p *Publisher) Check(ctx context.Context, site *upkeep.Inventory) (_ *Answer, err error) {
	defer upkeep.Wrap(&err, "check joomla.org")
	core := site.Core()
	if core == nil {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "the inventory has no core")
	}
	c := &check{Publisher: p, site: site, core: core, said: &Answer{}, documents: map[string]*document{}}
	ask := c.askLists
	if p.o.Compare(string(core.Version), "5.1") >= 0 {
		ask = c.askRepository
	}
	if err := ask(ctx); err != nil {
		return nil, err
	}
	if err := c.askExtensions(ctx); err != nil {
		return nil, err
	}
	if c.said.Checked.IsZero() && len(c.said.Problems) > 0 {
		return nil, c.said.Problems[0]
	}
	return c.said, nil
}

// check is one run of Check.
type check struct {
	*Publisher
	site      *upkeep.Inventory
	core      *upkeep.Component
	said      *Answer
	documents map[string]*document // by address, nil for one that gave none
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
	c.said.Problems, c.said.Stale = append(c.said.Problems, err), true
	return nil
}

// ask returns the document at an address, asked for once in a check. One whose
// name does not end in .xml may be a folder that holds extension.xml.
func (c *check) ask(ctx context.Context, address string) (*document, error) {
	if d, asked := c.documents[address]; asked {
		return d, nil
	}
	c.documents[address] = nil
	answer, err := c.client.Ask(ctx, c.request(address))
	if err != nil && !strings.HasSuffix(strings.ToLower(address), ".xml") && ctx.Err() == nil {
		if second, again := c.client.Ask(ctx, c.request(strings.TrimSuffix(address, "/")+"/extension.xml")); again == nil {
			answer, err = second, nil
		}
	}
	if err != nil {
		return nil, c.problem(ctx, err)
	}
	c.said.Age(answer.Fetched, answer.Stale)
	if c.documents[address], err = parse(answer.Body); err != nil {
		return nil, c.problem(ctx, err)
	}
	return c.documents[address], c.problem(ctx, answer.Problem)
}

func (c *check) request(address string) feed.Request {
	return feed.Request{URL: address, MaxAge: c.o.MaxAge, Limit: 4 << 20, Valid: validDocument}
}

// mirrored is where to ask for what joomla.org has at an address.
func (p *Publisher) mirrored(address string) string {
	if rest, ok := strings.CutPrefix(address, defaultUpdates+"/"); ok {
		return p.o.Updates + "/" + rest
	}
	return address
}

// address returns an address that can be asked, "" for anything else.
func address(text string) string {
	text = strings.TrimSpace(text)
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || len(text) > 2000 {
		return ""
	}
	return text
}
