// Package mediawiki asks Wikimedia (or a mirror of it) which releases there are
// of MediaWiki, and which snapshots of its extensions and skins.
//
// There is no feed for machines: the download server lists its folders, one for
// each branch. ExtensionDistributor has of each extension one archive a branch,
// named by its commit; when that was made is written inside. What lasts how long
// is not told by either, and kept here: see branches.go.
package mediawiki

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"upkeep"
	"upkeep/internal/feed"
)

// Source is the name of this publisher in releases.
const Source = "mediawiki.org"

// Where Wikimedia answers.
const (
	defaultReleases = "https://releases.wikimedia.org/mediawiki"
	defaultAPI      = "https://www.mediawiki.org/w/api.php"
)

// Options say whom to ask and how long an answer holds. The zero value asks
// Wikimedia.
type Options struct {
	Releases string        // base address of releases.wikimedia.org/mediawiki or a mirror
	API      string        // address of mediawiki.org's API, which knows of extensions, or a mirror
	MaxAge   time.Duration // answers hold so long; 0 asks anew every time

	// Compare is MediaWiki's order of versions; Snapshot reads the version of
	// an extension from the file that says when its archive was made, "" for
	// none.
	Compare  func(a, b string) int
	Snapshot func(text []byte) string

	Packages *feed.Packages // where packages are fetched to know what is inside; nil does without

	// Signed says that Packages knows the keys that releases are signed with: each
	// release then has a signature, or is refused.
	Signed bool
}

// Publisher is Wikimedia, asked through a client.
type Publisher struct {
	client *feed.Client
	o      Options
}

// New returns a publisher.
func New(client *feed.Client, o Options) *Publisher {
	o.Releases = strings.TrimRight(cmp.Or(o.Releases, defaultReleases), "/")
	o.API = cmp.Or(o.API, defaultAPI)
	return &Publisher{client: client, o: o}
}

// Check asks about all sites at once. Releases are all that are offered, the
// installed version among them: comparing is left to resolve. An error means
// that nothing at all is known.
func (p *Publisher) Check(ctx context.Context, sites []*upkeep.Inventory) (_ *feed.Said, err error) {
	defer upkeep.Wrap(&err, "check mediawiki.org for %d sites", len(sites))
	c := &check{publisher: p, branches: map[string]*branchList{}, extensions: map[string]*extension{}}
	if err := c.askBranches(ctx, sites); err != nil {
		return nil, err
	}
	for _, site := range sites {
		c.collect(site)
	}
	if err := c.askExtensions(ctx); err != nil {
		return nil, err
	}
	answer, known := &feed.Said{}, false
	for _, site := range sites {
		said, err := c.answer(ctx, site)
		if err != nil {
			return nil, err
		}
		known = known || !said.Checked.IsZero()
		answer.Sites = append(answer.Sites, said)
	}
	answer.Problems = c.problems
	if !known && len(c.problems) > 0 {
		return nil, c.problems[0]
	}
	return answer, nil
}

// check is one run of Check.
type check struct {
	publisher  *Publisher
	branches   map[string]*branchList // by branch: "1.43"
	extensions map[string]*extension  // by "extensions/Cite" or "skins/Vector"
	problems   []error
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
	c.problems = append(c.problems, err)
	return nil
}

// branchList is what the download server has of one branch.
type branchList struct {
	versions []string
	fetched  time.Time
	stale    bool
}

// Forms of what the download server lists.
var (
	branchLink  = regexp.MustCompile(`href="(?:[^"]*/)?(1\.[0-9]{1,3})/"`)
	releaseLink = regexp.MustCompile(`href="(?:[^"]*/)?mediawiki-(1\.[0-9]{1,3}\.[0-9]{1,3})\.tar\.gz"`) // candidates are none
	versionForm = regexp.MustCompile(`^1\.[0-9]{1,3}\.[0-9]{1,3}$`)
)

