package main

import (
	"context"

	"github.com/spf13/cobra"

	"upkeep"
	"upkeep/cmd/upkeep/console"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

type backupVerifyOptions struct {
	Deep   bool
	Format string
}

func newBackupVerifyCommand(e *console.Env) *cobra.Command {
	var opts backupVerifyOptions
	cmd := e.Command("backup.verify", "verify <id>", console.PlainExits)
	cmd.Flags().BoolVar(&opts.Deep, "deep", false, e.Text("flag.deep"))
	e.TextFormat(cmd.Flags(), &opts.Format)
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, args []string) error {
		id, err := console.ParseID[upkeep.BackupID](e, args[0])
		if err != nil {
			return err
		}
		return runBackupVerify(ctx, e, c, id, opts)
	})
	return cmd
}

func runBackupVerify(ctx context.Context, e *console.Env, c web.Backups, id upkeep.BackupID, opts backupVerifyOptions) error {
	check, err := console.Working(e, func(progress func(upkeep.Progress)) (*web.BackupCheck, error) {
		return c.VerifyBackup(ctx, e.Actor(), id, opts.Deep, progress)
	})
	if err != nil {
		return err
	}
	status := console.ExitDone
	if !check.OK {
		status = console.ExitFailed
	}
	if opts.Format == "json" {
		if err := terminal.JSON(e.Stdout, check); err != nil {
			return err
		}
		return console.Ended(status)
	}
	field := terminal.Field{Label: e.Text("record.backup", "id", id), Value: e.Text("backup.good", "bytes", e.Texts.Bytes(check.Read)), Paint: terminal.Good}
	if !check.OK {
		field.Value, field.Paint = e.Text("backup.bad", "count", len(check.Problems)), terminal.Bad
	}
	fields := []terminal.Field{field}
	for _, p := range check.Problems {
		fields = append(fields, terminal.Field{Value: p, Paint: terminal.Bad})
	}
	if err := e.Out.Fields("", fields); err != nil {
		return err
	}
	return console.Ended(status)
}
