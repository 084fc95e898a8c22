package show

import (
	"strings"
	"time"

	"upkeep"
	"upkeep/cmd/upkeep/console"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

// Site writes a site with its policy and findings.
func Site(e *console.Env, s *web.Site) error {
	fields := []terminal.Field{
		{Label: e.Text("col.site"), Value: s.Name, Paint: terminal.Bold},
		{Label: e.Text("col.status"), Value: e.Texts.Code("status", string(s.Status), nil), Paint: StatusPaint(s)},
		{Label: e.Text("col.url"), Value: s.URL},
		{Label: e.Text("col.root"), Value: rootOf(s)},
		{Label: e.Text("col.cms"), Value: strings.TrimSpace(e.Texts.Code("cms", string(s.CMS), nil) + " " + string(s.Core))},
		{Label: e.Text("col.components"), Value: e.Text("site.components", "count", s.Components, "when", e.Out.Since(s.Inventoried))},
		{Label: e.Text("col.updates"), Value: e.Text("site.pending", "count", s.Pending, "security", s.Security, "held", s.Held)},
		{Label: e.Text("col.last_backup"), Value: terminal.Instant(s.LastBackup)},
		{Label: e.Text("col.policy"), Value: policy(e, &s.Policy)},
		{Label: e.Text("col.plan"), Value: plan(e, s), Paint: planPaint(s)},
	}
	if s.Intervention > 0 {
		fields = append(fields, terminal.Field{Label: e.Text("col.intervention"), Value: s.Intervention.String()})
	}
	return e.Out.Fields("", append(fields, Findings(e, s.Findings)...))
}

// rootOf is where a site is, with its host where that is not this machine.
func rootOf(s *web.Site) string {
	if s.HostName == "" {
		return s.Root
	}
	return s.HostName + ":" + s.Root
}

// plan says which plan a site is under, and which it fits when that is another.
func plan(e *console.Env, s *web.Site) string {
	text := e.Text("site.no_plan")
	if sub := s.Subscription; sub != nil {
		text = e.Text("site.plan", "plan", sub.Plan, "since", sub.Since.Local().Format(time.DateOnly))
		if sub.Client != "" {
			text += " · " + e.Text("site.client", "client", sub.Client)
		}
		if sub.Consent != upkeep.NoConsent {
			text += " · " + e.Texts.Code("consent", string(sub.Consent), nil)
		}
		if sub.Canary != upkeep.MayBeCanary {
			text += " · " + e.Texts.Code("canary", string(sub.Canary), nil)
		}
	}
	if s.Recommended != "" && (s.Subscription == nil || s.Subscription.Plan != s.Recommended) {
		text += " · " + e.Text("site.recommended", "count", s.Extensions, "plan", s.Recommended)
	}
	return text
}

func planPaint(s *web.Site) terminal.Paint {
	if s.Subscription == nil {
		return terminal.Warn
	}
	return terminal.Plain
}

// policy says what a site's policy does differently from the default.
func policy(e *console.Env, p *upkeep.Policy) string {
	parts := []string{e.Text("policy.minors")}
	if p.Majors {
		parts = []string{e.Text("policy.majors")}
	}
	if p.Tracked {
		parts = append(parts, e.Text("policy.tracked"))
	}
	if len(p.HoldComponents) > 0 {
		parts = append(parts, e.Text("policy.hold", "components", strings.Join(p.HoldComponents, ", ")))
	}
	if len(p.ExtraPages) > 0 {
		parts = append(parts, e.Text("policy.pages", "pages", strings.Join(p.ExtraPages, ", ")))
	}
	return strings.Join(parts, " · ")
}

// Findings describes findings, one line each.
func Findings(e *console.Env, found []upkeep.Finding) []terminal.Field {
	var fields []terminal.Field
	label := e.Text("col.findings")
	for _, f := range found {
		text := e.Texts.Code("finding", f.Code, nil)
		if f.Detail != "" && f.Code != "modified" { // of those the files say it
			text += " (" + e.Texts.Say(f.More()) + ")"
		}
		if f.Component != "" {
			text = f.Component + " · " + text
		}
		if len(f.Paths) > 0 {
			text += " · " + f.Paths[0]
		}
		if more := len(f.Paths) - 1; more > 0 {
			text += " " + e.Text("more", "count", more)
		}
		paint := terminal.Plain
		if f.Blocks {
			paint = terminal.Warn
		}
		fields = append(fields, terminal.Field{Label: label, Value: text, Paint: paint})
		label = ""
	}
	return fields
}

// Instant writes an instant for machines, "" for none.
func Instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// StatusPaint is the colour of a site's status.
func StatusPaint(s *web.Site) terminal.Paint {
	switch s.Status {
	case web.Frozen:
		return terminal.Warn
	case web.Incident:
		return terminal.Bad
	}
	return terminal.Plain
}

// Added writes a site that was added, or with dryRun would be.
func Added(e *console.Env, site *web.Site, dryRun bool) error {
	said := "site.added"
	if dryRun {
		said = "site.would_add"
	}
	if err := e.Say(said, "site", site.Name); err != nil {
		return err
	}
	if err := Site(e, site); err != nil || dryRun {
		return err
	}
	return e.Say("site.added_next", "site", site.Name)
}
