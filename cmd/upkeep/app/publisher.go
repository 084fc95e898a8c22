package app

import (
	"context"
	"time"

	"upkeep"
	"upkeep/internal/feed"
	"upkeep/internal/fleet"
	"upkeep/internal/resolve"
)

// originals is what every publisher says in the same form.
type originals interface {
	Originals(ctx context.Context, components []upkeep.Component) (map[string]upkeep.Original, []error)
}

// publisher is a publisher with the rules of versions of its CMS.
type publisher[P originals] struct {
	source string
	kept   P // answers as young as planning asks for
	known  P // answers as young as the settings say
	now    P // asks anew
	ask    func(ctx context.Context, p P, inventory *upkeep.Inventory) (*feed.SiteAnswer, []error, error)
	rules  resolve.Rules
}

var _ fleet.Publisher = publisher[originals]{}

// Check says what is known of a site's components.
func (p publisher[P]) Check(ctx context.Context, inventory *upkeep.Inventory, young fleet.Freshness) (*fleet.Known, error) {
	asked := p.known
	switch young {
	case fleet.Kept:
		asked = p.kept
	case fleet.Fresh:
		asked = p.now
	}
	site, problems, err := p.ask(ctx, asked, inventory)
	if err != nil {
		return nil, err
	}
	known := &fleet.Known{Releases: site.Releases, Closed: site.Closed, Findings: site.Findings, Checked: site.Checked}
	if site.Stale || len(problems) > 0 {
		known.Offline = []string{p.source}
	}
	return known, nil
}

// Originals returns what the publisher says the installed files are.
func (p publisher[P]) Originals(ctx context.Context, components []upkeep.Component) (map[string]upkeep.Original, []error) {
	return p.known.Originals(ctx, components)
}

// Rules says what versions of the CMS mean.
func (p publisher[P]) Rules() resolve.Rules { return p.rules }

// keptFor is how old answers may be that planning rests on: what begins is
// decided anew by fresh ones.
const keptFor = 30 * time.Minute

// thrice makes a publisher of three, whose answers are of different ages.
func thrice[P originals](maxAge upkeep.Duration, make func(maxAge time.Duration) P) publisher[P] {
	return publisher[P]{kept: make(max(keptFor, time.Duration(maxAge))), known: make(time.Duration(maxAge)), now: make(0)}
}

// many is a publisher that is asked about any number of sites.
type many interface {
	originals
	Check(ctx context.Context, sites []*upkeep.Inventory) (*feed.Said, error)
}

func askOne[P many](ctx context.Context, p P, inventory *upkeep.Inventory) (*feed.SiteAnswer, []error, error) {
	said, err := p.Check(ctx, []*upkeep.Inventory{inventory})
	if err != nil {
		return nil, nil, err
	}
	return &said.Sites[0], said.Problems, nil
}

// compared is the order of versions that a CMS has for texts.
func compared(compare func(a, b string) int) func(a, b upkeep.Version) int {
	return func(a, b upkeep.Version) int { return compare(string(a), string(b)) }
}
