package main

import (
	"context"

	"github.com/spf13/cobra"

	"upkeep/cmd/upkeep/console"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

func newSiteThawCommand(e *console.Env) *cobra.Command {
	var opts console.ChangeOptions
	cmd := e.Command("site.thaw", "thaw <site>", console.PlainExits)
	cmd.ValidArgsFunction = e.CompleteSite
	opts.AddFlags(e, cmd.Flags())
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, args []string) error {
		return runSiteThaw(ctx, e, c, args[0], opts)
	})
	return cmd
}

// runSiteThaw does not ask: opening a site again is what every path ends
// with. --yes is accepted so that scripts may always give it.
func runSiteThaw(ctx context.Context, e *console.Env, c *web.Client, site string, opts console.ChangeOptions) error {
	if opts.DryRun {
		if _, err := c.Site(ctx, site); err != nil {
			return err
		}
		return e.WouldDo(opts.Format, "site.would_thaw", "site", site)
	}
	state, err := c.Thaw(ctx, e.Actor(), site)
	if err != nil {
		return err
	}
	if opts.Format == "json" {
		return terminal.JSON(e.Stdout, state)
	}
	return e.Say("site.thawed", "site", site)
}
