// Package plans shows what the agency promises, and changes it.
package plans

import (
	"embed"
	"strconv"

	"upkeep"
	"upkeep/internal/web"
	"upkeep/internal/web/console/frame"
)

//go:embed *.html
var files embed.FS

// Page is the plans, and the form of each.
type Page struct {
	plans      web.Plans
	list, form *frame.View
}

// New returns the pages.
func New(f *frame.Frame, plans web.Plans) (*Page, error) {
	list, err := f.View(files, "plans.html")
	if err != nil {
		return nil, err
	}
	form, err := f.View(files, "plan.html")
	return &Page{plans, list, form}, err
}

// content is what the list shows.
type content struct {
	Plans []upkeep.Plan
	Works bool
}

// List answers with all plans.
func (p *Page) List(v *frame.Visit) error {
	plans, err := p.plans.Plans(v.R.Context())
	if err != nil {
		return err
	}
	return v.Show(p.list, frame.Head{Title: v.Texts.Text("console.nav.plans"), Place: "plans"}, content{plans, v.Works()})
}

// Form answers with the form of one.
func (p *Page) Form(v *frame.Visit) error {
	plans, err := p.plans.Plans(v.R.Context())
	if err != nil {
		return err
	}
	for i := range plans {
		if plans[i].Name == v.R.PathValue("plan") {
			return v.Show(p.form, frame.Head{Title: plans[i].Title, Place: "plans",
				Trail: []frame.Crumb{{Title: v.Texts.Text("console.nav.plans"), Path: "/plans"}}}, plans[i])
		}
	}
	return upkeep.Errorf(upkeep.CodeNotFound, "plan %s does not exist", v.R.PathValue("plan"))
}

// Set keeps a plan as the form says.
func (p *Page) Set(v *frame.Visit) error {
	f := fields{v: v}
	plan := upkeep.Plan{Name: v.R.PathValue("plan"), Title: v.R.PostFormValue("title"), Customised: f.flag("customised"), Insist: f.flag("insist"),
		Extensions: f.number("extensions"), CadenceDays: f.number("cadence_days"), SoakDays: f.number("soak_days"),
		SecurityHours: f.number("security_hours"), WaveHours: f.number("wave_hours"), UrgentHours: f.number("urgent_hours")}
	if f.err != nil {
		return f.err
	}
	if _, err := p.plans.SetPlan(v.R.Context(), v.Actor(), plan); err != nil {
		return err
	}
	return v.Done("/plans", "console.done.plan_set")
}

// fields reads a form and keeps the first error.
type fields struct {
	v   *frame.Visit
	err error
}

func (f *fields) number(name string) int {
	n, err := strconv.Atoi(f.v.R.PostFormValue(name))
	if err != nil && f.err == nil {
		f.err = upkeep.Errorf(upkeep.CodeInvalid, "%s %q: want a whole number from 0", name, f.v.R.PostFormValue(name))
	}
	return n
}

func (f *fields) flag(name string) bool { return f.v.R.PostFormValue(name) != "" }
