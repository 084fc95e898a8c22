package main

import (
	"context"

	"github.com/spf13/cobra"

	"upkeep"
	"upkeep/cmd/upkeep/console"
	"upkeep/cmd/upkeep/show"
	"upkeep/internal/web"
)

func newBackupDiffCommand(e *console.Env) *cobra.Command {
	var format string
	cmd := e.Command("backup.diff", "diff <id> [other-id]", console.PlainExits)
	e.ListFormat(cmd.Flags(), &format)
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, args []string) error {
		ids := [2]upkeep.BackupID{}
		for i, word := range args {
			id, err := console.ParseID[upkeep.BackupID](e, word)
			if err != nil {
				return err
			}
			ids[i] = id
		}
		return runBackupDiff(ctx, e, c, ids, format)
	})
	return cmd
}

// runBackupDiff lists what changed from the first backup to the second, or to
// the site as it is now.
func runBackupDiff(ctx context.Context, e *console.Env, c web.Backups, ids [2]upkeep.BackupID, format string) error {
	differences, err := c.DiffBackup(ctx, ids[0], ids[1])
	if err != nil {
		return err
	}
	return show.Differences(e).Write(e.Out, format, differences)
}
