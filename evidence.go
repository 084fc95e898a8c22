package upkeep

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// Environment is what of a site decides whether a release works there.
type Environment struct {
	Core       Version            `json:"core"`     // of the CMS
	PHP        Version            `json:"php"`      // of the site's interpreter
	Database   string             `json:"database"` // server version string
	Extensions map[string]Version `json:"extensions,omitempty"`
}

// Environment returns that of a site, without the names of components that
// are only translations. Extensions are by ref.
func (inv *Inventory) Environment() Environment {
	env := Environment{PHP: inv.PHP, Database: inv.Database, Extensions: map[string]Version{}}
	for i := range inv.Components {
		switch c := &inv.Components[i]; c.Kind {
		case Core:
			env.Core = c.Version
		case Language:
		default:
			env.Extensions[c.Ref()] = c.Version
		}
	}
	return env
}

// Branch is a version down to its second number: what one release of PHP or
// of a CMS shares with its corrections.
func (v Version) Branch() Version {
	parts := strings.SplitN(string(v), ".", 3)
	return Version(strings.Join(parts[:min(2, len(parts))], "."))
}

// Evidence is what an intervention proved of a component's move: that it
// works there, that it is what broke the site, or nothing, because it was
// undone for another's sake.
type Evidence struct {
	Intervention InterventionID `json:"intervention"`
	Site         SiteID         `json:"site"`
	CMS          CMS            `json:"cms"`
	Component    string         `json:"component"` // ref
	From         Version        `json:"from"`
	To           Version        `json:"to"`
	Result       Result         `json:"result"`
	Environment  Environment    `json:"environment"` // before the intervention
	At           time.Time      `json:"at"`          // when it concluded
}

// Combination is what sites have in common on which a release fails. Empty
// fields play no part.
type Combination struct {
	Core       Version  `json:"core,omitempty"`     // branch
	PHP        Version  `json:"php,omitempty"`      // branch
	Database   Version  `json:"database,omitempty"` // branch
	Extensions []string `json:"extensions,omitempty"`
}

// String lists it, as no language translates it: "core 6.8, PHP 8.1, plugin:a/a.php".
func (c *Combination) String() string {
	var parts []string
	if c.Core != "" {
		parts = append(parts, "core "+string(c.Core))
	}
	if c.PHP != "" {
		parts = append(parts, "PHP "+string(c.PHP))
	}
	if c.Database != "" {
		parts = append(parts, "SQL "+string(c.Database))
	}
	return strings.Join(append(parts, c.Extensions...), ", ")
}

// Confidence is what is known of a release before it is applied.
type Confidence struct {
	Component string       `json:"component"` // ref
	Version   Version      `json:"version"`
	Applied   int          `json:"applied"`         // sites on which it works
	Failed    int          `json:"failed"`          // sites that it broke
	Spared    int          `json:"spared"`          // sites on which it was undone for another's sake
	Fails     *Combination `json:"fails,omitempty"` // what those that it broke have in common
}

// Latest returns of each site what was proven last, by the site's number. That
// nothing was proven counts only while nothing else is known of the site.
func Latest(evidence []Evidence) []Evidence {
	last := map[SiteID]Evidence{}
	for _, e := range evidence {
		before, known := last[e.Site]
		switch empty := e.Result == NotApplied; {
		case !known, !empty && before.Result == NotApplied:
			last[e.Site] = e
		case empty == (before.Result == NotApplied) && !e.At.Before(before.At):
			last[e.Site] = e
		}
	}
	return slices.SortedFunc(maps.Values(last), func(a, b Evidence) int { return cmp.Compare(a.Site, b.Site) })
}
