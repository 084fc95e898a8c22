package app

import (
	"context"
	"time"

	"upkeep"
	"upkeep/internal/cms/drupal"
	"upkeep/internal/feed"
	drupalorg "upkeep/internal/feed/drupal"
	"upkeep/internal/fleet"
	"upkeep/internal/resolve"
)

// drupalPublisher is drupal.org with Drupal's rules of versions.
type drupalPublisher struct {
	*drupalorg.Publisher                      // answers as young as the settings say
	now                  *drupalorg.Publisher // asks anew
}

func newDrupalPublisher(s *settings, client *feed.Client, packages *feed.Packages) drupalPublisher {
	options := drupalorg.Options{History: s.Drupal.History, Packages: packages, Compare: drupal.CompareVersions}
	publisher := drupalPublisher{now: drupalorg.New(client, options)}
	options.MaxAge = time.Duration(s.FeedAge)
	publisher.Publisher = drupalorg.New(client, options)
	return publisher
}

// Check says what is known of a site's components.
func (p drupalPublisher) Check(ctx context.Context, inventory *upkeep.Inventory, fresh bool) (*fleet.Known, error) {
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
		known.Offline = []string{drupalorg.Source}
	}
	return known, nil
}

// Rules are Drupal's: what a module asks of core is a constraint of Composer's.
func (p drupalPublisher) Rules() resolve.Rules {
	return resolve.Rules{
		Compare: func(a, b upkeep.Version) int { return drupal.CompareVersions(string(a), string(b)) },
		Meets:   func(have, want upkeep.Version) bool { return drupal.Meets(string(have), string(want)) },
		Branch:  func(v upkeep.Version) string { return drupal.Branch(string(v)) },
		Marks:   true,
	}
}
