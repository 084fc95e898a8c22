package main

import (
	"context"

	"github.com/spf13/cobra"

	"upkeep/cmd/upkeep/console"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

func newSiteRemoveCommand(e *console.Env) *cobra.Command {
	var opts console.ChangeOptions
	cmd := e.Command("site.remove", "remove <site>", console.PlainExits)
	cmd.ValidArgsFunction = e.CompleteSite
	opts.AddFlags(e, cmd.Flags())
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, args []string) error {
		return runSiteRemove(ctx, e, c, args[0], opts)
	})
	return cmd
}

func runSiteRemove(ctx context.Context, e *console.Env, sites web.Sites, name string, opts console.ChangeOptions) error {
	site, err := sites.Site(ctx, name)
	if err != nil {
		return err
	}
	if !opts.DryRun {
		if err := e.Confirm(ctx, opts.Yes, e.Text("site.ask_remove", "site", name)); err != nil {
			return err
		}
		if err := sites.RemoveSite(ctx, e.Actor(), name); err != nil {
			return err
		}
	}
	if opts.Format == "json" {
		return terminal.JSON(e.Stdout, site)
	}
	if opts.DryRun {
		return e.Say("site.would_remove", "site", name, "root", site.Root)
	}
	return e.Say("site.removed", "site", name, "root", site.Root)
}
