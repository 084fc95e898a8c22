package main

import (
	"context"

	"github.com/spf13/cobra"

	"upkeep"
	"upkeep/cmd/upkeep/console"
	"upkeep/cmd/upkeep/show"
	"upkeep/internal/web"
)

func newInterventionShowCommand(e *console.Env) *cobra.Command {
	var format string
	cmd := e.Command("intervention.show", "show <id>", console.PlainExits)
	e.TextFormat(cmd.Flags(), &format)
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, args []string) error {
		id, err := console.ParseID[upkeep.InterventionID](e, args[0])
		if err != nil {
			return err
		}
		return runInterventionShow(ctx, e, c, id, format)
	})
	return cmd
}

func runInterventionShow(ctx context.Context, e *console.Env, c web.Interventions, id upkeep.InterventionID, format string) error {
	record, err := c.Intervention(ctx, id)
	if err != nil {
		return err
	}
	return show.Record(e, record, format)
}
