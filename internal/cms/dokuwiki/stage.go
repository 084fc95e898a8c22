package dokuwiki

import (
	"context"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

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

// extension stages a plugin or template: its own name is in its info file, the
// folder's often is that of a repository and its branch.
func (p *staging) extension() error {
	c := p.Component()
	if c.Headers[HeaderBundled] != "" {
		return parcel.Refused("%s comes with DokuWiki", c.ID).WithHint("Update DokuWiki itself.")
	}
	text, err := p.Read(infoFile(c.Kind))
	if err != nil {
		return err
	}
	if text == nil {
		return parcel.Refused("holds no %s", infoFile(c.Kind))
	}
	says := parseInfo(text)
	if says["base"] != c.ID {
		return parcel.Refused("is %q, installed is %q", says["base"], c.ID).
			WithHint("Its info file must name the folder that it belongs in.")
	}
	// The address gives what is newest now, the repository what was newest
	// when it last looked.
	found, promised := says["date"], string(p.Staged.Update.Release.Version)
	if found == "" || CompareVersions(found, promised) < 0 {
		return parcel.Refused("holds version %q, promised %q", found, promised)
	}
	p.Staged.Update.Release.Version = upkeep.Version(found)
	if err := p.needsPHP(says["phpmin"]); err != nil {
		return err
	}
	if err := p.extensionObsolete(); err != nil {
		return err
	}
	return p.Take(".", c.Path)
}

// extensionObsolete plans what an extension's own list takes away.
func (p *staging) extensionObsolete() error {
	list, err := p.Read("deleted.files")
	if err != nil || list == nil {
		return err
	}
	names, err := p.obsolete(list, func(string) bool { return true })
	if err != nil {
		return err
	}
	return p.drop(p.Component().Path, names)
}

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

// Apply puts staged updates in place in the order given. Repeating it is
// harmless.
func (d *Driver) Apply(ctx context.Context, w cms.Work, l *cms.Layout, staged []cms.Staged) error {
	placed := map[string]*cms.Staged{}
	for i := range staged {
		if err := apply(ctx, w, &staged[i], placed); err != nil {
			return err
		}
	}
	return nil
}

func apply(ctx context.Context, w cms.Work, s *cms.Staged, placed map[string]*cms.Staged) (err error) {
	defer upkeep.Wrap(&err, "apply %s %s", s.Update.Ref(), s.Update.Release.Version)
	for _, move := range s.Moves {
		if err := parcel.Carry(ctx, w, s, move); err != nil {
			return err
		}
	}
	return parcel.Place(ctx, w, s, placed)
}

// deletedFiles is where a release lists what earlier ones had.
const deletedFiles = "data/deleted.files"

// obsolete reads a list of files that earlier versions had: one path a line,
// below the folder that it is for, with comments. CodeRefused for a path that
// leads out or names what is the site's.
func (p *staging) obsolete(list []byte, mayGo func(string) bool) ([]string, error) {
	seen := map[string]bool{}
	for line := range strings.SplitSeq(string(list), "\n") {
		line, _, _ = strings.Cut(line, "#")
		name := strings.TrimSuffix(strings.TrimSpace(line), "/")
		if name == "" {
			continue
		}
		if !fs.ValidPath(name) || name == "." {
			return nil, parcel.Refused("calls %q obsolete", name)
		}
		if !mayGo(name) {
			continue
		}
		if _, err := p.Root.Lstat(path.Join(p.Top, name)); err != nil { // what it brings itself stays
			seen[name] = true
		}
	}
	return slices.Sorted(maps.Keys(seen)), nil
}

// drop plans to take away those of names that the site has below dir.
func (p *staging) drop(dir string, names []string) error {
	site, err := p.Host.Open(dir)
	if err != nil {
		return err
	}
	defer site.Close()
	for _, name := range names {
		if _, err := site.Lstat(name); err == nil {
			p.Staged.Drop = append(p.Staged.Drop, filepath.Join(dir, name))
		}
	}
	return nil
}
