// Package dokuwiki knows DokuWiki, which keeps everything in files: there is
// no database, and an update is files alone.
package dokuwiki

import (
	"context"
	"time"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/dokuwiki/layout"
)

// Driver is the DokuWiki driver; see New. It is safe for concurrent use.
type Driver struct {
	// Clock tells the time; time.Now unless a test sets it.
	Clock upkeep.Clock

	known memory
}

var _ cms.Driver = (*Driver)(nil)

// New returns a driver.
func New() *Driver { return &Driver{Clock: time.Now} }

// CMS returns upkeep.DokuWiki.
func (d *Driver) CMS() upkeep.CMS { return upkeep.DokuWiki }

// Detect finds the DokuWiki at root and follows its configuration to where it
// keeps pages, plugins and templates.
func (d *Driver) Detect(ctx context.Context, h cms.Host, root string) (*cms.Layout, error) {
	return layout.Detect(ctx, h, root, &d.known.layout)
}

func (d *Driver) now() time.Time {
	if d.Clock == nil {
		return time.Now()
	}
	return d.Clock()
}
