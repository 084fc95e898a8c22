// Package portal is what a client sees: their sites in plain words, and what
// was done on each.
package portal

import (
	"embed"
	"errors"

	"upkeep/internal/web/access"
	"upkeep/internal/web/console/frame"
	api "upkeep/internal/web/portal"
	"upkeep/person"
)

//go:embed *.html
var files embed.FS

// Pages are the client's pages.
type Pages struct {
	frame       *frame.Frame
	owned       api.Owned
	sites, site *frame.View
}

// New returns the pages.
func New(f *frame.Frame, owned api.Owned) (*Pages, error) {
	p := &Pages{frame: f, owned: owned}
	var errs [2]error
	p.sites, errs[0] = f.View(files, "sites.html")
	p.site, errs[1] = f.View(files, "site.html")
	return p, errors.Join(errs[:]...)
}

// Routes is every address of the pages.
func (p *Pages) Routes() []access.Route {
	return []access.Route{
		{Pattern: "GET /portal", For: access.Visitor, Handler: p.frame.Page(p.showAll)},
		{Pattern: "GET /portal/sites/{site}", For: access.Visitor, Handler: p.frame.Page(p.showOne)},
	}
}

// List is what the client's front page shows.
type List struct {
	Sites   []api.Site
	Current int // of them are up to date
}

func (p *Pages) showAll(v *frame.Visit) error {
	sites, err := api.Sites(v.R.Context(), p.owned, v.Who.View())
	if err != nil {
		return err
	}
	list := List{Sites: sites}
	for i := range sites {
		if sites[i].Standing == person.OwnedCurrent {
			list.Current++
		}
	}
	return v.Show(p.sites, frame.Head{Title: v.Texts.Text("console.nav.portal"), Place: "portal"}, list)
}

func (p *Pages) showOne(v *frame.Visit) error {
	site, err := api.Open(v.R.Context(), p.owned, v.Who.View(), v.R.PathValue("site"))
	if err != nil {
		return err
	}
	trail := []frame.Crumb{{Title: v.Texts.Text("console.nav.portal"), Path: "/portal"}}
	return v.Show(p.site, frame.Head{Title: site.Name, Place: "portal", Trail: trail}, site)
}
