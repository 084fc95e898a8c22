// Package joomla knows Joomla 3 to 6. An extension's files lie in many
// places, and its own code migrates what it keeps: Joomla's installer, run as
// the site's owner, puts it there. Core is moved, and Joomla finishes it.
package joomla

import (
	"context"
	"strings"
	"time"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/joomla/inventory"
	"upkeep/internal/cms/joomla/layout"
	"upkeep/internal/cms/php"
)

// Driver is the Joomla driver; see New. It is safe for concurrent use.
type Driver struct {
	// Clock tells the time; time.Now unless a test sets it.
	Clock upkeep.Clock

	manifests inventory.Manifests
}

var _ cms.Driver = (*Driver)(nil)

// New returns a driver.
func New() *Driver { return &Driver{Clock: time.Now} }

// CMS returns upkeep.Joomla.
func (d *Driver) CMS() upkeep.CMS { return upkeep.Joomla }

// Detect finds the Joomla at root, reads its configuration and follows it to
// its database.
func (d *Driver) Detect(ctx context.Context, h cms.Host, root string) (*cms.Layout, error) {
	return layout.Detect(ctx, h, root)
}

// Inventory reads what the database and the disk say is installed.
func (d *Driver) Inventory(ctx context.Context, h cms.Host, l *cms.Layout) (*upkeep.Inventory, error) {
	return inventory.Take(ctx, h, l, d.Clock(), &d.manifests)
}

// Branch is the major version: a release of another one is a decision of the
// owner's, who has to look after extensions first.
func Branch(version string) string {
	major, _, _ := strings.Cut(version, ".")
	return major
}

func sameVersion(a, b string) bool { return php.CompareVersions(a, b) == 0 }
