// Package hosts shows the machines that hold sites, and what was found on them
// that is no site: to be adopted, or dismissed.
package hosts

import (
	"embed"

	"upkeep"
	"upkeep/internal/web"
	"upkeep/internal/web/console/frame"
)

//go:embed *.html
var files embed.FS

// Page is the hosts with their applications.
type Page struct {
	hosts         web.Hosts
	applications  web.Applications
	list, checked *frame.View
}

// New returns the pages.
func New(f *frame.Frame, hosts web.Hosts, applications web.Applications) (*Page, error) {
	list, err := f.View(files, "hosts.html")
	if err != nil {
		return nil, err
	}
	checked, err := f.View(files, "checked.html")
	return &Page{hosts, applications, list, checked}, err
}

// content is what the page shows.
type content struct {
	Hosts     []web.Host
	Uncovered []web.Application
	Dismissed []web.Application
	Works     bool
}

// Show answers with all hosts.
func (p *Page) Show(v *frame.Visit) error {
	c := content{Works: v.Works()}
	var err error
	if c.Hosts, err = p.hosts.Hosts(v.R.Context()); err != nil {
		return err
	}
	found, err := p.applications.Applications(v.R.Context())
	if err != nil {
		return err
	}
	for _, a := range found {
		switch a.Status {
		case web.Uncovered:
			c.Uncovered = append(c.Uncovered, a)
		case web.Dismissed:
			c.Dismissed = append(c.Dismissed, a)
		}
	}
	return v.Show(p.list, frame.Head{Title: v.Texts.Text("console.nav.hosts"), Place: "hosts"}, c)
}

// answer is what a host said of itself.
type answer struct {
	*web.HostCheck
	Name string
}

// Check goes to a host and says what it finds.
func (p *Page) Check(v *frame.Visit) error {
	name := v.R.PathValue("host")
	check, err := p.hosts.CheckHost(v.R.Context(), name)
	if err != nil {
		return err
	}
	return v.Show(p.checked, frame.Head{Title: name, Place: "hosts",
		Trail: []frame.Crumb{{Title: v.Texts.Text("console.nav.hosts"), Path: "/hosts"}}}, answer{check, name})
}

// Scan looks through a host for applications; no name is this machine.
func (p *Page) Scan(v *frame.Visit) error {
	if _, err := p.applications.ScanHost(v.R.Context(), v.Actor(), web.ScanRequest{Host: v.R.PostFormValue("host")}); err != nil {
		return err
	}
	return v.Done("/hosts", "console.done.scanned")
}

// Adopt makes a site of an application.
func (p *Page) Adopt(v *frame.Visit) error {
	id, err := frame.ID[upkeep.ApplicationID](v)
	if err != nil {
		return err
	}
	site, err := p.applications.AdoptApplication(v.R.Context(), v.Actor(), id, web.AddSiteRequest{})
	if err != nil {
		return err
	}
	return v.Done("/sites/"+site.Name, "console.done.adopted")
}

// Question asks why an application is not to be kept.
func (p *Page) Question(v *frame.Visit) error {
	id, err := frame.ID[upkeep.ApplicationID](v)
	if err != nil {
		return err
	}
	return v.Ask(frame.Question{Title: v.Texts.Text("console.dismiss.title"), Place: "hosts", Text: v.Texts.Text("console.dismiss.text"),
		Why: v.Texts.Text("console.hold.why"), Action: "/applications/" + id.String() + "/dismiss", Button: v.Texts.Text("console.dismiss.button"), Back: "/hosts"})
}

// Dismiss says that an application is not to be kept.
func (p *Page) Dismiss(v *frame.Visit) error {
	id, err := frame.ID[upkeep.ApplicationID](v)
	if err != nil {
		return err
	}
	if _, err := p.applications.DismissApplication(v.R.Context(), v.Actor(), id, v.R.PostFormValue("because")); err != nil {
		return err
	}
	return v.Done("/hosts", "console.done.dismissed")
}
