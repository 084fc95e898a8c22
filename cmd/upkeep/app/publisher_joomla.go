package app

import (
	"context"
	"time"

	"upkeep"
	"upkeep/internal/cms/joomla"
	"upkeep/internal/cms/php"
	"upkeep/internal/feed"
	joomlaorg "upkeep/internal/feed/joomla"
	"upkeep/internal/fleet"
	"upkeep/internal/resolve"
)

// joomlaPublisher is joomla.org, and the vendors that sites name, with
// Joomla's rules of versions.
type joomlaPublisher struct {
	*joomlaorg.Publisher                      // answers as young as the settings say
	now                  *joomlaorg.Publisher // asks anew
}

func newJoomlaPublisher(s *settings, client *feed.Client, packages *feed.Packages) joomlaPublisher {
	options := joomlaorg.Options{
		Updates: s.Joomla.Updates, Downloads: s.Joomla.Downloads, Root: s.Joomla.Root, Packages: packages,
		Compare: php.CompareVersions, Branch: joomla.Branch,
	}
	publisher := joomlaPublisher{now: joomlaorg.New(client, options)}
	options.MaxAge = time.Duration(s.FeedAge)
	publisher.Publisher = joomlaorg.New(client, options)
	return publisher
}

// Check says what is known of a site's components.
func (p joomlaPublisher) Check(ctx context.Context, inventory *upkeep.Inventory, fresh bool) (*fleet.Known, error) {
	publisher := p.Publisher
	if fresh {
		publisher = p.now
	}
	answer, err := publisher.Check(ctx, inventory)
	if err != nil {
		return nil, err
	}
	known := &fleet.Known{Releases: answer.Releases, Findings: answer.Findings, Checked: answer.Checked}
	if answer.Stale || len(answer.Problems) > 0 {
		known.Offline = []string{joomlaorg.Source}
	}
	return known, nil
}

// Rules are Joomla's: version_compare, and a major version is a branch.
func (p joomlaPublisher) Rules() resolve.Rules {
	return resolve.Rules{
		Compare: func(a, b upkeep.Version) int { return php.CompareVersions(string(a), string(b)) },
		Branch:  func(v upkeep.Version) string { return joomla.Branch(string(v)) },
	}
}
