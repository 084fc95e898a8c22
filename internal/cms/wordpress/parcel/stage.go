// Package parcel handles unpacked packages of WordPress, its plugins, themes
// and translations: it checks them against the update they are for and puts
// them in place.
package parcel

import (
	"context"
	"io/fs"
	"os"
	"path"

	"upkeep"
	"upkeep/internal/cms"
	cargo "upkeep/internal/cms/parcel"
	"upkeep/internal/cms/php"
)

// maxSource bounds a PHP or CSS file that is read for what it says.
const maxSource = 4 << 20

// parcel is an unpacked package on its way to becoming a cms.Staged.
type parcel struct {
	ctx    context.Context
	host   cms.Host
	layout *cms.Layout
	root   *os.Root // of the unpacked package
	staged *cms.Staged
}

// Stage checks an unpacked package and says which folder or file takes which
// place. It changes nothing. CodeRefused when the package is not what the
// update promised, needs what the site has not, or would take away more than
// the component it is for.
func Stage(ctx context.Context, h cms.Host, l *cms.Layout, update upkeep.Update, unpacked string) (_ *cms.Staged, err error) {
	defer upkeep.Wrap(&err, "package of %s %s", update.Ref(), update.Release.Version)
	if update.Component.Link != "" {
		return nil, refused("%s is a link to %s", update.Component.Path, update.Component.Link).
			WithHint("It is kept elsewhere: update it there, or replace the link by the folder itself.")
	}
	root, err := h.Open(unpacked)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	p := &parcel{ctx: ctx, host: h, layout: l, root: root,
		staged: &cms.Staged{Update: update, Dir: unpacked, Files: map[string]string{}}}
	switch update.Component.Kind {
	case upkeep.Core:
		err = p.core()
	case upkeep.Plugin:
		err = p.plugin()
	case upkeep.Theme:
		err = p.theme()
	case upkeep.Language:
		err = p.language()
	default:
		err = refused("components of kind %s are not updated", update.Component.Kind)
	}
	if err != nil {
		return nil, err
	}
	return p.staged, nil
}

func refused(format string, args ...any) *upkeep.Error { return cargo.Refused(format, args...) }

func (p *parcel) component() *upkeep.Component { return &p.staged.Update.Component }
func (p *parcel) release() *upkeep.Release     { return &p.staged.Update.Release }

// entries lists the top of the package.
func (p *parcel) entries() ([]fs.DirEntry, error) { return cargo.Entries(p.root) }

// folder requires that the package is one folder of that name.
func (p *parcel) folder(want string) error { return cargo.Folder(p.root, want) }

// take plans the move of from, a file or folder of the package, to the place
// to (absolute), and notes what every file there must then be.
func (p *parcel) take(from, to string) error { return cargo.Take(p.ctx, p.root, p.staged, from, to) }

// read returns a file of the package, or nil when there is none.
func (p *parcel) read(name string) ([]byte, error) { return cargo.Read(p.root, name) }

// promised compares the version found in the package with the release's.
func (p *parcel) promised(found string) error {
	want := string(p.release().Version)
	if found == "" || found != want && php.CompareVersions(found, want) != 0 {
		return refused("holds version %q, promised %q", found, want)
	}
	return nil
}

// base is the last part of a slash path, "" for none.
func base(p string) string {
	if p == "" {
		return ""
	}
	return path.Base(p)
}
