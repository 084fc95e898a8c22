package app

import (
	"context"
	"time"

	"upkeep"
	"upkeep/internal/cms/dokuwiki"
	"upkeep/internal/cms/drupal"
	"upkeep/internal/cms/joomla"
	"upkeep/internal/cms/mediawiki"
	"upkeep/internal/cms/php"
	"upkeep/internal/cms/wordpress"
	"upkeep/internal/feed"
	dokuwikiorg "upkeep/internal/feed/dokuwiki"
	drupalorg "upkeep/internal/feed/drupal"
	joomlaorg "upkeep/internal/feed/joomla"
	mediawikiorg "upkeep/internal/feed/mediawiki"
	"upkeep/internal/feed/wordpressorg"
	"upkeep/internal/fleet"
	"upkeep/internal/resolve"
)

// publishers are those of every CMS that there is a driver for.
func publishers(s *settings, client *feed.Client, packages *feed.Packages) map[upkeep.CMS]fleet.Publisher {
	return map[upkeep.CMS]fleet.Publisher{
		upkeep.WordPress: newWordPressPublisher(s, client, packages),
		upkeep.Joomla:    newJoomlaPublisher(s, client, packages),
		upkeep.Drupal:    newDrupalPublisher(s, client, packages),
		upkeep.DokuWiki:  newDokuWikiPublisher(s, client, packages),
		upkeep.MediaWiki: newMediaWikiPublisher(s, client, packages),
	}
}

// newWordPressPublisher is wordpress.org: version_compare,
// is_wp_version_compatible, and w.org as another name of wordpress.org.
func newWordPressPublisher(s *settings, client *feed.Client, packages *feed.Packages) fleet.Publisher {
	p := thrice(s.FeedAge, func(maxAge time.Duration) *wordpressorg.Publisher {
		return wordpressorg.New(client, wordpressorg.Options{
			API: s.WordPress.API, Downloads: s.WordPress.Downloads, Packages: packages, MaxAge: maxAge,
		})
	})
	p.source = wordpressorg.Source
	p.ask = func(ctx context.Context, p *wordpressorg.Publisher, inventory *upkeep.Inventory) (*feed.SiteAnswer, []error, error) {
		answer, err := p.Check(ctx, []wordpressorg.Ask{wordpressorg.AskOf(inventory)})
		if err != nil {
			return nil, nil, err
		}
		return &answer.Sites[0].SiteAnswer, answer.Problems, nil
	}
	p.rules = resolve.Rules{
		Compare: compared(php.CompareVersions),
		Meets:   func(have, want upkeep.Version) bool { return wordpress.VersionMeets(string(have), string(want)) },
		Publisher: func(uri string) string {
			if !wordpressorg.Foreign(uri) {
				return wordpressorg.Source
			}
			return resolve.PublisherOf(uri)
		},
	}
	return p
}

// newJoomlaPublisher is joomla.org, and the vendors that sites name:
// version_compare, and a major version is a branch.
func newJoomlaPublisher(s *settings, client *feed.Client, packages *feed.Packages) fleet.Publisher {
	p := thrice(s.FeedAge, func(maxAge time.Duration) *joomlaorg.Publisher {
		return joomlaorg.New(client, joomlaorg.Options{
			Updates: s.Joomla.Updates, Downloads: s.Joomla.Downloads, Root: s.Joomla.Root, Packages: packages,
			Compare: php.CompareVersions, Branch: joomla.Branch, MaxAge: maxAge,
		})
	})
	p.source = joomlaorg.Source
	p.ask = func(ctx context.Context, p *joomlaorg.Publisher, inventory *upkeep.Inventory) (*feed.SiteAnswer, []error, error) {
		answer, err := p.Check(ctx, inventory)
		if err != nil {
			return nil, nil, err
		}
		return &answer.SiteAnswer, answer.Problems, nil
	}
	p.rules = resolve.Rules{
		Compare: compared(php.CompareVersions),
		Branch:  func(v upkeep.Version) string { return joomla.Branch(string(v)) },
	}
	return p
}

// newDrupalPublisher is drupal.org: what a module asks of core is a constraint
// of Composer's.
func newDrupalPublisher(s *settings, client *feed.Client, packages *feed.Packages) fleet.Publisher {
	p := thrice(s.FeedAge, func(maxAge time.Duration) *drupalorg.Publisher {
		return drupalorg.New(client, drupalorg.Options{
			History: s.Drupal.History, Packages: packages, Compare: drupal.CompareVersions, MaxAge: maxAge,
		})
	})
	p.source, p.ask = drupalorg.Source, askOne
	p.rules = resolve.Rules{
		Compare: compared(drupal.CompareVersions),
		Meets:   func(have, want upkeep.Version) bool { return drupal.Meets(string(have), string(want)) },
		Branch:  func(v upkeep.Version) string { return drupal.Branch(string(v)) },
		Marks:   true,
	}
	return p
}

// newDokuWikiPublisher is dokuwiki.org: versions are dates.
func newDokuWikiPublisher(s *settings, client *feed.Client, packages *feed.Packages) fleet.Publisher {
	p := thrice(s.FeedAge, func(maxAge time.Duration) *dokuwikiorg.Publisher {
		return dokuwikiorg.New(client, dokuwikiorg.Options{
			Downloads: s.DokuWiki.Downloads, Updates: s.DokuWiki.Updates, Repository: s.DokuWiki.Repository, Packages: packages,
			Compare: dokuwiki.CompareVersions, Branch: dokuwiki.Branch, MaxAge: maxAge,
		})
	})
	p.source, p.ask = dokuwikiorg.Source, askOne
	p.rules = resolve.Rules{
		Compare: compared(dokuwiki.CompareVersions),
		Branch:  func(v upkeep.Version) string { return dokuwiki.Branch(string(v)) },
	}
	return p
}

// newMediaWikiPublisher is Wikimedia: a branch is two numbers, and versions are
// ordered as PHP does.
func newMediaWikiPublisher(s *settings, client *feed.Client, packages *feed.Packages) fleet.Publisher {
	p := thrice(s.FeedAge, func(maxAge time.Duration) *mediawikiorg.Publisher {
		return mediawikiorg.New(client, mediawikiorg.Options{
			Releases: s.MediaWiki.Releases, API: s.MediaWiki.API, Packages: packages, Signed: s.MediaWiki.Keys != "",
			Compare: mediawiki.CompareVersions, Snapshot: mediawiki.Snapshot, MaxAge: maxAge,
		})
	})
	p.source, p.ask = mediawikiorg.Source, askOne
	p.rules = resolve.Rules{Compare: compared(mediawiki.CompareVersions)}
	return p
}
