package console

import (
	"upkeep/internal/web/access"
	"upkeep/internal/web/console/asset"
	"upkeep/internal/web/console/frame"
)

// Routes is every address of the console, with whom it is for.
func (c *Console) Routes() []access.Route {
	p := &c.pages
	table := []struct {
		pattern string
		who     access.Audience
		page    frame.Handler
	}{
		{"GET /{$}", access.Reader, p.today.Show},

		{"GET /sites", access.Reader, p.sites.Show},
		{"GET /sites/{site}", access.Reader, p.site.Show},
		{"POST /sites/{site}/check", access.Staff, p.site.Check},
		{"POST /sites/{site}/verify", access.Staff, p.site.Verify},
		{"GET /sites/{site}/update", access.Staff, p.site.Propose},
		{"POST /sites/{site}/update", access.Staff, p.site.Start},
		{"GET /sites/{site}/plan", access.Staff, p.site.Plan},
		{"POST /sites/{site}/plan", access.Staff, p.site.Subscribe},

		{"GET /shortcuts", access.Anyone, p.shortcuts},
		{"POST /preferences", access.Anyone, frame.Prefer},
	}
	routes := []access.Route{{Pattern: "GET " + asset.Prefix, For: access.Anyone, Handler: c.assets}}
	for _, t := range table {
		routes = append(routes, access.Route{Pattern: t.pattern, For: t.who, Handler: c.frame.Page(t.page)})
	}
	return routes
}
