package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"upkeep"
	"upkeep/cmd/upkeep/console"
	"upkeep/cmd/upkeep/show"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

type backupPruneOptions struct {
	console.ChangeOptions
	Keep upkeep.Retention
}

func (o *backupPruneOptions) AddFlags(e *console.Env, f *pflag.FlagSet) {
	f.IntVar(&o.Keep.Last, "keep-last", 0, e.Text("flag.keep_last"))
	f.IntVar(&o.Keep.Days, "keep-days", 0, e.Text("flag.keep_days"))
	f.IntVar(&o.Keep.Monthly, "keep-monthly", 0, e.Text("flag.keep_monthly"))
	o.ChangeOptions.AddFlags(e, f)
}

func newBackupPruneCommand(e *console.Env) *cobra.Command {
	var opts backupPruneOptions
	cmd := e.Command("backup.prune", "prune <site>", console.PlainExits)
	cmd.ValidArgsFunction = e.CompleteSite
	opts.AddFlags(e, cmd.Flags())
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, args []string) error {
		return runBackupPrune(ctx, e, c, args[0], opts)
	})
	return cmd
}

// runBackupPrune shows what would be dropped, asks, and drops.
func runBackupPrune(ctx context.Context, e *console.Env, c web.Restores, site string, opts backupPruneOptions) error {
	for _, keep := range []struct {
		flag  string
		count int
	}{{"--keep-last", opts.Keep.Last}, {"--keep-days", opts.Keep.Days}, {"--keep-monthly", opts.Keep.Monthly}} {
		if keep.count < 0 {
			return console.Usagef("%s", e.Text("usage.negative", "flag", keep.flag, "value", keep.count))
		}
	}
	req := web.PruneRequest{DryRun: true}
	if opts.Keep != (upkeep.Retention{}) {
		req.Keep = &opts.Keep
	}
	prune := func() (*web.PruneResult, error) {
		return console.Working(e, func(progress func(upkeep.Progress)) (*web.PruneResult, error) {
			return c.PruneBackups(ctx, e.Actor(), site, req, progress)
		})
	}
	result, err := prune()
	if err != nil {
		return err
	}
	said := "backup.would_prune"
	if !opts.DryRun && len(result.Dropped) > 0 {
		screen := e.Notice
		if err := show.Backups(e, false).Write(screen, "table", result.Dropped); err != nil {
			return err
		}
		if err := e.Confirm(ctx, opts.Yes, e.Text("backup.ask_prune", "count", len(result.Dropped), "site", site)); err != nil {
			return err
		}
		req.DryRun, said = false, "backup.pruned"
		if result, err = prune(); err != nil {
			return err
		}
	}
	return showPruned(e, result, opts, said)
}

func showPruned(e *console.Env, r *web.PruneResult, opts backupPruneOptions, said string) error {
	if opts.Format == "json" {
		return terminal.JSON(e.Stdout, r)
	}
	if opts.DryRun && len(r.Dropped) > 0 {
		if err := show.Backups(e, false).Write(e.Out, "table", r.Dropped); err != nil {
			return err
		}
		fmt.Fprintln(e.Stdout)
	}
	return e.Say(said, "count", len(r.Dropped), "kept", len(r.Kept), "bytes", e.Texts.Bytes(r.Freed))
}
