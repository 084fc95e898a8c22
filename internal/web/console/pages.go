package console

import (
	"errors"

	"upkeep/internal/web/console/backups"
	"upkeep/internal/web/console/calendar"
	"upkeep/internal/web/console/frame"
	"upkeep/internal/web/console/hold"
	"upkeep/internal/web/console/hosts"
	"upkeep/internal/web/console/intervention"
	"upkeep/internal/web/console/interventions"
	"upkeep/internal/web/console/ledger"
	"upkeep/internal/web/console/plans"
	"upkeep/internal/web/console/releases"
	"upkeep/internal/web/console/site"
	"upkeep/internal/web/console/sites"
	"upkeep/internal/web/console/today"
)

// pages is one of each.
type pages struct {
	today         *today.Page
	hold          hold.Page
	sites         *sites.Page
	site          *site.Page
	backups       *backups.Page
	interventions *interventions.Page
	intervention  *intervention.Page
	releases      *releases.Page
	calendar      *calendar.Page
	hosts         *hosts.Page
	plans         *plans.Page
	ledger        *ledger.Page

	keys *frame.View
}

// open reads the templates of all pages.
func (p *pages) open(f *frame.Frame, c *Config) error {
	var errs [12]error
	p.hold.Fleet = c.FleetWork
	p.today, errs[0] = today.New(f, c.Overview)
	p.sites, errs[1] = sites.New(f, c.Overview)
	p.site, errs[2] = site.New(f, site.Config{Overview: c.Overview, Records: c.Records, Updates: c.Updates, Checks: c.Checks, Plans: c.Plans})
	p.backups, errs[3] = backups.New(f, backups.Config{Lines: c.Overview, Records: c.Records, Backups: c.Backups, Restores: c.Restores})
	p.interventions, errs[4] = interventions.New(f, c.Overview)
	p.intervention, errs[5] = intervention.New(f, c.Interventions)
	p.releases, errs[6] = releases.New(f, c.Progress, c.Releases)
	p.calendar, errs[7] = calendar.New(f, c.Progress, c.Slots)
	p.hosts, errs[8] = hosts.New(f, c.Hosts, c.Applications)
	p.plans, errs[9] = plans.New(f, c.Plans)
	p.ledger, errs[10] = ledger.New(f, c.Ledger)
	p.keys, errs[11] = f.Shortcuts()
	return errors.Join(errs[:]...)
}

// shortcuts lists what keys do, for whoever has no JavaScript.
func (p *pages) shortcuts(v *frame.Visit) error {
	return v.Show(p.keys, frame.Head{Title: v.Texts.Text("console.shortcuts")}, nil)
}
