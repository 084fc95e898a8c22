package app

import (
	"context"
	"time"

	"upkeep"
	"upkeep/internal/cms/dokuwiki"
	"upkeep/internal/cms/mediawiki"
	"upkeep/internal/cms/php"
	"upkeep/internal/cms/wordpress"
	"upkeep/internal/feed"
	dokuwikiorg "upkeep/internal/feed/dokuwiki"
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
		upkeep.DokuWiki:  newDokuWikiPublisher(s, client, packages),
		upkeep.Drupal:    newDrupalPublisher(s, client, packages),
		upkeep.MediaWiki: newMediaWikiPublisher(s, client, packages),
	}
}

// wordpressPublisher is wordpress.org with WordPress' rules of versions.
type wordpressPublisher struct {
	*wordpressorg.Publisher                         // answers as young as the settings say
	now                     *wordpressorg.Publisher // asks anew
}

func newWordPressPublisher(s *settings, client *feed.Client, packages *feed.Packages) wordpressPublisher {
	options := wordpressorg.Options{API: s.WordPress.API, Downloads: s.WordPress.Downloads, Packages: packages}
	publisher := wordpressPublisher{now: wordpressorg.New(client, options)}
	options.MaxAge = time.Duration(s.FeedAge)
	publisher.Publisher = wordpressorg.New(client, options)
	return publisher
}

// Check says what is known of a site's components.
func (p wordpressPublisher) Check(ctx context.Context, inventory *upkeep.Inventory, fresh bool) (*fleet.Known, error) {
	publisher := p.Publisher
	if fresh {
		publisher = p.now
	}
	answer, err := publisher.Check(ctx, []wordpressorg.Ask{wordpressorg.AskOf(inventory)})
	if err != nil {
		return nil, err
	}
	site := answer.Sites[0]
	known := &fleet.Known{Releases: site.Releases, Closed: site.Closed, Findings: site.Findings, Checked: site.Checked}
	if site.Stale || len(answer.Problems) > 0 {
		known.Offline = []string{wordpressorg.Source}
	}
	return known, nil
}

// Rules are WordPress's: version_compare, is_wp_version_compatible, and w.org
// as another name of wordpress.org.
func (p wordpressPublisher) Rules() resolve.Rules {
	return resolve.Rules{
		Compare: func(a, b upkeep.Version) int { return php.CompareVersions(string(a), string(b)) },
		Meets:   func(have, want upkeep.Version) bool { return wordpress.VersionMeets(string(have), string(want)) },
		Publisher: func(uri string) string {
			if !wordpressorg.Foreign(uri) {
				return wordpressorg.Source
			}
			return resolve.PublisherOf(uri)
		},
	}
}

// dokuwikiPublisher is dokuwiki.org with DokuWiki's rules of versions.
type dokuwikiPublisher struct {
	*dokuwikiorg.Publisher                        // answers as young as the settings say
	now                    *dokuwikiorg.Publisher // asks anew
}

func newDokuWikiPublisher(s *settings, client *feed.Client, packages *feed.Packages) dokuwikiPublisher {
	options := dokuwikiorg.Options{
		Downloads: s.DokuWiki.Downloads, Updates: s.DokuWiki.Updates, Repository: s.DokuWiki.Repository, Packages: packages,
		Compare: dokuwiki.CompareVersions, Branch: dokuwiki.Branch,
	}
	publisher := dokuwikiPublisher{now: dokuwikiorg.New(client, options)}
	options.MaxAge = time.Duration(s.FeedAge)
	publisher.Publisher = dokuwikiorg.New(client, options)
	return publisher
}

// Check says what is known of a site's components.
func (p dokuwikiPublisher) Check(ctx context.Context, inventory *upkeep.Inventory, fresh bool) (*fleet.Known, error) {
	publisher := p.Publisher
	if fresh {
		publisher = p.now
	}
	answer, err := publisher.Check(ctx, []*upkeep.Inventory{inventory})
	if err != nil {
		return nil, err
	}
	site := answer.Sites[0]
	known := &fleet.Known{Releases: site.Releases, Closed: site.Closed, Findings: site.Findings, Checked: site.Checked}
	if site.Stale || len(answer.Problems) > 0 {
		known.Offline = []string{dokuwikiorg.Source}
	}
	return known, nil
}

// Rules are DokuWiki's: versions are dates.
func (p dokuwikiPublisher) Rules() resolve.Rules {
	return resolve.Rules{
		Compare: func(a, b upkeep.Version) int { return dokuwiki.CompareVersions(string(a), string(b)) },
		Branch:  func(v upkeep.Version) string { return dokuwiki.Branch(string(v)) },
	}
}

// mediawikiPublisher is Wikimedia with MediaWiki's rules of versions.
type mediawikiPublisher struct {
	*mediawikiorg.Publisher                         // answers as young as the settings say
	now                     *mediawikiorg.Publisher // asks anew
}

func newMediaWikiPublisher(s *settings, client *feed.Client, packages *feed.Packages) mediawikiPublisher {
	options := mediawikiorg.Options{
		Releases: s.MediaWiki.Releases, API: s.MediaWiki.API, Packages: packages,
		Compare: mediawiki.CompareVersions, Snapshot: mediawiki.Snapshot,
	}
	publisher := mediawikiPublisher{now: mediawikiorg.New(client, options)}
	options.MaxAge = time.Duration(s.FeedAge)
	publisher.Publisher = mediawikiorg.New(client, options)
	return publisher
}

// Check says what is known of a site's components.
func (p mediawikiPublisher) Check(ctx context.Context, inventory *upkeep.Inventory, fresh bool) (*fleet.Known, error) {
	publisher := p.Publisher
	if fresh {
		publisher = p.now
	}
	answer, err := publisher.Check(ctx, []*upkeep.Inventory{inventory})
	if err != nil {
		return nil, err
	}
	site := answer.Sites[0]
	known := &fleet.Known{Releases: site.Releases, Findings: site.Findings, Checked: site.Checked}
	if site.Stale || len(answer.Problems) > 0 {
		known.Offline = []string{mediawikiorg.Source}
	}
	return known, nil
}

// Rules are MediaWiki's: a branch is two numbers, and versions are ordered as
// PHP does.
func (p mediawikiPublisher) Rules() resolve.Rules {
	return resolve.Rules{Compare: func(a, b upkeep.Version) int { return mediawiki.CompareVersions(string(a), string(b)) }}
}
