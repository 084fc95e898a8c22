// Package drupal knows Drupal, 7 and what came after it, as it is unpacked
// from a release. What Composer manages it looks at and leaves alone.
package drupal

import (
	"context"
	"time"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/drupal/inventory"
	"upkeep/internal/cms/drupal/layout"
)

// Driver is the Drupal driver; see New. It is safe for concurrent use.
type Driver struct {
	// Clock tells the time; time.Now unless a test sets it.
	Clock upkeep.Clock

	known inventory.Memory
}

var _ cms.Driver = (*Driver)(nil)

// New returns a driver.
func New() *Driver { return &Driver{Clock: time.Now} }

// CMS returns upkeep.Drupal.
func (d *Driver) CMS() upkeep.CMS { return upkeep.Drupal }

// Detect finds the Drupal at root, its settings, its database and its files.
func (d *Driver) Detect(ctx context.Context, h cms.Host, root string) (*cms.Layout, error) {
	return layout.Detect(ctx, h, root)
}

// Inventory reads what is installed and enabled, from files and database. No
// code of the site runs.
func (d *Driver) Inventory(ctx context.Context, h cms.Host, l *cms.Layout) (*upkeep.Inventory, error) {
	return inventory.Take(ctx, h, l, d.Clock(), &d.known)
}
