// Package show lays out for people and for programs what several commands
// show: backups, sites, updates and the record of an intervention.
package show

import (
	"strconv"

	"upkeep"
	"upkeep/cmd/upkeep/console"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

// Backups is how backups are listed; several says that they are of several
// sites.
func Backups(e *console.Env, several bool) *terminal.List[web.Backup] {
	type b = web.Backup
	return &terminal.List[b]{
		Empty: e.Text("backup.none"),
		ID:    func(x *b) string { return x.ID.String() },
		Columns: []terminal.Column[b]{
			{Title: e.Text("col.id"), Name: "id", Right: true, Cell: func(x *b) string { return x.ID.String() }},
			{Title: e.Text("col.site"), Name: "site", Wrap: true, Hide: !several, Cell: func(x *b) string { return x.SiteName }},
			{Title: e.Text("col.taken"), Name: "taken", Cell: func(x *b) string { return terminal.Instant(x.Taken) },
				Raw: func(x *b) string { return Instant(x.Taken) }},
			{Title: e.Text("col.moment"), Name: "moment", Cell: func(x *b) string { return e.Texts.Code("moment", string(x.Moment), nil) },
				Raw: func(x *b) string { return string(x.Moment) }},
			{Title: e.Text("col.size"), Name: "bytes", Right: true, Cell: func(x *b) string { return e.Texts.Bytes(x.Bytes) },
				Raw: func(x *b) string { return strconv.FormatInt(x.Bytes, 10) }},
			{Title: e.Text("col.added"), Name: "added", Right: true, Cell: func(x *b) string { return e.Texts.Bytes(x.Added) },
				Raw: func(x *b) string { return strconv.FormatInt(x.Added, 10) }},
			{Title: e.Text("col.quality"), Name: "verified", Paint: qualityPaint, Cell: func(x *b) string { return quality(e, x) },
				Raw: func(x *b) string { return Instant(x.Verified) }},
			{Title: e.Text("col.note"), Name: "note", Wrap: true, Cell: func(x *b) string { return x.Note }},
		},
	}
}

// quality says whether a backup counts.
func quality(e *console.Env, b *web.Backup) string {
	switch {
	case !b.Complete:
		return e.Text("record.incomplete")
	case b.Verified.IsZero():
		return e.Text("record.unverified")
	}
	return e.Text("record.verified")
}

func qualityPaint(b *web.Backup) terminal.Paint {
	if b.Complete && !b.Verified.IsZero() {
		return terminal.Good
	}
	return terminal.Bad
}

// Backup writes what is known of one backup.
func Backup(e *console.Env, b *web.Backup, format string) error {
	if format == "json" {
		return terminal.JSON(e.Stdout, b)
	}
	taken := terminal.Instant(b.Taken)
	if b.Frozen {
		taken += " · " + e.Text("backup.frozen")
	}
	quality := quality(e, b)
	if !b.Verified.IsZero() {
		quality += " · " + terminal.Instant(b.Verified)
	}
	fields := []terminal.Field{
		{Label: e.Text("col.id"), Value: b.ID.String(), Paint: terminal.Bold},
		{Label: e.Text("col.site"), Value: b.SiteName},
		{Label: e.Text("col.moment"), Value: e.Texts.Code("moment", string(b.Moment), nil)},
		{Label: e.Text("col.taken"), Value: taken},
		{Label: e.Text("col.content"), Value: e.Text("record.files", "count", b.Files) + " · " + e.Text("record.tables", "count", b.Tables)},
		{Label: e.Text("col.size"), Value: e.Texts.Bytes(b.Bytes) + e.Text("record.added", "bytes", e.Texts.Bytes(b.Added))},
		{Label: e.Text("col.quality"), Value: quality, Paint: qualityPaint(b)},
		{Label: e.Text("col.snapshot"), Value: b.Snapshot},
		{Label: e.Text("col.manifest"), Value: b.Manifest},
		{Label: e.Text("col.note"), Value: b.Note},
	}
	if b.Intervention > 0 {
		fields = append(fields, terminal.Field{Label: e.Text("col.intervention"), Value: b.Intervention.String()})
	}
	return e.Out.Fields("", fields)
}

// Differences lays out what differs between two backups, or a backup and
// its site.
func Differences(e *console.Env) *terminal.List[upkeep.Difference] {
	type d = upkeep.Difference
	return &terminal.List[d]{
		Empty: e.Text("backup.identical"),
		ID:    func(x *d) string { return x.Path },
		Columns: []terminal.Column[d]{
			{Title: e.Text("col.change"), Name: "change", Cell: func(x *d) string { return e.Texts.Code("change", x.Change, nil) },
				Raw: func(x *d) string { return x.Change }},
			{Title: e.Text("col.path"), Name: "path", Wrap: true, Cell: func(x *d) string { return x.Path }},
		},
	}
}

// Restored writes what a restore did, and ends the command as failed when the
// site is not proven identical.
func Restored(e *console.Env, b *web.Backup, r *web.RestoreResult, format string) error {
	status := console.ExitDone
	if r.Identity != nil && !r.Identity.Proven() {
		status = console.ExitFailed
	}
	if format == "json" {
		if err := terminal.JSON(e.Stdout, r); err != nil {
			return err
		}
		return console.Ended(status)
	}
	where := r.Dir
	if where == "" {
		where = b.SiteName
	}
	fields := []terminal.Field{
		{Label: e.Text("record.backup", "id", r.Backup), Value: e.Text("backup.restored", "where", where), Paint: terminal.Bold},
		{Label: e.Text("col.content"), Value: e.Text("record.files", "count", r.Files) + " · " +
			e.Text("record.tables", "count", r.Tables) + " · " + e.Texts.Bytes(r.Bytes)},
		e.Out.Identity(r.Identity),
	}
	if r.Safety > 0 {
		fields = append(fields, terminal.Field{Label: e.Text("backup.safety"), Value: e.Text("record.backup", "id", r.Safety)})
	}
	if err := e.Out.Fields("", fields); err != nil {
		return err
	}
	return console.Ended(status)
}
