package main

import (
	"context"

	"github.com/spf13/cobra"

	"upkeep/cmd/upkeep/console"
	"upkeep/cmd/upkeep/show"
	"upkeep/internal/web"
)

func newBackupListCommand(e *console.Env) *cobra.Command {
	var format string
	cmd := e.Command("backup.list", "list [site]", console.PlainExits)
	cmd.ValidArgsFunction = e.CompleteSite
	e.ListFormat(cmd.Flags(), &format)
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, args []string) error {
		site := ""
		if len(args) > 0 {
			site = args[0]
		}
		return runBackupList(ctx, e, c, site, format)
	})
	return cmd
}

func runBackupList(ctx context.Context, e *console.Env, c web.Backups, site, format string) error {
	backups, err := c.Backups(ctx, site)
	if err != nil {
		return err
	}
	return show.Backups(e, site == "").Write(e.Out, format, backups)
}
