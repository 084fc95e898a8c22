// Package intervention is one intervention: while it runs, step by step as it
// happens; afterwards, what was done and the evidence.
package intervention

import (
	"context"
	"embed"
	"slices"
	"time"

	"upkeep"
	"upkeep/internal/web"
	"upkeep/internal/web/console/frame"
)

//go:embed intervention.html
var files embed.FS

// Page is an intervention's page.
type Page struct {
	interventions web.Interventions
	view          *frame.View
}

// New returns the page.
func New(f *frame.Frame, interventions web.Interventions) (*Page, error) {
	view, err := f.View(files, "intervention.html")
	return &Page{interventions, view}, err
}

// content is what the page shows.
type content struct {
	*web.Record
	Events []upkeep.Event
	Now    time.Time
	Works  bool
}

// read puts the whole record together.
func (p *Page) read(ctx context.Context, id upkeep.InterventionID) (*content, error) {
	record, err := p.interventions.Intervention(ctx, id)
	if err != nil {
		return nil, err
	}
	events, err := p.interventions.Events(ctx, id, 0)
	return &content{Record: record, Events: events}, err
}

// Show answers with the page.
func (p *Page) Show(v *frame.Visit) error {
	id, err := frame.ID[upkeep.InterventionID](v)
	if err != nil {
		return err
	}
	c, err := p.read(v.R.Context(), id)
	if err != nil {
		return err
	}
	c.Now, c.Works = v.Now(), v.Works()
	return v.Show(p.view, frame.Head{Title: v.Texts.Text("console.intervention.title", "id", id), Place: "interventions",
		Trail: []frame.Crumb{{Title: v.Texts.Text("console.nav.fleet"), Path: "/sites"}, {Title: c.SiteName, Path: "/sites/" + c.SiteName}}}, c)
}

// Question asks whether the intervention is to be stopped.
func (p *Page) Question(v *frame.Visit) error {
	id, err := frame.ID[upkeep.InterventionID](v)
	if err != nil {
		return err
	}
	here := "/interventions/" + id.String()
	return v.Ask(frame.Question{Title: v.Texts.Text("console.cancel.title"), Place: "interventions", Text: v.Texts.Text("console.cancel.text"),
		Lines:  []string{v.Texts.Text("console.cancel.untouched"), v.Texts.Text("console.cancel.touched")},
		Action: here + "/cancel", Button: v.Texts.Text("console.cancel.button"), Danger: true, Back: here})
}

// Cancel asks the intervention to stop.
func (p *Page) Cancel(v *frame.Visit) error {
	id, err := frame.ID[upkeep.InterventionID](v)
	if err != nil {
		return err
	}
	if _, err := p.interventions.CancelIntervention(v.R.Context(), v.Actor(), id); err != nil {
		return err
	}
	return v.Done("/interventions/"+id.String(), "console.done.cancelled")
}

// step is a state that the intervention was in, is in, or has before it.
type step struct {
	State upkeep.State
	Class string // "", "now", "ahead", "undoing" or "red"
	Took  time.Duration
}

// Steps lists what was done, and, while it runs, what an untroubled run has
// before it.
func (c *content) Steps() []step {
	var steps []step
	var at []time.Time
	for _, e := range c.Events {
		if e.Code == "state" {
			steps, at = append(steps, step{State: e.State}), append(at, e.At)
		}
	}
	for i := range steps {
		switch until := c.Now; {
		case i+1 < len(at):
			steps[i].Took = at[i+1].Sub(at[i])
		case !c.State.Ended():
			steps[i].Class, steps[i].Took = "now", until.Sub(at[i])
		}
		steps[i].Class = steps[i].class(steps[i].Class)
	}
	if c.State.Ended() {
		return steps
	}
	return append(steps, ahead(c.State)...)
}

func (s step) class(now string) string {
	switch {
	case now != "":
		return now
	case s.State == upkeep.Undoing || s.State == upkeep.Undone || s.State == upkeep.Partial || s.State == upkeep.Cancelled:
		return "undoing"
	case s.State == upkeep.Failed || s.State == upkeep.Incident:
		return "red"
	}
	return ""
}

// ahead lists the states that follow one when nothing goes wrong.
func ahead(state upkeep.State) []step {
	way := []upkeep.State{upkeep.Planned, upkeep.Preparing, upkeep.Freezing, upkeep.Securing, upkeep.Applying, upkeep.Verifying, upkeep.Thawing, upkeep.Concluding, upkeep.Done}
	if state == upkeep.Undoing {
		state = upkeep.Verifying
	}
	var steps []step
	for _, next := range way[slices.Index(way, state)+1:] {
		steps = append(steps, step{State: next, Class: "ahead"})
	}
	return steps
}

// Closed says how long visitors were refused.
func (c *content) Closed() time.Duration { return c.Intervention.Frozen(c.Now) }

// Ended reports whether nothing more happens.
func (c *content) Over() bool { return c.State.Ended() }

// Still reports whether visitors are refused now.
func (c *content) Still() bool { return !c.FrozenAt.IsZero() && c.ThawedAt.IsZero() && !c.Over() }

// After is the number of the last event shown.
func (c *content) After() int64 {
	if len(c.Events) == 0 {
		return 0
	}
	return c.Events[len(c.Events)-1].ID
}

// Log is the events besides changes of state.
func (c *content) Log() []upkeep.Event { return c.Events }

// group is batches that are in the same case of the search for a culprit.
type group struct {
	Case    string // "kept", "guilty", "trying" or "pending"
	Updates []upkeep.Update
}

// Groups lists how far the search for a culprit has come.
func (c *content) Groups() []group {
	if !c.Search.Started {
		return nil
	}
	groups := []group{c.group("guilty", c.Search.Guilty), c.group("trying", c.Search.Trying)}
	for _, pending := range c.Search.Pending {
		groups = append(groups, c.group("pending", pending))
	}
	groups = append(groups, c.group("kept", c.Search.Kept))
	return slices.DeleteFunc(groups, func(g group) bool { return len(g.Updates) == 0 })
}

func (c *content) group(name string, numbers []int) group {
	g := group{Case: name}
	for _, b := range c.Batches {
		if slices.Contains(numbers, b.Number) {
			g.Updates = append(g.Updates, b.Updates...)
		}
	}
	return g
}

// Outcome is what became of an update, nil while that is not known.
func (c *content) Outcome(u upkeep.Update) *upkeep.Outcome {
	at := slices.IndexFunc(c.Outcomes, func(o upkeep.Outcome) bool { return o.Ref == u.Ref() })
	if at < 0 {
		return nil
	}
	return &c.Outcomes[at]
}