func listed(form *regexp.Regexp, body []byte) []string {
	var found []string
	for _, link := range form.FindAllSubmatch(body, 10_000) {
		found = append(found, string(link[1]))
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// list asks for one folder of the download server.
func (c *check) list(ctx context.Context, folder string, form *regexp.Regexp) (*branchList, error) {
	p := c.publisher
	answer, err := p.client.Ask(ctx, feed.Request{URL: p.o.Releases + "/" + folder, MaxAge: p.o.MaxAge, Limit: 4 << 20, Valid: func(entry *feed.Entry) error {
		if entry.Status != http.StatusOK || len(listed(form, entry.Body)) == 0 && form == branchLink {
			return upkeep.Errorf(upkeep.CodeRefused, "lists no release")
		}
		return nil
	}})
	if err != nil {
		return &branchList{stale: true}, c.problem(ctx, err)
	}
	return &branchList{versions: listed(form, answer.Body), fetched: answer.Fetched, stale: answer.Stale}, c.problem(ctx, answer.Problem)
}

// askBranches asks which branches there are, and for the releases of each from
// the oldest installed one on.
func (c *check) askBranches(ctx context.Context, sites []*upkeep.Inventory) error {
	oldest := ""
	for _, site := range sites {
		if core := site.Core(); core != nil && (oldest == "" || c.publisher.o.Compare(branchOf(string(core.Version)), oldest) < 0) {
			oldest = branchOf(string(core.Version))
		}
	}
	if oldest == "" {
		return nil // no core to be told about
	}
	all, err := c.list(ctx, "", branchLink)
	if err != nil {
		return err
	}
	for _, branch := range all.versions {
		if c.publisher.o.Compare(branch, oldest) < 0 {
			continue
		}
		if c.branches[branch], err = c.list(ctx, branch+"/", releaseLink); err != nil {
			return err
		}
		c.branches[branch].stale = c.branches[branch].stale || all.stale
	}
	return nil
}

// branchOf is the first two numbers of a version.
func branchOf(version string) string {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return version
	}
	return parts[0] + "." + parts[1]
}

// answer puts together what is known about a site.
func (c *check) answer(ctx context.Context, site *upkeep.Inventory) (feed.SiteAnswer, error) {
	said := feed.SiteAnswer{}
	core := site.Core()
	if core == nil {
		return said, nil
	}
	c.answerCore(&said, core)
	for i := range site.Components {
		component := &site.Components[i]
		if e := c.extensions[archiveOf(component)]; e != nil {
			if err := c.answerExtension(ctx, &said, e, component, branchOf(string(core.Version))); err != nil {
				return said, err
			}
		}
	}
	return said, nil
}

// answerCore adds the releases that a site may go to. One that keeps to the
// branches with long support is not offered the others.
func (c *check) answerCore(said *feed.SiteAnswer, core *upkeep.Component) {
	own := branchOf(string(core.Version))
	if len(c.branches) == 0 {
		said.Stale = true
	}
	for branch, list := range c.branches {
		if c.publisher.o.Compare(branch, own) < 0 || branch != own && longTerm(own) && !longTerm(branch) {
			continue
		}
		said.Age(list.fetched, list.stale)
		for _, version := range list.versions {
			if branchOf(version) == branch {
				said.Releases = append(said.Releases, c.release(branch, version, list.fetched))
			}
		}
	}
	slices.SortFunc(said.Releases, func(a, b upkeep.Release) int { return c.publisher.o.Compare(string(a.Version), string(b.Version)) })
	if end := endOf(own); !end.IsZero() && c.publisher.client.Clock()().After(end.AddDate(0, 0, 1)) {
		said.Findings = append(said.Findings, upkeep.Finding{Code: "branch_ended", Component: core.Ref(), Detail: own + ", " + end.Format(time.DateOnly)})
	}
}

func (c *check) release(branch, version string, fetched time.Time) upkeep.Release {
	release := upkeep.Release{
		Kind: upkeep.Core, Slug: "mediawiki", Version: upkeep.Version(version), Branch: branch, Package: c.publisher.packageOf(version),
		Signature: c.publisher.signatureOf(version), Source: Source, Checked: fetched, URL: "https://www.mediawiki.org/wiki/Release_notes/" + branch,
		// The first of a branch is a new MediaWiki; later ones are made for
		// security, with what else was mended.
		Security: !strings.HasSuffix(version, ".0"), UpgradesFrom: upkeep.Version(oldestFor(branch)),
	}
	if c.publisher.o.Compare(branch, "1.43") >= 0 {
		release.RequiresPHP = "8.1.0"
	}
	return release
}

// packageOf is where the download server keeps a release.
func (p *Publisher) packageOf(version string) string {
	return p.o.Releases + "/" + branchOf(version) + "/mediawiki-" + version + ".tar.gz"
}

// signatureOf is where its signature is, "" when nobody could check it.
func (p *Publisher) signatureOf(version string) string {
	if !p.o.Signed {
		return ""
	}
	return p.packageOf(version) + ".sig"
}
