package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"upkeep"
	"upkeep/cmd/upkeep/console"
	"upkeep/cmd/upkeep/show"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

type siteUpdateOptions struct {
	console.ChangeOptions
	Only, Except []string
	Security     bool
}

func (o *siteUpdateOptions) AddFlags(e *console.Env, f *pflag.FlagSet) {
	f.StringSliceVar(&o.Only, "only", nil, e.Text("flag.only"))
	f.StringSliceVar(&o.Except, "except", nil, e.Text("flag.except"))
	f.BoolVar(&o.Security, "security", false, e.Text("flag.security"))
	o.ChangeOptions.AddFlags(e, f)
}

func newSiteUpdateCommand(e *console.Env) *cobra.Command {
	var opts siteUpdateOptions
	cmd := e.Command("site.update", "update <site>", console.UpdateExits)
	cmd.ValidArgsFunction = e.CompleteSite
	cmd.Example = e.Text("cmd.site.update.example")
	opts.AddFlags(e, cmd.Flags())
	run := e.Attending(func(ctx context.Context, c *web.Client, args []string) error {
		return runSiteUpdate(ctx, e, c, args[0], opts)
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return run(cmd.Context(), args) }
	return cmd
}

// runSiteUpdate shows what would be done, asks, starts the intervention and
// stays with it to its end.
func runSiteUpdate(ctx context.Context, e *console.Env, c *web.Client, site string, opts siteUpdateOptions) error {
	req := web.InterventionRequest{Only: opts.Only, Except: opts.Except, Security: opts.Security, DryRun: true}
	plan, err := c.StartIntervention(ctx, e.Actor(), site, req)
	if err != nil {
		return err
	}
	if opts.DryRun && opts.Format == "json" {
		return terminal.JSON(e.Stdout, plan)
	}
	count := 0
	for _, b := range plan.Batches {
		count += len(b.Updates)
	}
	if count == 0 {
		return nothingToUpdate(e, site, opts.Format, plan)
	}
	screen := e.Out
	if opts.Format == "json" {
		screen = e.Notice
	}
	if err := show.Batches(e, screen, plan.Batches); err != nil || opts.DryRun {
		return err
	}
	if err := e.Confirm(ctx, opts.Yes, e.Text("update.ask", "count", count, "site", site)); err != nil {
		return err
	}
	req.DryRun = false
	started, err := c.StartIntervention(ctx, e.Actor(), site, req)
	if err != nil {
		return err
	}
	return accompany(ctx, e, c, started, opts.Format)
}

func nothingToUpdate(e *console.Env, site, format string, plan *upkeep.Intervention) error {
	if format == "json" {
		return terminal.JSON(e.Stdout, plan)
	}
	return e.Say("update.nothing", "site", site)
}

// accompany shows an intervention to its end, then its record. The first
// interrupt asks the server to stop it in good order, the second one leaves
// it to the agent.
func accompany(ctx context.Context, e *console.Env, c *web.Client, started *upkeep.Intervention, format string) error {
	f := &console.Follower{Env: e, Client: c, ID: started.ID, Progress: terminal.NewProgress(e.Notice)}
	f.Progress.Intervention(started)
	state, err := f.Follow(ctx)
	f.Progress.Close()
	if err != nil {
		return err
	}
	record, err := c.Intervention(ctx, started.ID)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(e.Stderr); err != nil {
		return err
	}
	if err := show.Record(e, record, format); err != nil {
		return err
	}
	if f.Asked {
		fmt.Fprintln(e.Stderr, "upkeep: "+e.Text("interrupt.ended", "state", e.Texts.Code("state", string(state), nil)))
		return console.Ended(console.ExitInterrupted)
	}
	return console.Ended(console.ExitOfState(state))
}
