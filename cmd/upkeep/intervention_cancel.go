package main

import (
	"context"

	"github.com/spf13/cobra"

	"upkeep"
	"upkeep/internal/web"
)

func newInterventionCancelCommand(e *env) *cobra.Command {
	var opts changeOptions
	cmd := e.command("intervention.cancel", "cancel <id>", plainExits)
	opts.AddFlags(e, cmd.Flags())
	cmd.RunE = e.calling(func(ctx context.Context, c *web.Client, args []string) error {
		id, err := parseID[upkeep.InterventionID](e, args[0])
		if err != nil {
			return err
		}
		return runInterventionCancel(ctx, e, c, id, opts)
	})
	return cmd
}

func runInterventionCancel(ctx context.Context, e *env, c web.Interventions, id upkeep.InterventionID, opts changeOptions) error {
	record, err := c.Intervention(ctx, id)
	if err != nil {
		return err
	}
	state := e.texts.Code("state", string(record.State), nil)
	if record.State.Ended() {
		return upkeep.Errorf(upkeep.CodeConflict, "%s", e.text("intervention.ended", "id", id, "state", state))
	}
	if opts.DryRun {
		return e.wouldDo(opts.Format, "intervention.would_cancel", "id", id, "site", record.SiteName, "state", state)
	}
	if err := e.confirm(ctx, opts.Yes, e.text("intervention.ask_cancel", "id", id, "site", record.SiteName, "state", state)); err != nil {
		return err
	}
	iv, err := c.CancelIntervention(ctx, e.actor(), id)
	if err != nil {
		return err
	}
	record.Intervention = *iv
	if opts.Format == "json" {
		return e.showRecord(record, opts.Format)
	}
	return e.say("intervention.cancelling", "id", id)
}
