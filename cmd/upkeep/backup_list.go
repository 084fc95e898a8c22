package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

func newBackupListCommand(e *env) *cobra.Command {
	var format string
	cmd := e.command("backup.list", "list [site]", plainExits)
	cmd.ValidArgsFunction = e.completeSite
	e.listFormat(cmd.Flags(), &format)
	cmd.RunE = e.calling(func(ctx context.Context, c *web.Client, args []string) error {
		site := ""
		if len(args) > 0 {
			site = args[0]
		}
		return runBackupList(ctx, e, c, site, format)
	})
	return cmd
}

func runBackupList(ctx context.Context, e *env, c web.Backups, site, format string) error {
	backups, err := c.Backups(ctx, site)
	if err != nil {
		return err
	}
	return e.backupList(site == "").Write(e.out, format, backups)
}

// backupList is how backups are listed; several says that they are of several
// sites.
func (e *env) backupList(several bool) *terminal.List[web.Backup] {
	type b = web.Backup
	return &terminal.List[b]{
		Empty: e.text("backup.none"),
		ID:    func(x *b) string { return x.ID.String() },
		Columns: []terminal.Column[b]{
			{Title: e.text("col.id"), Name: "id", Right: true, Cell: func(x *b) string { return x.ID.String() }},
			{Title: e.text("col.site"), Name: "site", Wrap: true, Hide: !several, Cell: func(x *b) string { return x.SiteName }},
			{Title: e.text("col.taken"), Name: "taken", Cell: func(x *b) string { return terminal.Instant(x.Taken) },
				Raw: func(x *b) string { return rfc3339(x.Taken) }},
			{Title: e.text("col.moment"), Name: "moment", Cell: func(x *b) string { return e.texts.Code("moment", string(x.Moment), nil) },
				Raw: func(x *b) string { return string(x.Moment) }},
			{Title: e.text("col.size"), Name: "bytes", Right: true, Cell: func(x *b) string { return e.texts.Bytes(x.Bytes) },
				Raw: func(x *b) string { return strconv.FormatInt(x.Bytes, 10) }},
			{Title: e.text("col.added"), Name: "added", Right: true, Cell: func(x *b) string { return e.texts.Bytes(x.Added) },
				Raw: func(x *b) string { return strconv.FormatInt(x.Added, 10) }},
			{Title: e.text("col.quality"), Name: "verified", Paint: qualityPaint, Cell: func(x *b) string { return e.quality(x) },
				Raw: func(x *b) string { return rfc3339(x.Verified) }},
			{Title: e.text("col.note"), Name: "note", Wrap: true, Cell: func(x *b) string { return x.Note }},
		},
	}
}

// quality says whether a backup counts.
func (e *env) quality(b *web.Backup) string {
	switch {
	case !b.Complete:
		return e.text("record.incomplete")
	case b.Verified.IsZero():
		return e.text("record.unverified")
	}
	return e.text("record.verified")
}

func qualityPaint(b *web.Backup) terminal.Paint {
	if b.Complete && !b.Verified.IsZero() {
		return terminal.Good
	}
	return terminal.Bad
}
