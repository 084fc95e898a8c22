// Package today is the front page: what needs a person, the most urgent first,
// then what happens next.
package today

import (
	"context"
	"embed"

	"upkeep/internal/overview"
	"upkeep/internal/web/console/frame"
)

//go:embed today.html
var files embed.FS

// Agenda says what needs a person.
type Agenda interface {
	Agenda(ctx context.Context) (*overview.Agenda, error)
}

// Page is the front page.
type Page struct {
	agenda Agenda
	view   *frame.View
}

// New returns the page.
func New(f *frame.Frame, agenda Agenda) (*Page, error) {
	view, err := f.View(files, "today.html")
	return &Page{agenda, view}, err
}

// content is what the page shows.
type content struct {
	*overview.Agenda
	Works bool // whoever looks may have work begun
}

// Urgent counts what needs a person.
func (c content) Urgent() int {
	return len(c.Troubled) + c.TaskCount + len(c.Clocks) + len(c.Stale) + len(c.Failing) + c.Uncovered
}

// MoreTasks is how many there are besides those listed.
func (c content) MoreTasks() int { return c.TaskCount - len(c.Tasks) }

// Show answers with the page.
func (p *Page) Show(v *frame.Visit) error {
	agenda, err := p.agenda.Agenda(v.R.Context())
	if err != nil {
		return err
	}
	return v.Show(p.view, frame.Head{Title: v.Texts.Text("console.nav.today"), Place: "today"}, content{agenda, v.Works()})
}
