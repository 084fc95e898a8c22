package site

import (
	"net/url"

	"upkeep"
	"upkeep/internal/overview"
	"upkeep/internal/web"
	"upkeep/internal/web/console/frame"
)

// path is the address of a site's page, or of one below it.
func path(name, below string) string { return "/sites/" + url.PathEscape(name) + below }

// below is the head of a page below a site's.
func below(v *frame.Visit, title string) frame.Head {
	name := v.R.PathValue("site")
	return frame.Head{Title: title, Place: "fleet", Trail: append(trail(v), frame.Crumb{Title: name, Path: path(name, "")})}
}

// Check looks at the site anew and asks publishers anew.
func (p *Page) Check(v *frame.Visit) error {
	name := v.R.PathValue("site")
	if _, err := p.Updates.Updates(v.R.Context(), name, true); err != nil {
		return err
	}
	return v.Done(path(name, ""), "console.done.checked")
}

// verified is what looking at a live site gave.
type verified struct {
	*upkeep.Verdict
	Site string
}

// Verify looks at the live site and shows what it found.
func (p *Page) Verify(v *frame.Visit) error {
	name := v.R.PathValue("site")
	verdict, err := p.Checks.VerifySite(v.R.Context(), name)
	if err != nil {
		return err
	}
	return v.Show(p.verdict, below(v, v.Texts.Text("console.site.verified")), verified{verdict, name})
}

// proposal is what an intervention would do.
type proposal struct {
	Site    string
	Batches []upkeep.Batch
}

// Propose shows what an intervention would do now, and asks for a yes.
func (p *Page) Propose(v *frame.Visit) error {
	name := v.R.PathValue("site")
	iv, err := p.Updates.StartIntervention(v.R.Context(), v.Actor(), name, web.InterventionRequest{DryRun: true})
	if err != nil {
		return err
	}
	return v.Show(p.update, below(v, v.Texts.Text("console.update.title")), proposal{name, iv.Batches})
}

// Start begins an intervention with the updates that were chosen.
func (p *Page) Start(v *frame.Visit) error {
	if err := v.R.ParseForm(); err != nil {
		return upkeep.Errorf(upkeep.CodeInvalid, "form: %w", err)
	}
	only := v.R.PostForm["only"]
	if len(only) == 0 {
		return upkeep.Errorf(upkeep.CodeInvalid, "no update was chosen")
	}
	iv, err := p.Updates.StartIntervention(v.R.Context(), v.Actor(), v.R.PathValue("site"), web.InterventionRequest{Only: only})
	if err != nil {
		return err
	}
	return v.Done("/interventions/"+iv.ID.String(), "console.done.started")
}

// choice is the plan of a site, and those that it could be under.
type choice struct {
	Site   *overview.SiteLine
	Advice *web.PlanAdvice
	Plans  []upkeep.Plan
}

// Plan shows which plan a site is under, and which it fits.
func (p *Page) Plan(v *frame.Visit) error {
	name := v.R.PathValue("site")
	line, err := p.Overview.Line(v.R.Context(), name)
	if err != nil {
		return err
	}
	advice, err := p.Plans.RecommendPlan(v.R.Context(), name)
	if err != nil {
		return err
	}
	plans, err := p.Plans.Plans(v.R.Context())
	if err != nil {
		return err
	}
	return v.Show(p.plan, below(v, v.Texts.Text("console.site.plan")), choice{line, advice, plans})
}

// Subscribe puts the site under a plan.
func (p *Page) Subscribe(v *frame.Visit) error {
	name := v.R.PathValue("site")
	_, err := p.Plans.Subscribe(v.R.Context(), v.Actor(), name, upkeep.Subscription{
		Plan: v.R.PostFormValue("plan"), Client: v.R.PostFormValue("client"),
		Consent: upkeep.Consent(v.R.PostFormValue("consent")), Canary: upkeep.Canary(v.R.PostFormValue("canary")),
	})
	if err != nil {
		return err
	}
	return v.Done(path(name, ""), "console.done.subscribed")
}
