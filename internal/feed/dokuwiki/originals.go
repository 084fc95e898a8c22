package dokuwiki

import (
	"context"
	"path"
	"strings"

	"upkeep"
	"upkeep/internal/feed"
)

// Originals returns what the files of the installed release of DokuWiki are,
// read from its package: no hashes are published, of extensions none that
// would last, as their packages are whatever their authors wrote last.
func (p *Publisher) Originals(ctx context.Context, components []upkeep.Component) (map[string]upkeep.Original, []error) {
	originals := map[string]upkeep.Original{}
	for i := range components {
		c := &components[i]
		if c.Kind != upkeep.Core || p.o.Packages == nil || !versionForm.MatchString(string(c.Version)) {
			continue
		}
		original, err := p.original(ctx, string(c.Version))
		switch {
		case upkeep.CodeOf(err) == upkeep.CodeNotFound: // not kept any more
		case err != nil:
			return originals, []error{err}
		default:
			originals[c.Ref()] = original
		}
	}
	return originals, nil
}

func (p *Publisher) original(ctx context.Context, version string) (_ upkeep.Original, err error) {
	defer upkeep.Wrap(&err, "original files of DokuWiki %s", version)
	pkg, err := p.o.Packages.Fetch(ctx, upkeep.Release{
		Kind: upkeep.Core, Slug: "dokuwiki", Version: upkeep.Version(version), Package: p.packageOf(version), Source: Source,
	}, nil)
	if err != nil {
		return upkeep.Original{}, err
	}
	return feed.Original(pkg.Path, soft)
}

// soft are files whose change or absence does not matter to an update:
// documents, examples, and languages, which DokuWiki has a tool to remove.
func soft(name string) bool {
	switch path.Base(name) {
	case "README", "COPYING", "LICENSE", "SECURITY.md", "_dummy", ".htaccess":
		return true
	}
	lang := strings.Contains(name, "/lang/") && !strings.Contains(name, "/lang/en/")
	return lang || strings.HasSuffix(name, ".dist") || strings.HasSuffix(name, ".example")
}
