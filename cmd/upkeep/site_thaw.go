package main

import (
	"context"

	"github.com/spf13/cobra"

	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

func newSiteThawCommand(e *env) *cobra.Command {
	var opts changeOptions
	cmd := e.command("site.thaw", "thaw <site>", plainExits)
	cmd.ValidArgsFunction = e.completeSite
	opts.AddFlags(e, cmd.Flags())
	cmd.RunE = e.calling(func(ctx context.Context, c *web.Client, args []string) error {
		return runSiteThaw(ctx, e, c, args[0], opts)
	})
	return cmd
}

// runSiteThaw does not ask: opening a site again is what every path ends
// with. --yes is accepted so that scripts may always give it.
func runSiteThaw(ctx context.Context, e *env, c *web.Client, site string, opts changeOptions) error {
	if opts.DryRun {
		if _, err := c.Site(ctx, site); err != nil {
			return err
		}
		return e.wouldDo(opts.Format, "site.would_thaw", "site", site)
	}
	state, err := c.Thaw(ctx, e.actor(), site)
	if err != nil {
		return err
	}
	if opts.Format == "json" {
		return terminal.JSON(e.stdout, state)
	}
	return e.say("site.thawed", "site", site)
}
