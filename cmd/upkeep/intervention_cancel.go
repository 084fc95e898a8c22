package main

import (
	"context"

	"github.com/spf13/cobra"

	"upkeep"
	"upkeep/cmd/upkeep/console"
	"upkeep/cmd/upkeep/show"
	"upkeep/internal/web"
)

func newInterventionCancelCommand(e *console.Env) *cobra.Command {
	var opts console.ChangeOptions
	cmd := e.Command("intervention.cancel", "cancel <id>", console.PlainExits)
	opts.AddFlags(e, cmd.Flags())
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, args []string) error {
		id, err := console.ParseID[upkeep.InterventionID](e, args[0])
		if err != nil {
			return err
		}
		return runInterventionCancel(ctx, e, c, id, opts)
	})
	return cmd
}

func runInterventionCancel(ctx context.Context, e *console.Env, c web.Interventions, id upkeep.InterventionID, opts console.ChangeOptions) error {
	record, err := c.Intervention(ctx, id)
	if err != nil {
		return err
	}
	state := e.Texts.Code("state", string(record.State), nil)
	if record.State.Ended() {
		return upkeep.Errorf(upkeep.CodeConflict, "%s", e.Text("intervention.ended", "id", id, "state", state))
	}
	if opts.DryRun {
		return e.WouldDo(opts.Format, "intervention.would_cancel", "id", id, "site", record.SiteName, "state", state)
	}
	if err := e.Confirm(ctx, opts.Yes, e.Text("intervention.ask_cancel", "id", id, "site", record.SiteName, "state", state)); err != nil {
		return err
	}
	iv, err := c.CancelIntervention(ctx, e.Actor(), id)
	if err != nil {
		return err
	}
	record.Intervention = *iv
	if opts.Format == "json" {
		return show.Record(e, record, opts.Format)
	}
	return e.Say("intervention.cancelling", "id", id)
}
