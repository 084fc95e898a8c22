package parcel

import (
	"context"
	"os"
	"path"

	"upkeep"
	"upkeep/internal/cms"
)

// Package is an unpacked package of one folder, on its way to becoming a
// cms.Staged.
type Package struct {
	Context context.Context // of the staging, which is one call
	Host    cms.Host
	Root    *os.Root // of what was unpacked
	Top     string   // its one folder, under whatever name
	Staged  *cms.Staged
}

// Stage opens what was unpacked of a package, staged so far with its update and
// folder, and has plan say which folder or file takes which place. CodeRefused for a component that is a link,
// and a package of several folders.
func Stage(ctx context.Context, h cms.Host, staged *cms.Staged, plan func(p *Package) error) (_ *cms.Staged, err error) {
	update := &staged.Update
	defer upkeep.Wrap(&err, "package of %s %s", update.Ref(), update.Release.Version)
	if update.Component.Link != "" {
		return nil, Refused("%s is a link to %s", update.Component.Path, update.Component.Link).
			WithHint("It is kept elsewhere: update it there, or replace the link by the folder itself.")
	}
	root, err := h.Open(staged.Dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	staged.Files = map[string]string{}
	p := &Package{Context: ctx, Host: h, Root: root, Staged: staged}
	if p.Top, err = Top(root); err != nil {
		return nil, err
	}
	if err := plan(p); err != nil {
		return nil, err
	}
	return staged, nil
}

// Component is what the package is of.
func (p *Package) Component() *upkeep.Component { return &p.Staged.Update.Component }

// Read returns a file of the package, nil when there is none.
func (p *Package) Read(name string) ([]byte, error) { return Read(p.Root, path.Join(p.Top, name)) }

// Take plans that a file or folder of the package takes the place of to.
func (p *Package) Take(name, to string) error {
	return Take(p.Context, p.Root, p.Staged, path.Join(p.Top, name), to)
}
