// Package wordpress knows WordPress. The driver puts together what its
// subpackages answer: where a site keeps what (layout), what is installed
// (inventory) and whether it is as published (integrity), how a package is
// checked and put in place (parcel), what the database needs then (migrate),
// and whether all of it came true (readback).
package wordpress

import (
	"context"
	"time"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/wordpress/integrity"
	"upkeep/internal/cms/wordpress/inventory"
	"upkeep/internal/cms/wordpress/layout"
	"upkeep/internal/cms/wordpress/migrate"
	"upkeep/internal/cms/wordpress/parcel"
	"upkeep/internal/cms/wordpress/readback"
)

// Driver is the WordPress driver; see New. It is safe for concurrent use.
type Driver struct {
	// Clock tells the time; time.Now unless a test sets it.
	Clock upkeep.Clock
	// Cache remembers what files said, by their stat, so that an unchanged
	// site is not read again. Nil remembers nothing.
	Cache *inventory.Cache
	// Settings remembers what configurations mean. Nil remembers nothing.
	Settings *layout.Memory
}

var _ cms.Driver = (*Driver)(nil)

// New returns a driver with an empty cache.
func New() *Driver {
	return &Driver{Clock: time.Now, Cache: inventory.NewCache(), Settings: &layout.Memory{}}
}

// CMS returns upkeep.WordPress.
func (d *Driver) CMS() upkeep.CMS { return upkeep.WordPress }

// Detect finds the WordPress at root: in root itself or, as in subdirectory
// installs and Composer projects, in a folder below it.
func (d *Driver) Detect(ctx context.Context, h cms.Host, root string) (*cms.Layout, error) {
	now := time.Now
	if d.Clock != nil {
		now = d.Clock
	}
	return d.Settings.Detect(ctx, h, root, now())
}

// Inventory reads what is installed from the files and what is active from
// the database. No code of the site runs.
func (d *Driver) Inventory(ctx context.Context, h cms.Host, l *cms.Layout) (*upkeep.Inventory, error) {
	reader := inventory.Reader{Clock: d.Clock, Cache: d.Cache}
	return reader.Read(ctx, h, l)
}

// Integrity compares the installed files with what their publisher released.
// Modified and missing files give a blocking finding "modified" for each
// component, or one that does not block when only soft files differ; files
// that no release has give "unknown_file".
func (d *Driver) Integrity(ctx context.Context, h cms.Host, l *cms.Layout, originals map[string]upkeep.Original) ([]upkeep.Finding, error) {
	return integrity.Examine(ctx, h, l, originals)
}

// Stage checks an unpacked package and says which folder or file takes which
// place. It changes nothing. CodeRefused when the package is not what the
// update promised, needs what the site has not, or would take away more than
// the component it is for.
func (d *Driver) Stage(ctx context.Context, h cms.Host, l *cms.Layout, update upkeep.Update, unpacked string) (*cms.Staged, error) {
	return parcel.Stage(ctx, h, l, update, unpacked)
}

// Apply puts staged updates in place in the order given. Repeating it is
// harmless.
func (d *Driver) Apply(ctx context.Context, w cms.Work, l *cms.Layout, staged []cms.Staged) error {
	return parcel.Apply(ctx, w, l, staged)
}

// Migrate brings the database of every blog to the level of the files and
// tells the site's plugins what was updated. CodeRefused, naming the file,
// when the site's code fails.
func (d *Driver) Migrate(ctx context.Context, w cms.Work, l *cms.Layout, staged []cms.Staged) error {
	return migrate.Run(ctx, w, l, staged)
}

// ReadBack looks at the site as it is now: files and database first, then by
// loading it with everything that is active, past the gate. It changes
// nothing on disk of its own.
func (d *Driver) ReadBack(ctx context.Context, h cms.Host, l *cms.Layout, before *upkeep.Inventory, staged []cms.Staged) (_ []upkeep.Check, err error) {
	defer upkeep.Wrap(&err, "read back %s", l.Root)
	now, err := d.Inventory(ctx, h, l)
	if err != nil {
		return nil, err
	}
	return readback.Checks(ctx, h, l, readback.Change{Before: before, Now: now, Staged: staged})
}
