package main

import (
	"context"

	"github.com/spf13/cobra"

	"upkeep"
	"upkeep/cmd/upkeep/console"
	"upkeep/cmd/upkeep/show"
	"upkeep/internal/web"
)

type backupCreateOptions struct {
	Note   string
	DryRun bool
	Format string
}

func newBackupCreateCommand(e *console.Env) *cobra.Command {
	var opts backupCreateOptions
	cmd := e.Command("backup.create", "create <site>", console.PlainExits)
	cmd.ValidArgsFunction = e.CompleteSite
	cmd.Flags().StringVar(&opts.Note, "note", "", e.Text("flag.note"))
	cmd.Flags().BoolVar(&opts.DryRun, "dry-run", false, e.Text("flag.dry_run"))
	e.TextFormat(cmd.Flags(), &opts.Format)
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, args []string) error {
		return runBackupCreate(ctx, e, c, args[0], opts)
	})
	return cmd
}

func runBackupCreate(ctx context.Context, e *console.Env, c *web.Client, site string, opts backupCreateOptions) error {
	if opts.DryRun {
		s, err := c.Site(ctx, site)
		if err != nil {
			return err
		}
		return e.WouldDo(opts.Format, "backup.would_create", "site", site, "root", s.Root)
	}
	backup, err := console.Working(e, func(progress func(upkeep.Progress)) (*web.Backup, error) {
		return c.CreateBackup(ctx, e.Actor(), site, opts.Note, progress)
	})
	if err != nil {
		return err
	}
	return show.Backup(e, backup, opts.Format)
}
