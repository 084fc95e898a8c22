package main

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"upkeep"
	"upkeep/cmd/upkeep/console"
	"upkeep/cmd/upkeep/show"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

type backupRestoreOptions struct {
	console.ChangeOptions
	InPlace       bool
	Dir, Database string
}

func (o *backupRestoreOptions) AddFlags(e *console.Env, f *pflag.FlagSet) {
	f.BoolVar(&o.InPlace, "in-place", false, e.Text("flag.in_place"))
	f.StringVar(&o.Dir, "dir", "", e.Text("flag.dir"))
	f.StringVar(&o.Database, "database", "", e.Text("flag.database"))
	o.ChangeOptions.AddFlags(e, f)
}

func newBackupRestoreCommand(e *console.Env) *cobra.Command {
	var opts backupRestoreOptions
	cmd := e.Command("backup.restore", "restore <id>", console.PlainExits)
	cmd.Example = e.Text("cmd.backup.restore.example")
	opts.AddFlags(e, cmd.Flags())
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, args []string) error {
		id, err := console.ParseID[upkeep.BackupID](e, args[0])
		if err != nil {
			return err
		}
		return runBackupRestore(ctx, e, c, id, opts)
	})
	return cmd
}

// runBackupRestore shows what would be lost, asks, and restores exactly what
// was shown: the plan's token fails when the site changed in between.
func runBackupRestore(ctx context.Context, e *console.Env, c *web.Client, id upkeep.BackupID, opts backupRestoreOptions) error {
	req := web.RestoreRequest{InPlace: opts.InPlace, Dir: opts.Dir, Database: opts.Database}
	if err := req.Validate(); err != nil {
		return err
	}
	if req.Dir != "" {
		dir, err := filepath.Abs(req.Dir)
		if err != nil {
			return err
		}
		req.Dir = dir
	}
	backup, err := c.Backup(ctx, id)
	if err != nil {
		return err
	}
	done, err := prepareRestore(ctx, e, c, &pendingRestore{backup, &req, opts})
	if done || err != nil {
		return err
	}
	result, err := console.Working(e, func(progress func(upkeep.Progress)) (*web.RestoreResult, error) {
		return c.RestoreBackup(ctx, e.Actor(), id, req, progress)
	})
	if err != nil {
		return err
	}
	return show.Restored(e, backup, result, opts.Format)
}

// pendingRestore is a restore that was asked for and not yet agreed to.
type pendingRestore struct {
	backup  *web.Backup
	request *web.RestoreRequest
	options backupRestoreOptions
}

// prepareRestore shows the plan of a restore in place, and asks. It reports
// whether that was all: a dry run, or nothing differs.
func prepareRestore(ctx context.Context, e *console.Env, c web.Restores, p *pendingRestore) (bool, error) {
	b, req, opts := p.backup, p.request, p.options
	if !opts.InPlace {
		if opts.DryRun {
			return true, e.WouldDo(opts.Format, "backup.would_restore", "id", b.ID, "dir", req.Dir)
		}
		return false, nil
	}
	plan, err := c.PlanRestore(ctx, b.ID, *req)
	if err != nil {
		return false, err
	}
	if opts.DryRun && opts.Format == "json" {
		return true, terminal.JSON(e.Stdout, plan)
	}
	screen := e.Out
	if opts.Format == "json" {
		screen = e.Notice
	}
	if len(plan.Differences) == 0 && opts.Format == "text" {
		return true, e.Say("backup.no_differences", "site", b.SiteName)
	}
	const shown = 20
	if err := show.Differences(e).Write(screen, "table", plan.Differences[:min(shown, len(plan.Differences))]); err != nil {
		return false, err
	}
	fields := []terminal.Field{{Label: e.Text("backup.differences", "count", len(plan.Differences)),
		Value: e.Text("backup.lost", "rows", e.Text("record.rows", "count", plan.Rows), "files", e.Text("record.files", "count", plan.Files), "since", terminal.Instant(plan.Since)), Paint: terminal.Warn}}
	if err := screen.Fields("", fields); err != nil || opts.DryRun {
		return opts.DryRun, err
	}
	req.Confirm = plan.Token
	return false, e.Confirm(ctx, opts.Yes, e.Text("backup.ask_restore", "id", b.ID, "site", b.SiteName))
}
