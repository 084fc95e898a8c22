// Package interventions lists what was done lately on all sites, and shows how
// long it kept visitors out.
package interventions

import (
	"context"
	"embed"
	"time"

	"upkeep"
	"upkeep/internal/overview"
	"upkeep/internal/web/console/frame"
)

//go:embed interventions.html
var files embed.FS

// Lister lists interventions.
type Lister interface {
	Interventions(ctx context.Context, filter upkeep.InterventionFilter) ([]overview.NamedIntervention, error)
}

// Page is the list.
type Page struct {
	lister Lister
	view   *frame.View
}

// New returns the page.
func New(f *frame.Frame, lister Lister) (*Page, error) {
	view, err := f.View(files, "interventions.html")
	return &Page{lister, view}, err
}

// length is how many the list shows.
const length = 60

// content is what the page shows.
type content struct {
	Running, Ended []line
}

// line is an intervention with how long it kept visitors out.
type line struct {
	overview.NamedIntervention
	Closed time.Duration
}

// Show answers with the page.
func (p *Page) Show(v *frame.Visit) error {
	running, err := p.lister.Interventions(v.R.Context(), upkeep.InterventionFilter{Unended: true})
	if err != nil {
		return err
	}
	latest, err := p.lister.Interventions(v.R.Context(), upkeep.InterventionFilter{Limit: length})
	if err != nil {
		return err
	}
	var c content
	for _, iv := range running {
		c.Running = append(c.Running, line{iv, iv.Frozen(v.Now())})
	}
	for _, iv := range latest {
		if iv.State.Ended() {
			c.Ended = append(c.Ended, line{iv, iv.Frozen(iv.Ended)})
		}
	}
	return v.Show(p.view, frame.Head{Title: v.Texts.Text("console.nav.interventions"), Place: "interventions"}, c)
}

// Bars is those that froze their site, the oldest first.
func (c content) Bars() []line {
	var bars []line
	for i := len(c.Ended) - 1; i >= 0; i-- {
		if c.Ended[i].Closed > 0 {
			bars = append(bars, c.Ended[i])
		}
	}
	return bars
}

// Seconds is how long visitors were kept out.
func (l line) Seconds() int { return int(l.Closed.Round(time.Second) / time.Second) }
