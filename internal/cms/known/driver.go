// Package known knows web applications that are backed up and restored like
// any other but not updated: which they are, their version, and where they
// keep what. Each is one entry of a table.
package known

import (
	"context"
	"time"

	"upkeep"
	"upkeep/internal/cms"
)

// NotMaintained is the code of the finding that every inventory has: updates
// are not made automatically.
const NotMaintained = "not_maintained"

// Driver is the driver of one application; see Drivers. It is safe for
// concurrent use.
type Driver struct {
	// Clock tells the time; time.Now unless a test sets it.
	Clock upkeep.Clock

	app application
}

var _ cms.Driver = (*Driver)(nil)

// Drivers returns a driver for each application of the table and, last, one
// for PHP applications of which nothing else is known. They belong behind the
// drivers of what is maintained.
func Drivers() cms.Drivers {
	var all cms.Drivers
	for _, app := range append(table(), unknown()) {
		all = append(all, &Driver{Clock: time.Now, app: app})
	}
	return all
}

// CMS names the application.
func (d *Driver) CMS() upkeep.CMS { return d.app.ID }

// refusal says that a step of an update is nobody's business here.
func (d *Driver) refusal() error { return upkeep.NotMaintained(d.app.ID) }

// Integrity examines nothing: there is no publisher to compare with.
func (d *Driver) Integrity(context.Context, cms.Host, *cms.Layout, map[string]upkeep.Original) ([]upkeep.Finding, error) {
	return nil, nil
}

// Stage refuses: updates are not made. CodeHeld.
func (d *Driver) Stage(context.Context, cms.Host, *cms.Layout, upkeep.Update, string) (*cms.Staged, error) {
	return nil, d.refusal()
}

// Apply refuses: updates are not made. CodeHeld.
func (d *Driver) Apply(context.Context, cms.Work, *cms.Layout, []cms.Staged) error {
	return d.refusal()
}

// Migrate refuses: updates are not made. CodeHeld.
func (d *Driver) Migrate(context.Context, cms.Work, *cms.Layout, []cms.Staged) error {
	return d.refusal()
}

// ReadBack refuses: updates are not made. CodeHeld.
func (d *Driver) ReadBack(context.Context, cms.Host, *cms.Layout, *upkeep.Inventory, []cms.Staged) ([]upkeep.Check, error) {
	return nil, d.refusal()
}
