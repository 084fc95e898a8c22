// Package today is the front page: what needs a person, the most urgent first,
// then what happens next.
package today

import (
	"embed"

	"upkeep/internal/web"
	"upkeep/internal/web/console/frame"
)

//go:embed today.html
var files embed.FS

// Page is the front page.
type Page struct {
	fleet web.FleetWork
	view  *frame.View
}

// New returns the page.
func New(f *frame.Frame, fleet web.FleetWork) (*Page, error) {
	view, err := f.View(files, "today.html")
	return &Page{fleet, view}, err
}

// Show answers with the page.
func (p *Page) Show(v *frame.Visit) error {
	status, err := p.fleet.FleetStatus(v.R.Context())
	if err != nil {
		return err
	}
	return v.Show(p.view, frame.Head{Title: v.Texts.Text("console.nav.today"), Place: "today"}, status)
}
