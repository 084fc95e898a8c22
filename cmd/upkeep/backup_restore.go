package main

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"upkeep"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

type backupRestoreOptions struct {
	changeOptions
	InPlace       bool
	Dir, Database string
}

func (o *backupRestoreOptions) AddFlags(e *env, f *pflag.FlagSet) {
	f.BoolVar(&o.InPlace, "in-place", false, e.text("flag.in_place"))
	f.StringVar(&o.Dir, "dir", "", e.text("flag.dir"))
	f.StringVar(&o.Database, "database", "", e.text("flag.database"))
	o.changeOptions.AddFlags(e, f)
}

func newBackupRestoreCommand(e *env) *cobra.Command {
	var opts backupRestoreOptions
	cmd := e.command("backup.restore", "restore <id>", plainExits)
	cmd.Example = e.text("cmd.backup.restore.example")
	opts.AddFlags(e, cmd.Flags())
	cmd.RunE = e.calling(func(ctx context.Context, c *web.Client, args []string) error {
		id, err := parseID[upkeep.BackupID](e, args[0])
		if err != nil {
			return err
		}
		return runBackupRestore(ctx, e, c, id, opts)
	})
	return cmd
}

// runBackupRestore shows what would be lost, asks, and restores exactly what
// was shown: the plan's token fails when the site changed in between.
func runBackupRestore(ctx context.Context, e *env, c *web.Client, id upkeep.BackupID, opts backupRestoreOptions) error {
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
	done, err := e.prepareRestore(ctx, c, backup, &req, opts)
	if done || err != nil {
		return err
	}
	result, err := working(e, func(progress func(upkeep.Progress)) (*web.RestoreResult, error) {
		return c.RestoreBackup(ctx, e.actor(), id, req, progress)
	})
	if err != nil {
		return err
	}
	return e.showRestored(backup, result, opts.Format)
}

// prepareRestore shows the plan of a restore in place, and asks. It reports
// whether that was all: a dry run, or nothing differs.
func (e *env) prepareRestore(ctx context.Context, c web.Restores, b *web.Backup, req *web.RestoreRequest, opts backupRestoreOptions) (bool, error) {
	if !opts.InPlace {
		if opts.DryRun {
			return true, e.wouldDo(opts.Format, "backup.would_restore", "id", b.ID, "dir", req.Dir)
		}
		return false, nil
	}
	plan, err := c.PlanRestore(ctx, b.ID, *req)
	if err != nil {
		return false, err
	}
	if opts.DryRun && opts.Format == "json" {
		return true, terminal.JSON(e.stdout, plan)
	}
	screen := e.out
	if opts.Format == "json" {
		screen = e.notice
	}
	if len(plan.Differences) == 0 && opts.Format == "text" {
		return true, e.say("backup.no_differences", "site", b.SiteName)
	}
	const shown = 20
	if err := e.differenceList().Write(screen, "table", plan.Differences[:min(shown, len(plan.Differences))]); err != nil {
		return false, err
	}
	fields := []terminal.Field{{Label: e.text("backup.differences", "count", len(plan.Differences)),
		Value: e.text("backup.lost", "rows", e.texts.Number(plan.Rows), "files", e.texts.Number(plan.Files), "since", terminal.Instant(plan.Since)), Paint: terminal.Warn}}
	if err := screen.Fields("", fields); err != nil || opts.DryRun {
		return opts.DryRun, err
	}
	req.Confirm = plan.Token
	return false, e.confirm(ctx, opts.Yes, e.text("backup.ask_restore", "id", b.ID, "site", b.SiteName))
}

func (e *env) showRestored(b *web.Backup, r *web.RestoreResult, format string) error {
	status := exitDone
	if r.Identity != nil && !r.Identity.Proven() {
		status = exitFailed
	}
	if format == "json" {
		if err := terminal.JSON(e.stdout, r); err != nil {
			return err
		}
		return ended(status)
	}
	where := r.Dir
	if where == "" {
		where = b.SiteName
	}
	fields := []terminal.Field{
		{Label: e.text("record.backup", "id", r.Backup), Value: e.text("backup.restored", "where", where), Paint: terminal.Bold},
		{Label: e.text("col.content"), Value: e.text("record.files", "count", r.Files) + " · " +
			e.text("record.tables", "count", r.Tables) + " · " + e.texts.Bytes(r.Bytes)},
		e.out.Identity(r.Identity),
	}
	if r.Safety > 0 {
		fields = append(fields, terminal.Field{Label: e.text("backup.safety"), Value: e.text("record.backup", "id", r.Safety)})
	}
	if err := e.out.Fields("", fields); err != nil {
		return err
	}
	return ended(status)
}
