// Package site is one site: what it is made of, what is to be updated and why
// or why not, what was done, its backups, its plan.
package site

import (
	"context"
	"embed"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"upkeep"
	"upkeep/internal/overview"
	"upkeep/internal/web"
	"upkeep/internal/web/console/frame"
	"upkeep/internal/web/lists"
)

//go:embed *.html
var files embed.FS

// Records is what is kept of a site.
type Records interface {
	Inventory(ctx context.Context, site upkeep.SiteID) (*upkeep.Inventory, error)
	Tasks(ctx context.Context, filter upkeep.TaskFilter) ([]*upkeep.Task, error)
	Holds(ctx context.Context, filter upkeep.HoldFilter) ([]*upkeep.Hold, error)
	Backups(ctx context.Context, filter upkeep.BackupFilter) ([]*upkeep.Backup, error)
}

// Config is what the page answers from.
type Config struct {
	Overview lists.Service
	Records  Records
	Updates  web.Updates
	Checks   web.Checks
	Plans    web.Plans
}

// Page is a site's page.
type Page struct {
	Config
	view, verdict, update, plan *frame.View
}

// New returns the page.
func New(f *frame.Frame, c Config) (*Page, error) {
	p := &Page{Config: c}
	for name, view := range map[string]**frame.View{"site.html": &p.view, "verdict.html": &p.verdict, "update.html": &p.update, "plan.html": &p.plan} {
		var err error
		if *view, err = f.View(files, name); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// How much of what a site has its page shows.
const (
	lastInterventions = 12
	lastBackups       = 8
)

// content is what the page shows.
type content struct {
	*overview.SiteLine
	Standing      *upkeep.Standing  // nil: nothing is decided yet
	Inventory     *upkeep.Inventory // nil: nothing is known yet
	Interventions []overview.NamedIntervention
	Backups       []*upkeep.Backup
	Tasks         []*upkeep.Task
	Components    []component
	Plans         []upkeep.Plan
	Works         bool
}

// component is a line of the table of components.
type component struct {
	upkeep.Component
	Update *upkeep.Update // nil: nothing newer is known
	Hold   *upkeep.Hold   // of the site, for the update
}

// Show answers with the page.
func (p *Page) Show(v *frame.Visit) error {
	c, err := p.read(v.R.Context(), v.R.PathValue("site"))
	if err != nil {
		return err
	}
	c.Works = v.Works()
	return v.Show(p.view, frame.Head{Title: c.Name, Place: "fleet", Trail: trail(v)}, c)
}

func trail(v *frame.Visit) []frame.Crumb {
	return []frame.Crumb{{Title: v.Texts.Text("console.nav.fleet"), Path: "/sites"}}
}

// read puts together what is known of a site. No host is asked.
func (p *Page) read(ctx context.Context, name string) (*content, error) {
	line, err := p.Overview.Line(ctx, name)
	if err != nil {
		return nil, err
	}
	c := &content{SiteLine: line}
	var holds []*upkeep.Hold
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		c.Standing, err = optional(p.Overview.Standing(ctx, line.ID))
		return err
	})
	group.Go(func() (err error) {
		c.Inventory, err = optional(p.Records.Inventory(ctx, line.ID))
		return err
	})
	group.Go(func() (err error) {
		c.Interventions, err = p.Overview.Interventions(ctx, upkeep.InterventionFilter{Site: line.ID, Limit: lastInterventions})
		return err
	})
	group.Go(func() (err error) {
		c.Backups, err = p.Records.Backups(ctx, upkeep.BackupFilter{Site: line.ID, Limit: lastBackups})
		return err
	})
	group.Go(func() (err error) {
		if c.Tasks, err = p.Records.Tasks(ctx, upkeep.TaskFilter{Site: line.ID, Open: true}); err != nil {
			return err
		}
		if c.Plans, err = p.Plans.Plans(ctx); err != nil {
			return err
		}
		holds, err = p.Records.Holds(ctx, upkeep.HoldFilter{Site: line.ID, Current: true})
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	c.join(holds)
	return c, nil
}

// optional is nil for what does not exist.
func optional[T any](found *T, err error) (*T, error) {
	if upkeep.CodeOf(err) == upkeep.CodeNotFound {
		return nil, nil
	}
	return found, err
}

// join puts components beside what was decided about them; those that something
// is to be done with come first.
func (c *content) join(holds []*upkeep.Hold) {
	if c.Inventory == nil {
		return
	}
	for i := range c.Inventory.Components {
		line := component{Component: c.Inventory.Components[i]}
		if c.Standing != nil {
			if at := slices.IndexFunc(c.Standing.Updates, func(u upkeep.Update) bool { return u.Ref() == line.Ref() }); at >= 0 {
				line.Update = &c.Standing.Updates[at]
			}
		}
		if at := slices.IndexFunc(holds, func(h *upkeep.Hold) bool { return h.Component == line.Ref() }); at >= 0 {
			line.Hold = holds[at]
		}
		c.Components = append(c.Components, line)
	}
	slices.SortStableFunc(c.Components, func(a, b component) int { return a.rank() - b.rank() })
}

// rank orders components by how much they need somebody.
func (c *component) rank() int {
	switch u := c.Update; {
	case u == nil:
		return 4
	case u.Security && u.Disposition == upkeep.Ready:
		return 0
	case u.Disposition == upkeep.Ready:
		return 1
	case u.Disposition == upkeep.Held:
		return 2
	}
	return 3
}

// Frozen says how long an intervention kept visitors out.
func (c *content) Frozen(iv *overview.NamedIntervention) time.Duration {
	return iv.Intervention.Frozen(iv.Ended)
}

// Busy reports whether an intervention is under way.
func (c *content) Busy() bool { return c.Last != 0 && !c.State.Ended() }
