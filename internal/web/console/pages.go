package console

import (
	"errors"

	"upkeep/internal/web/console/frame"
	"upkeep/internal/web/console/site"
	"upkeep/internal/web/console/sites"
	"upkeep/internal/web/console/today"
)

// pages is one of each.
type pages struct {
	today *today.Page
	sites *sites.Page
	site  *site.Page

	keys *frame.View
}

// open reads the templates of all pages.
func (p *pages) open(f *frame.Frame, c *Config) error {
	var errs [4]error
	p.today, errs[0] = today.New(f, c.Overview)
	p.sites, errs[1] = sites.New(f, c.Overview)
	p.site, errs[2] = site.New(f, site.Config{Overview: c.Overview, Records: c.Records, Updates: c.Updates, Checks: c.Checks, Plans: c.Plans})
	p.keys, errs[3] = f.Shortcuts()
	return errors.Join(errs[:]...)
}

// shortcuts lists what keys do, for whoever has no JavaScript.
func (p *pages) shortcuts(v *frame.Visit) error {
	return v.Show(p.keys, frame.Head{Title: v.Texts.Text("console.shortcuts")}, nil)
}
