package mediawiki

import (
	"context"
	"encoding/json"
	"os"
	"path"
	"regexp"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/parcel"
	"upkeep/internal/cms/php"
)

// Stage checks an unpacked package and says which folder or file takes which
// place. It changes nothing. CodeRefused when the package is not what the
// update promised or needs what the site has not.
func (d *Driver) Stage(ctx context.Context, h cms.Host, l *cms.Layout, update upkeep.Update, unpacked string) (_ *cms.Staged, err error) {
	defer upkeep.Wrap(&err, "package of %s %s", update.Ref(), update.Release.Version)
	if update.Component.Link != "" {
		return nil, parcel.Refused("%s is a link to %s", update.Component.Path, update.Component.Link).
			WithHint("It is kept elsewhere: update it there, or replace the link by the folder itself.")
	}
	root, err := h.Open(unpacked)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	p := &staging{ctx: ctx, host: h, layout: l, root: root,
		staged: &cms.Staged{Update: update, Dir: unpacked, Files: map[string]string{}}}
	if p.top, err = parcel.Top(root); err != nil {
		return nil, err
	}
	switch update.Component.Kind {
	case upkeep.Core:
		err = p.core()
	case upkeep.Plugin, upkeep.Theme:
		err = p.extension()
	default:
		err = parcel.Refused("components of kind %s are not updated", update.Component.Kind)
	}
	if err != nil {
		return nil, err
	}
	return p.staged, nil
}

// staging is an unpacked package on its way to becoming a cms.Staged.
type staging struct {
	ctx    context.Context
	host   cms.Host
	layout *cms.Layout
	root   *os.Root // of the unpacked package
	top    string   // its one folder
	staged *cms.Staged
}

func (p *staging) component() *upkeep.Component { return &p.staged.Update.Component }

// read returns a file of the package, nil when there is none.
func (p *staging) read(name string) ([]byte, error) {
	return parcel.Read(p.root, path.Join(p.top, name))
}

func (p *staging) take(name, to string) error {
	return parcel.Take(p.ctx, p.root, p.staged, path.Join(p.top, name), to)
}

// extension stages an extension or skin as ExtensionDistributor packs it: a
// folder of its name, with the commit that it was made of in a file.
func (p *staging) extension() error {
	c := p.component()
	if p.top != c.ID {
		return parcel.Refused("is %q, installed is %q", p.top, c.ID).
			WithHint("The package's folder must have the name of the installed one.")
	}
	raw, err := p.read(manifestName(c.Kind))
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
	stamp, err := p.read("version")
	if err != nil {
		return err
	}
	if found, promised := Snapshot(stamp), string(p.staged.Update.Release.Version); found != promised {
		return parcel.Refused("holds version %q, promised %q", found, promised)
	}
	if platform, ok := says.Requires["platform"].(map[string]any); ok {
		if want, ok := platform["php"].(string); ok {
			if err := p.needsPHP(match(atLeast, []byte(want))); err != nil {
				return err
			}
		}
	}
	return p.take(".", c.Path)
}

// atLeast is the lower end of a range of versions.
var atLeast = regexp.MustCompile(`>=\s*([0-9][0-9.]*)`)

// needsPHP refuses what asks for a newer PHP than the site has.
func (p *staging) needsPHP(want string) error {
	if want == "" {
		return nil
	}
	have, err := phpVersion(p.ctx, p.host, p.layout)
	if err != nil || have == "" {
		return err
	}
	if php.CompareVersions(string(have), want) < 0 {
		return parcel.Refused("needs PHP %s, the site has %s", want, have)
	}
	return nil
}
