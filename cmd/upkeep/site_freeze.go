package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

type siteFreezeOptions struct {
	changeOptions
	For time.Duration
}

func newSiteFreezeCommand(e *env) *cobra.Command {
	var opts siteFreezeOptions
	cmd := e.command("site.freeze", "freeze <site>", plainExits)
	cmd.ValidArgsFunction = e.completeSite
	cmd.Flags().DurationVar(&opts.For, "for", 15*time.Minute, e.text("flag.for"))
	opts.AddFlags(e, cmd.Flags())
	cmd.RunE = e.calling(func(ctx context.Context, c *web.Client, args []string) error {
		return runSiteFreeze(ctx, e, c, args[0], opts)
	})
	return cmd
}

func runSiteFreeze(ctx context.Context, e *env, c *web.Client, site string, opts siteFreezeOptions) error {
	if opts.For <= 0 {
		return usagef("%s", e.text("usage.duration", "flag", "--for", "value", opts.For))
	}
	if _, err := c.Site(ctx, site); err != nil {
		return err
	}
	if opts.DryRun {
		return e.wouldDo(opts.Format, "site.would_freeze", "site", site, "span", e.texts.Span(opts.For))
	}
	if err := e.confirm(ctx, opts.Yes, e.text("site.ask_freeze", "site", site, "span", e.texts.Span(opts.For))); err != nil {
		return err
	}
	state, err := c.Freeze(ctx, e.actor(), site, opts.For)
	if err != nil {
		return err
	}
	if opts.Format == "json" {
		return terminal.JSON(e.stdout, state)
	}
	return e.say("site.frozen", "site", site, "until", terminal.Instant(state.Until))
}
