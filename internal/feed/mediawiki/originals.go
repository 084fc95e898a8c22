package mediawiki

import (
	"context"
	"path"
	"strings"

	"upkeep"
	"upkeep/internal/feed"
)

// Originals returns what the files of the installed release of MediaWiki are,
// read from its package: no hashes are published. Of extensions it returns none:
// their archives are replaced by newer ones.
func (p *Publisher) Originals(ctx context.Context, components []upkeep.Component) (map[string]upkeep.Original, []error) {
	originals := map[string]upkeep.Original{}
	for i := range components {
		c := &components[i]
		if c.Kind != upkeep.Core || p.o.Packages == nil || !versionForm.MatchString(string(c.Version)) {
			continue
		}
		original, err := p.original(ctx, c.Version)
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

func (p *Publisher) original(ctx context.Context, version upkeep.Version) (_ upkeep.Original, err error) {
	defer upkeep.Wrap(&err, "original files of MediaWiki %s", version)
	pkg, err := p.o.Packages.Fetch(ctx, upkeep.Release{
		Kind: upkeep.Core, Slug: "mediawiki", Version: version, Package: p.packageOf(string(version)),
		Signature: p.signatureOf(string(version)), Source: Source,
	}, nil)
	if err != nil {
		return upkeep.Original{}, err
	}
	return feed.Original(pkg.Path, soft)
}

// soft are files whose change or absence does not matter to an update:
// documents, examples, and texts of other languages than English, of which
// owners remove what they do not need.
func soft(name string) bool {
	base := path.Base(name)
	switch base {
	case "README", "README.md", "COPYING", "CREDITS", "FAQ", "HISTORY", "INSTALL", "SECURITY", "UPGRADE", "CODE_OF_CONDUCT.md", ".htaccess", "robots.txt":
		return true
	}
	texts := strings.Contains(name, "/i18n/") && strings.HasSuffix(base, ".json") && base != "en.json"
	return texts || strings.HasPrefix(base, "RELEASE-NOTES") || strings.HasPrefix(base, ".") || strings.HasSuffix(base, "-sample")
}
