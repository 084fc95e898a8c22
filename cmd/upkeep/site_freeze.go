package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"upkeep/cmd/upkeep/console"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

type siteFreezeOptions struct {
	console.ChangeOptions
	For time.Duration
}

func newSiteFreezeCommand(e *console.Env) *cobra.Command {
	var opts siteFreezeOptions
	cmd := e.Command("site.freeze", "freeze <site>", console.PlainExits)
	cmd.ValidArgsFunction = e.CompleteSite
	cmd.Flags().DurationVar(&opts.For, "for", 15*time.Minute, e.Text("flag.for"))
	opts.AddFlags(e, cmd.Flags())
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, args []string) error {
		return runSiteFreeze(ctx, e, c, args[0], opts)
	})
	return cmd
}

func runSiteFreeze(ctx context.Context, e *console.Env, c *web.Client, site string, opts siteFreezeOptions) error {
	if opts.For <= 0 {
		return console.Usagef("%s", e.Text("usage.duration", "flag", "--for", "value", opts.For))
	}
	if _, err := c.Site(ctx, site); err != nil {
		return err
	}
	if opts.DryRun {
		return e.WouldDo(opts.Format, "site.would_freeze", "site", site, "span", e.Texts.Span(opts.For))
	}
	if err := e.Confirm(ctx, opts.Yes, e.Text("site.ask_freeze", "site", site, "span", e.Texts.Span(opts.For))); err != nil {
		return err
	}
	state, err := c.Freeze(ctx, e.Actor(), site, opts.For)
	if err != nil {
		return err
	}
	if opts.Format == "json" {
		return terminal.JSON(e.Stdout, state)
	}
	return e.Say("site.frozen", "site", site, "until", terminal.Instant(state.Until))
}
