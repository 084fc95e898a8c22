package main

import (
	"context"

	"github.com/spf13/cobra"

	"upkeep"
	"upkeep/cmd/upkeep/console"
	"upkeep/cmd/upkeep/show"
	"upkeep/internal/web"
)

func newBackupShowCommand(e *console.Env) *cobra.Command {
	var format string
	cmd := e.Command("backup.show", "show <id>", console.PlainExits)
	e.TextFormat(cmd.Flags(), &format)
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, args []string) error {
		id, err := console.ParseID[upkeep.BackupID](e, args[0])
		if err != nil {
			return err
		}
		return runBackupShow(ctx, e, c, id, format)
	})
	return cmd
}

func runBackupShow(ctx context.Context, e *console.Env, c web.Backups, id upkeep.BackupID, format string) error {
	backup, err := c.Backup(ctx, id)
	if err != nil {
		return err
	}
	return show.Backup(e, backup, format)
}
