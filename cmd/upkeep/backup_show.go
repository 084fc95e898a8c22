package main

import (
	"context"

	"github.com/spf13/cobra"

	"upkeep"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

func newBackupShowCommand(e *env) *cobra.Command {
	var format string
	cmd := e.command("backup.show", "show <id>", plainExits)
	e.textFormat(cmd.Flags(), &format)
	cmd.RunE = e.calling(func(ctx context.Context, c *web.Client, args []string) error {
		id, err := parseID[upkeep.BackupID](e, args[0])
		if err != nil {
			return err
		}
		return runBackupShow(ctx, e, c, id, format)
	})
	return cmd
}

func runBackupShow(ctx context.Context, e *env, c web.Backups, id upkeep.BackupID, format string) error {
	backup, err := c.Backup(ctx, id)
	if err != nil {
		return err
	}
	return e.showBackup(backup, format)
}

func (e *env) showBackup(b *web.Backup, format string) error {
	if format == "json" {
		return terminal.JSON(e.stdout, b)
	}
	taken := terminal.Instant(b.Taken)
	if b.Frozen {
		taken += " · " + e.text("backup.frozen")
	}
	quality := e.quality(b)
	if !b.Verified.IsZero() {
		quality += " · " + terminal.Instant(b.Verified)
	}
	fields := []terminal.Field{
		{Label: e.text("col.id"), Value: b.ID.String(), Paint: terminal.Bold},
		{Label: e.text("col.site"), Value: b.SiteName},
		{Label: e.text("col.moment"), Value: e.texts.Code("moment", string(b.Moment), nil)},
		{Label: e.text("col.taken"), Value: taken},
		{Label: e.text("col.content"), Value: e.text("record.files", "count", b.Files) + " · " + e.text("record.tables", "count", b.Tables)},
		{Label: e.text("col.size"), Value: e.texts.Bytes(b.Bytes) + e.text("record.added", "bytes", e.texts.Bytes(b.Added))},
		{Label: e.text("col.quality"), Value: quality, Paint: qualityPaint(b)},
		{Label: e.text("col.snapshot"), Value: b.Snapshot},
		{Label: e.text("col.manifest"), Value: b.Manifest},
		{Label: e.text("col.note"), Value: b.Note},
	}
	if b.Intervention > 0 {
		fields = append(fields, terminal.Field{Label: e.text("col.intervention"), Value: b.Intervention.String()})
	}
	return e.out.Fields("", fields)
}
