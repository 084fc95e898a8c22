package drupal

import (
	"context"
	"net/http"
	"path"
	"strings"

	"upkeep"
	"upkeep/internal/feed"
)

// Originals returns what the files of the installed releases are, read from
// their packages: no hashes of files are published.
func (p *Publisher) Originals(ctx context.Context, components []upkeep.Component) (map[string]upkeep.Original, []error) {
	originals := map[string]upkeep.Original{}
	var problems []error
	old := legacy(components)
	for i := range components {
		c := &components[i]
		where := p.address(c, old)
		if p.o.Packages == nil || where == "" || isDev(string(c.Version)) {
			continue
		}
		original, err := p.original(ctx, c, where)
		switch {
		case upkeep.CodeOf(err) == upkeep.CodeNotFound: // not kept, or not of drupal.org
		case err != nil:
			problems = append(problems, err)
		default:
			originals[c.Ref()] = original
		}
	}
	return originals, problems
}

func (p *Publisher) original(ctx context.Context, c *upkeep.Component, where string) (_ upkeep.Original, err error) {
	defer upkeep.Wrap(&err, "original files of %s %s", c.Slug, c.Version)
	answer, err := p.client.Ask(ctx, feed.Request{URL: where, MaxAge: p.o.MaxAge, Valid: valid})
	if err != nil {
		return upkeep.Original{}, err
	}
	unknown := upkeep.Errorf(upkeep.CodeNotFound, "no such release")
	h := parse(answer.Body)
	if answer.Status != http.StatusOK || h == nil {
		return upkeep.Original{}, unknown
	}
	r := h.release(string(c.Version))
	if r == nil || !strings.HasSuffix(r.download(), ".tar.gz") {
		return upkeep.Original{}, unknown
	}
	pkg, err := p.o.Packages.Fetch(ctx, upkeep.Release{
		Kind: c.Kind, Slug: c.Slug, Version: c.Version, Package: r.download(), Source: Source, Hashes: r.hashes(),
	}, nil)
	if err != nil {
		return upkeep.Original{}, err
	}
	return feed.Original(pkg.Path, func(name string) bool { return soft(c, name) })
}

// soft are files whose change or absence does not matter to an update:
// documents, and what owners adapt at the root of a site.
func soft(c *upkeep.Component, name string) bool {
	base := path.Base(name)
	if strings.HasSuffix(base, ".txt") || strings.HasSuffix(base, ".md") || base == ".gitignore" || base == ".editorconfig" {
		return true
	}
	return c.Kind == upkeep.Core && !strings.Contains(name, "/") && (strings.HasPrefix(base, ".") || base == "web.config" || base == "composer.lock" || base == "composer.json")
}
