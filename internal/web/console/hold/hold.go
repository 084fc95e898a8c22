// Package hold keeps interventions from beginning on any site, and lets them
// begin again.
package hold

import (
	"upkeep/internal/web"
	"upkeep/internal/web/console/frame"
)

// Page asks, and does it.
type Page struct{ Fleet web.FleetWork }

// Question asks whether all is to be held.
func (p *Page) Question(v *frame.Visit) error {
	return v.Ask(frame.Question{Title: v.Texts.Text("console.today.hold"), Place: "today", Text: v.Texts.Text("console.hold.text"),
		Lines: []string{v.Texts.Text("console.hold.running"), v.Texts.Text("console.hold.security")},
		Why:   v.Texts.Text("console.hold.why"), Action: "/hold", Button: v.Texts.Text("console.today.hold"), Back: "/"})
}

// Hold keeps interventions from beginning.
func (p *Page) Hold(v *frame.Visit) error {
	if _, err := p.Fleet.HoldFleet(v.R.Context(), v.Actor(), v.R.PostFormValue("because")); err != nil {
		return err
	}
	return v.Done("/", "console.done.held")
}

// Resume lets them begin again.
func (p *Page) Resume(v *frame.Visit) error {
	if err := p.Fleet.ReleaseFleet(v.R.Context(), v.Actor()); err != nil {
		return err
	}
	return v.Done("/", "console.done.resumed")
}
