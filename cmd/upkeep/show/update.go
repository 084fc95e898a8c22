package show

import (
	"strconv"
	"strings"

	"upkeep"
	"upkeep/cmd/upkeep/console"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

// Batches lists what goes together, in order.
func Batches(e *console.Env, screen *terminal.Screen, batches []upkeep.Batch) error {
	var updates []upkeep.Update
	for _, b := range batches {
		for _, u := range b.Updates {
			u.Batch = b.Number
			updates = append(updates, u)
		}
	}
	list := Updates(e)
	return list.Write(screen, "table", updates)
}

// Updates is how updates are listed.
func Updates(e *console.Env) *terminal.List[upkeep.Update] {
	type u = upkeep.Update
	return &terminal.List[u]{
		Empty: e.Text("update.none"),
		ID:    (*u).Ref,
		Columns: []terminal.Column[u]{
			{Title: e.Text("col.component"), Name: "ref", Wrap: true, Cell: (*u).Ref},
			{Title: e.Text("col.from"), Name: "from", Cell: func(x *u) string { return string(x.Component.Version) }},
			{Title: e.Text("col.to"), Name: "to", Cell: func(x *u) string { return string(x.Release.Version) }},
			{Title: e.Text("col.batch"), Name: "batch", Right: true, Cell: func(x *u) string { return batchNumber(x.Batch) }},
			{Title: e.Text("col.decision"), Name: "disposition", Paint: decisionPaint, Cell: func(x *u) string { return decision(e, x) },
				Raw: func(x *u) string { return string(x.Disposition) }},
			{Title: e.Text("col.why"), Name: "reasons", Wrap: true, Cell: func(x *u) string { return Reasons(e, x.Reasons) },
				Raw: func(x *u) string { return ReasonCodes(x.Reasons) }},
		},
	}
}

// decision says what is to become of an update; a security update that is
// ready is just called that.
func decision(e *console.Env, u *upkeep.Update) string {
	switch text := e.Texts.Code("disposition", string(u.Disposition), nil); {
	case !u.Security:
		return text
	case u.Disposition == upkeep.Ready:
		return e.Text("update.security")
	default:
		return text + ", " + e.Text("update.security")
	}
}

// Reasons says reasons in one line.
func Reasons(e *console.Env, reasons []upkeep.Reason) string {
	texts := make([]string, len(reasons))
	for i, r := range reasons {
		texts[i] = e.Out.Reason(r)
	}
	return strings.Join(texts, e.Text("list.separator"))
}

// Record writes the record of an intervention.
func Record(e *console.Env, record *web.Record, format string) error {
	if format == "json" {
		return terminal.JSON(e.Stdout, record)
	}
	return e.Out.Record(&terminal.Record{
		Intervention: &record.Intervention,
		Site:         record.SiteName,
		Before:       record.BeforeBackup,
		After:        record.AfterBackup,
		Holds:        record.Holds,
		Tasks:        record.Tasks,
	})
}

func batchNumber(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func decisionPaint(u *upkeep.Update) terminal.Paint {
	switch {
	case u.Disposition != upkeep.Ready:
		return terminal.Warn
	case u.Security:
		return terminal.Bad
	}
	return terminal.Good
}

// ReasonCodes writes reasons for machines.
func ReasonCodes(reasons []upkeep.Reason) string {
	codes := make([]string, len(reasons))
	for i, r := range reasons {
		codes[i] = r.Code
	}
	return strings.Join(codes, " ")
}
