package main

import (
	"context"

	"github.com/spf13/cobra"

	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

func newSiteListCommand(e *env) *cobra.Command {
	var format string
	cmd := e.command("site.list", "list", plainExits)
	e.listFormat(cmd.Flags(), &format)
	cmd.RunE = e.calling(func(ctx context.Context, c *web.Client, _ []string) error {
		return runSiteList(ctx, e, c, format)
	})
	return cmd
}

func runSiteList(ctx context.Context, e *env, sites web.Sites, format string) error {
	all, err := sites.Sites(ctx)
	if err != nil {
		return err
	}
	list := terminal.List[web.Site]{
		Empty: e.text("site.none"),
		ID:    func(s *web.Site) string { return s.Name },
		Columns: []terminal.Column[web.Site]{
			{Title: e.text("col.site"), Name: "name", Cell: func(s *web.Site) string { return s.Name }},
			{Title: e.text("col.status"), Name: "status", Paint: statusPaint,
				Cell: func(s *web.Site) string { return e.texts.Code("status", string(s.Status), nil) },
				Raw:  func(s *web.Site) string { return string(s.Status) }},
			{Title: e.text("col.cms"), Name: "cms", Cell: func(s *web.Site) string { return e.texts.Code("cms", string(s.CMS), nil) },
				Raw: func(s *web.Site) string { return string(s.CMS) }},
			{Title: e.text("col.version"), Name: "core", Cell: func(s *web.Site) string { return string(s.Core) }},
			{Title: e.text("col.pending"), Name: "pending", Right: true, Cell: func(s *web.Site) string { return itoa(s.Pending) }},
			{Title: e.text("col.security"), Name: "security", Right: true, Paint: securityPaint,
				Cell: func(s *web.Site) string { return itoa(s.Security) }},
			{Title: e.text("col.held"), Name: "held", Right: true, Cell: func(s *web.Site) string { return itoa(s.Held) }},
			{Title: e.text("col.last_backup"), Name: "last_backup", Cell: func(s *web.Site) string { return terminal.Instant(s.LastBackup) },
				Raw: func(s *web.Site) string { return rfc3339(s.LastBackup) }},
		},
	}
	return list.Write(e.out, format, all)
}

func statusPaint(s *web.Site) terminal.Paint {
	switch s.Status {
	case web.Frozen:
		return terminal.Warn
	case web.Incident:
		return terminal.Bad
	}
	return terminal.Plain
}

func securityPaint(s *web.Site) terminal.Paint {
	if s.Security > 0 {
		return terminal.Bad
	}
	return terminal.Plain
}
