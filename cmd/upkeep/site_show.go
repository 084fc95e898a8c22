package main

import (
	"context"

	"github.com/spf13/cobra"

	"upkeep/cmd/upkeep/console"
	"upkeep/cmd/upkeep/show"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

func newSiteShowCommand(e *console.Env) *cobra.Command {
	var format string
	cmd := e.Command("site.show", "show <site>", console.PlainExits)
	cmd.ValidArgsFunction = e.CompleteSite
	e.TextFormat(cmd.Flags(), &format)
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, args []string) error {
		return runSiteShow(ctx, e, c, args[0], format)
	})
	return cmd
}

func runSiteShow(ctx context.Context, e *console.Env, sites web.Sites, name, format string) error {
	site, err := sites.Site(ctx, name)
	if err != nil {
		return err
	}
	if format == "json" {
		return terminal.JSON(e.Stdout, site)
	}
	return show.Site(e, site)
}
