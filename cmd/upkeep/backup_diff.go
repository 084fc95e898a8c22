package main

import (
	"context"

	"github.com/spf13/cobra"

	"upkeep"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

func newBackupDiffCommand(e *env) *cobra.Command {
	var format string
	cmd := e.command("backup.diff", "diff <id> [other-id]", plainExits)
	e.listFormat(cmd.Flags(), &format)
	cmd.RunE = e.calling(func(ctx context.Context, c *web.Client, args []string) error {
		ids := [2]upkeep.BackupID{}
		for i, word := range args {
			id, err := parseID[upkeep.BackupID](e, word)
			if err != nil {
				return err
			}
			ids[i] = id
		}
		return runBackupDiff(ctx, e, c, ids, format)
	})
	return cmd
}

// runBackupDiff lists what changed from the first backup to the second, or to
// the site as it is now.
func runBackupDiff(ctx context.Context, e *env, c web.Backups, ids [2]upkeep.BackupID, format string) error {
	differences, err := c.DiffBackup(ctx, ids[0], ids[1])
	if err != nil {
		return err
	}
	return e.differenceList().Write(e.out, format, differences)
}

func (e *env) differenceList() *terminal.List[upkeep.Difference] {
	type d = upkeep.Difference
	return &terminal.List[d]{
		Empty: e.text("backup.identical"),
		ID:    func(x *d) string { return x.Path },
		Columns: []terminal.Column[d]{
			{Title: e.text("col.change"), Name: "change", Cell: func(x *d) string { return e.texts.Code("change", x.Change, nil) },
				Raw: func(x *d) string { return x.Change }},
			{Title: e.text("col.path"), Name: "path", Wrap: true, Cell: func(x *d) string { return x.Path }},
		},
	}
}
