// Package releases shows releases on their way through the fleet, in waves, and
// keeps them from it.
package releases

import (
	"context"
	"embed"
	"net/url"
	"time"

	"upkeep"
	"upkeep/internal/overview"
	"upkeep/internal/web"
	"upkeep/internal/web/console/frame"
)

//go:embed *.html
var files embed.FS

// Overview is what is known of releases.
type Overview interface {
	Releases(ctx context.Context) ([]overview.ReleaseLine, error)
	Delays(ctx context.Context, since time.Time) ([]time.Duration, error)
}

// Page is the list, and the page of each.
type Page struct {
	overview   Overview
	releases   web.Releases
	list, show *frame.View
}

// New returns the pages.
func New(f *frame.Frame, overview Overview, releases web.Releases) (*Page, error) {
	list, err := f.View(files, "releases.html")
	if err != nil {
		return nil, err
	}
	show, err := f.View(files, "release.html")
	return &Page{overview, releases, list, show}, err
}

// content is what the list shows.
type content struct {
	Lines  []overview.ReleaseLine
	Holds  []upkeep.ReleaseHold
	Delays []bucket
	Works  bool
}

// bucket is how many security updates took at most so long.
type bucket struct {
	Hours int // 0: longer
	Count int
}

// quarter is how far back delays are counted.
const quarter = 91 * 24 * time.Hour

// List answers with all that are on their way.
func (p *Page) List(v *frame.Visit) error {
	c := content{Works: v.Works()}
	var err error
	if c.Lines, err = p.overview.Releases(v.R.Context()); err != nil {
		return err
	}
	if c.Holds, err = p.releases.ReleaseHolds(v.R.Context()); err != nil {
		return err
	}
	delays, err := p.overview.Delays(v.R.Context(), v.Now().Add(-quarter))
	if err != nil {
		return err
	}
	if len(delays) > 0 {
		c.Delays = spread(delays)
	}
	return v.Show(p.list, frame.Head{Title: v.Texts.Text("console.nav.releases"), Place: "releases"}, c)
}

// spread counts delays by how long they were.
func spread(delays []time.Duration) []bucket {
	buckets := []bucket{{Hours: 6}, {Hours: 12}, {Hours: 24}, {Hours: 48}, {Hours: 72}, {}}
	for _, delay := range delays {
		for i := range buckets {
			if hours := buckets[i].Hours; hours == 0 || delay <= time.Duration(hours)*time.Hour {
				buckets[i].Count++
				break
			}
		}
	}
	return buckets
}

// asked is which release a page or a form is about.
func asked(get func(string) string) upkeep.ReleaseHold {
	return upkeep.ReleaseHold{CMS: upkeep.CMS(get("cms")), Component: get("component"), Version: upkeep.Version(get("version")), Because: get("because")}
}

// way is what the page of a release shows.
type way struct {
	*upkeep.RolloutView
	Works bool
}

// Show answers with the way of one.
func (p *Page) Show(v *frame.Visit) error {
	about := asked(v.R.URL.Query().Get)
	shown, err := p.releases.Rollout(v.R.Context(), about.CMS, about.Component, about.Version)
	if err != nil {
		return err
	}
	return v.Show(p.show, frame.Head{Title: about.Component + " " + string(about.Version), Place: "releases",
		Trail: []frame.Crumb{{Title: v.Texts.Text("console.nav.releases"), Path: "/releases"}}}, way{shown, v.Works()})
}

// Question asks whether a release is to be held.
func (p *Page) Question(v *frame.Visit) error {
	about := asked(v.R.URL.Query().Get)
	if about.CMS == "" || about.Component == "" {
		return upkeep.Errorf(upkeep.CodeInvalid, "which release is missing")
	}
	return v.Ask(frame.Question{Title: v.Texts.Text("console.release.hold_title", "component", about.Component, "version", about.Version), Place: "releases",
		Text: v.Texts.Text("console.release.hold_text"), Lines: []string{v.Texts.Text("console.release.hold_running")},
		Hidden: []frame.Crumb{{Title: "cms", Path: string(about.CMS)}, {Title: "component", Path: about.Component}, {Title: "version", Path: string(about.Version)}},
		Why:    v.Texts.Text("console.hold.why"), Action: "/releases/hold", Button: v.Texts.Text("console.release.hold"), Back: "/releases"})
}

// Hold keeps a release from every site.
func (p *Page) Hold(v *frame.Visit) error {
	if _, err := p.releases.HoldRelease(v.R.Context(), v.Actor(), asked(v.R.PostFormValue)); err != nil {
		return err
	}
	return v.Done("/releases", "console.done.release_held")
}

// Allow lifts a hold.
func (p *Page) Allow(v *frame.Visit) error {
	if err := p.releases.AllowRelease(v.R.Context(), v.Actor(), asked(v.R.PostFormValue)); err != nil {
		return err
	}
	return v.Done("/releases", "console.done.release_allowed")
}

// Path is the address of a release's way.
func Path(l overview.ReleaseLine) string {
	return "/releases/way?" + url.Values{"cms": {string(l.CMS)}, "component": {l.Component}, "version": {string(l.Version)}}.Encode()
}

// Way is the address of a line's way; for templates.
func (content) Way(l overview.ReleaseLine) string { return Path(l) }
