package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"upkeep/cmd/upkeep/console"
	"upkeep/cmd/upkeep/show"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

func newSiteListCommand(e *console.Env) *cobra.Command {
	var format string
	cmd := e.Command("site.list", "list", console.PlainExits)
	e.ListFormat(cmd.Flags(), &format)
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, _ []string) error {
		return runSiteList(ctx, e, c, format)
	})
	return cmd
}

func runSiteList(ctx context.Context, e *console.Env, sites web.Sites, format string) error {
	all, err := sites.Sites(ctx)
	if err != nil {
		return err
	}
	list := terminal.List[web.Site]{
		Empty: e.Text("site.none"),
		ID:    func(s *web.Site) string { return s.Name },
		Columns: []terminal.Column[web.Site]{
			{Title: e.Text("col.site"), Name: "name", Cell: func(s *web.Site) string { return s.Name }},
			{Title: e.Text("col.status"), Name: "status", Paint: show.StatusPaint,
				Cell: func(s *web.Site) string { return e.Texts.Code("status", string(s.Status), nil) },
				Raw:  func(s *web.Site) string { return string(s.Status) }},
			{Title: e.Text("col.cms"), Name: "cms", Cell: func(s *web.Site) string { return e.Texts.Code("cms", string(s.CMS), nil) },
				Raw: func(s *web.Site) string { return string(s.CMS) }},
			{Title: e.Text("col.version"), Name: "core", Cell: func(s *web.Site) string { return string(s.Core) }},
			{Title: e.Text("col.pending"), Name: "pending", Right: true, Cell: func(s *web.Site) string { return strconv.Itoa(s.Pending) }},
			{Title: e.Text("col.security"), Name: "security", Right: true, Paint: securityPaint,
				Cell: func(s *web.Site) string { return strconv.Itoa(s.Security) }},
			{Title: e.Text("col.held"), Name: "held", Right: true, Cell: func(s *web.Site) string { return strconv.Itoa(s.Held) }},
			{Title: e.Text("col.last_backup"), Name: "last_backup", Cell: func(s *web.Site) string { return terminal.Instant(s.LastBackup) },
				Raw: func(s *web.Site) string { return show.Instant(s.LastBackup) }},
		},
	}
	return list.Write(e.Out, format, all)
}

func securityPaint(s *web.Site) terminal.Paint {
	if s.Security > 0 {
		return terminal.Bad
	}
	return terminal.Plain
}
