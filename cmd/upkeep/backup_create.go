package main

import (
	"context"

	"github.com/spf13/cobra"

	"upkeep"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

type backupCreateOptions struct {
	Note   string
	DryRun bool
	Format string
}

func newBackupCreateCommand(e *env) *cobra.Command {
	var opts backupCreateOptions
	cmd := e.command("backup.create", "create <site>", plainExits)
	cmd.ValidArgsFunction = e.completeSite
	cmd.Flags().StringVar(&opts.Note, "note", "", e.text("flag.note"))
	cmd.Flags().BoolVar(&opts.DryRun, "dry-run", false, e.text("flag.dry_run"))
	e.textFormat(cmd.Flags(), &opts.Format)
	cmd.RunE = e.calling(func(ctx context.Context, c *web.Client, args []string) error {
		return runBackupCreate(ctx, e, c, args[0], opts)
	})
	return cmd
}

func runBackupCreate(ctx context.Context, e *env, c *web.Client, site string, opts backupCreateOptions) error {
	if opts.DryRun {
		s, err := c.Site(ctx, site)
		if err != nil {
			return err
		}
		return e.wouldDo(opts.Format, "backup.would_create", "site", site, "root", s.Root)
	}
	backup, err := working(e, func(progress func(upkeep.Progress)) (*web.Backup, error) {
		return c.CreateBackup(ctx, e.actor(), site, opts.Note, progress)
	})
	if err != nil {
		return err
	}
	return e.showBackup(backup, opts.Format)
}

// working shows progress while work runs.
func working[T any](e *env, work func(progress func(upkeep.Progress)) (T, error)) (T, error) {
	progress := terminal.NewProgress(e.notice)
	defer progress.Close()
	return work(progress.Work)
}
