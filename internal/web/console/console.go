// Package console is what an agency's operators work in: pages over the same
// services that the API answers from. Every page has a folder of its own below
// it; frame is what they share.
package console

import (
	"log/slog"
	"net/http"
	"time"

	"upkeep"
	"upkeep/internal/web"
	"upkeep/internal/web/console/asset"
	"upkeep/internal/web/console/calendar"
	"upkeep/internal/web/console/frame"
	"upkeep/internal/web/console/releases"
	"upkeep/internal/web/console/site"
	"upkeep/internal/web/lists"
)

// Config is what the console is made of. Every service is required.
type Config struct {
	web.Config                // the services, the version, the log
	Overview   lists.Service  // what is known of all sites
	Progress   Progress       // how releases go through them
	Records    site.Records   // what is kept of one
	Slots      calendar.Slots // when interventions may begin
	Now        upkeep.Clock   // nil is time.Now
	Zone       *time.Location // in which times are shown; nil is this machine's
}

// Progress says how releases go through the fleet, and what comes.
type Progress interface {
	releases.Overview
	calendar.Turns
}

// Console is the pages.
type Console struct {
	assets *asset.Set
	frame  *frame.Frame
	pages  pages
}

// New returns the console. It fails only when a template or a text is wrong.
func New(c Config) (*Console, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Zone == nil {
		c.Zone = time.Local
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	assets, err := asset.Load()
	if err != nil {
		return nil, err
	}
	f, err := frame.New(frame.Config{Assets: assets, Version: c.Version, Now: c.Now, Zone: c.Zone, Log: c.Log})
	if err != nil {
		return nil, err
	}
	s := &Console{assets: assets, frame: f}
	return s, s.pages.open(f, &c)
}

// Frame is what pages of others need that are to look like these.
func (c *Console) Frame() *frame.Frame { return c.frame }

// Refuse answers who may not see a page; it is for the gate.
func (c *Console) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	c.frame.Refuse(w, r, err)
}
