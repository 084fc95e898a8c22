// Package mediawiki knows MediaWiki: files that its release replaces folder by
// folder, and a schema that its own updater brings to their level.
package mediawiki

import (
	"context"
	"time"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/mediawiki/layout"
)

// Driver is the MediaWiki driver; see New. It is safe for concurrent use.
type Driver struct {
	// Clock tells the time; time.Now unless a test sets it.
	Clock upkeep.Clock

	known memory
}

var _ cms.Driver = (*Driver)(nil)

// New returns a driver.
func New() *Driver { return &Driver{Clock: time.Now} }

// CMS returns upkeep.MediaWiki.
func (d *Driver) CMS() upkeep.CMS { return upkeep.MediaWiki }

// Detect finds the MediaWiki at root and follows its configuration to its
// database and to where it keeps uploads, extensions and skins.
func (d *Driver) Detect(ctx context.Context, h cms.Host, root string) (*cms.Layout, error) {
	return layout.Detect(ctx, h, root)
}

func (d *Driver) now() time.Time {
	if d.Clock == nil {
		return time.Now()
	}
	return d.Clock()
}
