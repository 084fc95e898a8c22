package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"upkeep"
	"upkeep/internal/web"
)

func newInterventionShowCommand(e *env) *cobra.Command {
	var format string
	cmd := e.command("intervention.show", "show <id>", plainExits)
	e.textFormat(cmd.Flags(), &format)
	cmd.RunE = e.calling(func(ctx context.Context, c *web.Client, args []string) error {
		id, err := parseID[upkeep.InterventionID](e, args[0])
		if err != nil {
			return err
		}
		return runInterventionShow(ctx, e, c, id, format)
	})
	return cmd
}

func runInterventionShow(ctx context.Context, e *env, c web.Interventions, id upkeep.InterventionID, format string) error {
	record, err := c.Intervention(ctx, id)
	if err != nil {
		return err
	}
	return e.showRecord(record, format)
}

// parseID reads the number of an intervention or a backup.
func parseID[T ~int64](e *env, word string) (T, error) {
	id, err := strconv.ParseInt(word, 10, 64)
	if err != nil || id <= 0 {
		return 0, usagef("%s", e.text("usage.id", "value", word))
	}
	return T(id), nil
}
