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
		{"GET /hold", access.Staff, p.hold.Question},
		{"POST /hold", access.Staff, p.hold.Hold},
		{"POST /resume", access.Staff, p.hold.Resume},

		{"GET /sites", access.Reader, p.sites.Show},
		{"GET /sites/{site}", access.Reader, p.site.Show},
		{"POST /sites/{site}/check", access.Staff, p.site.Check},
		{"POST /sites/{site}/verify", access.Staff, p.site.Verify},
		{"GET /sites/{site}/update", access.Staff, p.site.Propose},
		{"POST /sites/{site}/update", access.Staff, p.site.Start},
		{"GET /sites/{site}/plan", access.Staff, p.site.Plan},
		{"POST /sites/{site}/plan", access.Staff, p.site.Subscribe},

		{"GET /sites/{site}/backups", access.Reader, p.backups.List},
		{"POST /sites/{site}/backups", access.Staff, p.backups.Create},
		{"GET /backups/{id}", access.Reader, p.backups.Show},
		{"POST /backups/{id}/verify", access.Staff, p.backups.Verify},
		{"GET /backups/{id}/restore", access.Staff, p.backups.Preview},
		{"POST /backups/{id}/restore", access.Staff, p.backups.Restore},

		{"GET /interventions", access.Reader, p.interventions.Show},
		{"GET /interventions/{id}", access.Reader, p.intervention.Show},
		{"GET /interventions/{id}/stream", access.Reader, p.intervention.Stream},
		{"GET /interventions/{id}/cancel", access.Staff, p.intervention.Question},
		{"POST /interventions/{id}/cancel", access.Staff, p.intervention.Cancel},

		{"GET /releases", access.Reader, p.releases.List},
		{"GET /releases/way", access.Reader, p.releases.Show},
		{"GET /releases/hold", access.Staff, p.releases.Question},
		{"POST /releases/hold", access.Staff, p.releases.Hold},
		{"POST /releases/allow", access.Staff, p.releases.Allow},
		{"GET /calendar", access.Reader, p.calendar.Show},

		{"GET /hosts", access.Reader, p.hosts.Show},
		{"POST /hosts/{host}/check", access.Staff, p.hosts.Check},
		{"POST /hosts/scan", access.Staff, p.hosts.Scan},
		{"POST /applications/{id}/adopt", access.Staff, p.hosts.Adopt},
		{"GET /applications/{id}/dismiss", access.Staff, p.hosts.Question},
		{"POST /applications/{id}/dismiss", access.Staff, p.hosts.Dismiss},
		{"GET /plans", access.Reader, p.plans.List},
		{"GET /plans/{plan}", access.Staff, p.plans.Form},
		{"POST /plans/{plan}", access.Staff, p.plans.Set},
		{"GET /ledger", access.Reader, p.ledger.Show},
		{"POST /ledger", access.Reader, p.ledger.Verify},

		{"GET /shortcuts", access.Anyone, p.shortcuts},
		{"POST /preferences", access.Anyone, frame.Prefer},
	}
	routes := []access.Route{{Pattern: "GET " + asset.Prefix, For: access.Anyone, Handler: c.assets}}
	for _, t := range table {
		routes = append(routes, access.Route{Pattern: t.pattern, For: t.who, Handler: c.frame.Page(t.page)})
	}
	return routes
}
