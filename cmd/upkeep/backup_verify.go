package main

import (
	"context"

	"github.com/spf13/cobra"

	"upkeep"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

type backupVerifyOptions struct {
	Deep   bool
	Format string
}

func newBackupVerifyCommand(e *env) *cobra.Command {
	var opts backupVerifyOptions
	cmd := e.command("backup.verify", "verify <id>", plainExits)
	cmd.Flags().BoolVar(&opts.Deep, "deep", false, e.text("flag.deep"))
	e.textFormat(cmd.Flags(), &opts.Format)
	cmd.RunE = e.calling(func(ctx context.Context, c *web.Client, args []string) error {
		id, err := parseID[upkeep.BackupID](e, args[0])
		if err != nil {
			return err
		}
		return runBackupVerify(ctx, e, c, id, opts)
	})
	return cmd
}

func runBackupVerify(ctx context.Context, e *env, c web.Backups, id upkeep.BackupID, opts backupVerifyOptions) error {
	check, err := working(e, func(progress func(upkeep.Progress)) (*web.BackupCheck, error) {
		return c.VerifyBackup(ctx, e.actor(), id, opts.Deep, progress)
	})
	if err != nil {
		return err
	}
	status := exitDone
	if !check.OK {
		status = exitFailed
	}
	if opts.Format == "json" {
		if err := terminal.JSON(e.stdout, check); err != nil {
			return err
		}
		return ended(status)
	}
	field := terminal.Field{Label: e.text("record.backup", "id", id), Value: e.text("backup.good", "bytes", e.texts.Bytes(check.Read)), Paint: terminal.Good}
	if !check.OK {
		field.Value, field.Paint = e.text("backup.bad", "count", len(check.Problems)), terminal.Bad
	}
	fields := []terminal.Field{field}
	for _, p := range check.Problems {
		fields = append(fields, terminal.Field{Value: p, Paint: terminal.Bad})
	}
	if err := e.out.Fields("", fields); err != nil {
		return err
	}
	return ended(status)
}
