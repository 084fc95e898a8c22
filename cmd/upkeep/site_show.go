package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"upkeep"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

func newSiteShowCommand(e *env) *cobra.Command {
	var format string
	cmd := e.command("site.show", "show <site>", plainExits)
	cmd.ValidArgsFunction = e.completeSite
	e.textFormat(cmd.Flags(), &format)
	cmd.RunE = e.calling(func(ctx context.Context, c *web.Client, args []string) error {
		return runSiteShow(ctx, e, c, args[0], format)
	})
	return cmd
}

func runSiteShow(ctx context.Context, e *env, sites web.Sites, name, format string) error {
	site, err := sites.Site(ctx, name)
	if err != nil {
		return err
	}
	if format == "json" {
		return terminal.JSON(e.stdout, site)
	}
	return e.showSite(site)
}

func (e *env) showSite(s *web.Site) error {
	fields := []terminal.Field{
		{Label: e.text("col.site"), Value: s.Name, Paint: terminal.Bold},
		{Label: e.text("col.status"), Value: e.texts.Code("status", string(s.Status), nil), Paint: statusPaint(s)},
		{Label: e.text("col.url"), Value: s.URL},
		{Label: e.text("col.root"), Value: s.Root},
		{Label: e.text("col.cms"), Value: strings.TrimSpace(e.texts.Code("cms", string(s.CMS), nil) + " " + string(s.Core))},
		{Label: e.text("col.components"), Value: e.text("site.components", "count", s.Components, "when", e.out.Since(s.Inventoried))},
		{Label: e.text("col.pending"), Value: e.text("site.pending", "count", s.Pending, "security", s.Security, "held", s.Held)},
		{Label: e.text("col.last_backup"), Value: terminal.Instant(s.LastBackup)},
		{Label: e.text("col.policy"), Value: e.policy(&s.Policy)},
	}
	if s.Intervention > 0 {
		fields = append(fields, terminal.Field{Label: e.text("col.intervention"), Value: s.Intervention.String()})
	}
	return e.out.Fields("", append(fields, e.findings(s.Findings)...))
}

// policy says what a site's policy does differently from the default.
func (e *env) policy(p *upkeep.Policy) string {
	parts := []string{e.text("policy.minors")}
	if p.Majors {
		parts = []string{e.text("policy.majors")}
	}
	if len(p.HoldComponents) > 0 {
		parts = append(parts, e.text("policy.hold", "components", strings.Join(p.HoldComponents, ", ")))
	}
	if len(p.ExtraPages) > 0 {
		parts = append(parts, e.text("policy.pages", "pages", strings.Join(p.ExtraPages, ", ")))
	}
	return strings.Join(parts, " · ")
}

// findings describes findings, one line each.
func (e *env) findings(found []upkeep.Finding) []terminal.Field {
	var fields []terminal.Field
	label := e.text("col.findings")
	for _, f := range found {
		text := e.texts.Code("finding", f.Code, nil)
		if f.Detail != "" {
			text += " (" + f.Detail + ")"
		}
		if f.Component != "" {
			text = f.Component + " · " + text
		}
		if len(f.Paths) > 0 {
			text += " · " + f.Paths[0]
		}
		if more := len(f.Paths) - 1; more > 0 {
			text += " " + e.text("more", "count", more)
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

// completeSite completes the names of sites, from a server that runs.
func (e *env) completeSite(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 && !strings.Contains(cmd.Use, "...") {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	here := e.app.Open
	e.app.Open = nil // a key press must not start the application
	defer func() { e.app.Open = here }()
	client, release, err := e.connect(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer func() { _ = release() }()
	sites, err := client.Sites(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for i := range sites {
		names = append(names, sites[i].Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// rfc3339 writes an instant for machines, "" for none.
func rfc3339(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
