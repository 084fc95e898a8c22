package mediawiki

import (
	"context"
	"encoding/json"
	"regexp"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/parcel"
	"upkeep/internal/cms/php"
)

// Stage checks an unpacked package and says which folder or file takes which
// place. It changes nothing. CodeRefused when the package is not what the
// update promised or needs what the site has not.
func (d *Driver) Stage(ctx context.Context, h cms.Host, l *cms.Layout, update upkeep.Update, unpacked string) (*cms.Staged, error) {
	return parcel.Stage(ctx, h, &cms.Staged{Update: update, Dir: unpacked}, func(pkg *parcel.Package) error {
		p := &staging{Package: pkg, layout: l}
		switch update.Component.Kind {
		case upkeep.Core:
			return p.core()
		case upkeep.Plugin, upkeep.Theme:
			return p.extension()
		}
		return parcel.Refused("components of kind %s are not updated", update.Component.Kind)
	})
}

// staging is an unpacked package on its way to becoming a cms.Staged.
type staging struct {
	*parcel.Package
	layout *cms.Layout
}

// extension stages an extension or skin as ExtensionDistributor packs it: a
// folder of its name, with the commit that it was made of in a file.
func (p *staging) extension() error {
	c := p.Component()
	if p.Top != c.ID {
		return parcel.Refused("is %q, installed is %q", p.Top, c.ID).
			WithHint("The package's folder must have the name of the installed one.")
	}
	raw, err := p.Read(manifestName(c.Kind))
	if err != nil {
		return err
	}
	if raw == nil {
		return parcel.Refused("holds no %s", manifestName(c.Kind))
	}
	var says manifest
	if err := json.Unmarshal(raw, &says); err != nil {
		return parcel.Refused("%s: %w", manifestName(c.Kind), err)
	}
	stamp, err := p.Read("version")
	if err != nil {
		return err
	}
	if found, promised := Snapshot(stamp), string(p.Staged.Update.Release.Version); found != promised {
		return parcel.Refused("holds version %q, promised %q", found, promised)
	}
	if platform, ok := says.Requires["platform"].(map[string]any); ok {
		if want, ok := platform["php"].(string); ok {
			if err := p.needsPHP(match(atLeast, []byte(want))); err != nil {
				return err
			}
		}
	}
	return p.Take(".", c.Path)
}

// atLeast is the lower end of a range of versions.
var atLeast = regexp.MustCompile(`>=\s*([0-9][0-9.]*)`)

// needsPHP refuses what asks for a newer PHP than the site has.
func (p *staging) needsPHP(want string) error {
	if want == "" {
		return nil
	}
	have, err := phpVersion(p.Context, p.Host, p.layout)
	if err != nil || have == "" {
		return err
	}
	if php.CompareVersions(string(have), want) < 0 {
		return parcel.Refused("needs PHP %s, the site has %s", want, have)
	}
	return nil
}
