package planning

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"upkeep"
	"upkeep/cmd/upkeep/console"
	"upkeep/cmd/upkeep/show"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

// Words for what is not asked of a site.
const (
	noConsent = "none"   // upkeep.NoConsent
	noMark    = "may-be" // upkeep.MayBeCanary
)

// NewSubscribe returns the command that puts a site under a plan.
func NewSubscribe(e *console.Env) *cobra.Command {
	var req upkeep.Subscription
	var consent, canary, format string
	cmd := e.Command("site.subscribe", "subscribe <site> <plan>", console.PlainExits)
	cmd.ValidArgsFunction = e.CompleteSite
	cmd.Flags().StringVar(&req.Client, "client", "", e.Text("flag.client"))
	cmd.Flags().Var(console.OneOf(&consent, []string{noConsent, string(upkeep.OrdinaryConsent), string(upkeep.FullConsent)}), "consent", e.Text("flag.consent"))
	cmd.Flags().Var(console.OneOf(&canary, []string{noMark, string(upkeep.Willing), string(upkeep.NeverCanary)}), "canary", e.Text("flag.canary"))
	e.TextFormat(cmd.Flags(), &format)
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, args []string) error {
		site, err := c.Site(ctx, args[0])
		if err != nil {
			return err
		}
		req.Plan, req.Consent = args[1], upkeep.Consent(strings.TrimPrefix(consent, noConsent))
		req.Canary = upkeep.Canary(strings.TrimPrefix(canary, noMark))
		if before := site.Subscription; before != nil { // what is not given stays
			if !cmd.Flags().Changed("client") {
				req.Client = before.Client
			}
			if !cmd.Flags().Changed("consent") {
				req.Consent = before.Consent
			}
			if !cmd.Flags().Changed("canary") {
				req.Canary = before.Canary
			}
		}
		if site, err = c.Subscribe(ctx, e.Actor(), args[0], req); err != nil {
			return err
		}
		if format == "json" {
			return terminal.JSON(e.Stdout, site)
		}
		return show.Site(e, site)
	})
	return cmd
}

// NewApprove returns the command that says yes in the client's name.
func NewApprove(e *console.Env) *cobra.Command {
	var opts console.ChangeOptions
	cmd := e.Command("site.approve", "approve <site>", console.PlainExits)
	cmd.ValidArgsFunction = e.CompleteSite
	opts.AddFlags(e, cmd.Flags())
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, args []string) error {
		return runApprove(ctx, e, c, args[0], opts)
	})
	return cmd
}

func runApprove(ctx context.Context, e *console.Env, c *web.Client, name string, opts console.ChangeOptions) error {
	found, err := c.Schedule(ctx, web.ScheduleFilter{Site: name})
	if err != nil {
		return err
	}
	turns := found.Sites[0].Turns
	if len(turns) == 0 && opts.Format != "json" {
		return e.Say("update.nothing", "site", name)
	}
	screen := e.Out
	if opts.Format == "json" {
		screen = e.Notice
	}
	if err := turnList(e).Write(screen, "table", turns); err != nil || opts.DryRun {
		return err
	}
	if err := e.Confirm(ctx, opts.Yes, e.Text("approve.ask", "count", len(turns), "site", name)); err != nil {
		return err
	}
	approved, err := c.Approve(ctx, e.Actor(), name)
	if err != nil {
		return err
	}
	if opts.Format == "json" {
		return terminal.JSON(e.Stdout, approved)
	}
	return e.Say("approve.done", "count", len(approved), "site", name)
}
