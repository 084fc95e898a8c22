package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"upkeep"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

type backupPruneOptions struct {
	changeOptions
	Keep upkeep.Retention
}

func (o *backupPruneOptions) AddFlags(e *env, f *pflag.FlagSet) {
	f.IntVar(&o.Keep.Last, "keep-last", 0, e.text("flag.keep_last"))
	f.IntVar(&o.Keep.Days, "keep-days", 0, e.text("flag.keep_days"))
	f.IntVar(&o.Keep.Monthly, "keep-monthly", 0, e.text("flag.keep_monthly"))
	o.changeOptions.AddFlags(e, f)
}

func newBackupPruneCommand(e *env) *cobra.Command {
	var opts backupPruneOptions
	cmd := e.command("backup.prune", "prune <site>", plainExits)
	cmd.ValidArgsFunction = e.completeSite
	opts.AddFlags(e, cmd.Flags())
	cmd.RunE = e.calling(func(ctx context.Context, c *web.Client, args []string) error {
		return runBackupPrune(ctx, e, c, args[0], opts)
	})
	return cmd
}

// runBackupPrune shows what would be dropped, asks, and drops.
func runBackupPrune(ctx context.Context, e *env, c web.Restores, site string, opts backupPruneOptions) error {
	if opts.Keep.Last < 0 || opts.Keep.Days < 0 || opts.Keep.Monthly < 0 {
		return usagef("%s", e.text("usage.negative", "flag", "--keep-…", "value", min(opts.Keep.Last, opts.Keep.Days, opts.Keep.Monthly)))
	}
	req := web.PruneRequest{DryRun: true}
	if opts.Keep != (upkeep.Retention{}) {
		req.Keep = &opts.Keep
	}
	prune := func() (*web.PruneResult, error) {
		return working(e, func(progress func(upkeep.Progress)) (*web.PruneResult, error) {
			return c.PruneBackups(ctx, e.actor(), site, req, progress)
		})
	}
	result, err := prune()
	if err != nil {
		return err
	}
	said := "backup.would_prune"
	if !opts.DryRun && len(result.Dropped) > 0 {
		screen := e.notice
		if err := e.backupList(false).Write(screen, "table", result.Dropped); err != nil {
			return err
		}
		if err := e.confirm(ctx, opts.Yes, e.text("backup.ask_prune", "count", len(result.Dropped), "site", site)); err != nil {
			return err
		}
		req.DryRun, said = false, "backup.pruned"
		if result, err = prune(); err != nil {
			return err
		}
	}
	return e.showPruned(result, opts, said)
}

func (e *env) showPruned(r *web.PruneResult, opts backupPruneOptions, said string) error {
	if opts.Format == "json" {
		return terminal.JSON(e.stdout, r)
	}
	if opts.DryRun && len(r.Dropped) > 0 {
		if err := e.backupList(false).Write(e.out, "table", r.Dropped); err != nil {
			return err
		}
		fmt.Fprintln(e.stdout)
	}
	return e.say(said, "count", len(r.Dropped), "kept", len(r.Kept), "bytes", e.texts.Bytes(r.Freed))
}
