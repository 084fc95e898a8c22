package planning

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"upkeep"
	"upkeep/cmd/upkeep/console"
	"upkeep/cmd/upkeep/show"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

// NewSchedule returns the commands about what comes.
func NewSchedule(e *console.Env) *cobra.Command {
	return e.Noun("schedule", "schedule", newScheduleShow(e), newScheduleExport(e))
}

// week is how many days --week looks ahead.
const week = 7

func newScheduleShow(e *console.Env) *cobra.Command {
	var filter web.ScheduleFilter
	var ahead bool
	var format string
	cmd := e.Command("schedule.show", "show", console.PlainExits)
	cmd.Flags().StringVar(&filter.Site, "site", "", e.Text("flag.site"))
	cmd.Flags().BoolVar(&ahead, "week", false, e.Text("flag.week"))
	e.TextFormat(cmd.Flags(), &format)
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, _ []string) error {
		if ahead {
			filter.Days = week
		}
		found, err := c.Schedule(ctx, filter)
		if err != nil {
			return err
		}
		return showSchedule(e, found, filter, format)
	})
	return cmd
}

func showSchedule(e *console.Env, found *web.Schedule, filter web.ScheduleFilter, format string) error {
	if format == "json" {
		return terminal.JSON(e.Stdout, found)
	}
	if found.Hold != nil {
		if err := e.Out.Fields("", []terminal.Field{holdField(e, found.Hold)}); err != nil {
			return err
		}
	}
	switch {
	case filter.Days > 0:
		return entryList(e).Write(e.Out, "table", entries(e, found))
	case filter.Site != "":
		return showSiteTurn(e, &found.Sites[0])
	}
	return siteTurnList(e).Write(e.Out, "table", found.Sites)
}

func holdField(e *console.Env, h *upkeep.FleetHold) terminal.Field {
	return terminal.Field{Label: e.Text("col.fleet"), Paint: terminal.Warn,
		Value: e.Text("fleet.held", "since", terminal.Instant(h.Since), "who", h.Actor, "because", orDash(h.Because))}
}

func siteTurnList(e *console.Env) *terminal.List[web.SiteTurn] {
	type s = web.SiteTurn
	return &terminal.List[s]{
		Empty: e.Text("site.none"),
		ID:    func(x *s) string { return x.Site },
		Columns: []terminal.Column[s]{
			{Title: e.Text("col.site"), Name: "site", Cell: func(x *s) string { return x.Site }},
			{Title: e.Text("col.next"), Name: "at", Paint: turnPaint, Cell: func(x *s) string { return terminal.Instant(x.At) }},
			{Title: e.Text("col.updates"), Name: "updates", Right: true, Cell: func(x *s) string { return strconv.Itoa(len(x.Refs)) }},
			{Title: e.Text("col.plan"), Name: "plan", Cell: func(x *s) string { return orDash(x.Plan) }},
			{Title: e.Text("col.client"), Name: "client", Cell: func(x *s) string { return orDash(x.Client) }},
			{Title: e.Text("col.why"), Name: "reasons", Wrap: true, Cell: func(x *s) string { return show.Reasons(e, x.Reasons) }},
		},
	}
}

func turnPaint(x *web.SiteTurn) terminal.Paint {
	switch {
	case x.Security:
		return terminal.Bad
	case x.At.IsZero() && len(x.Turns) > 0:
		return terminal.Warn
	}
	return terminal.Plain
}

func showSiteTurn(e *console.Env, x *web.SiteTurn) error {
	fields := []terminal.Field{
		{Label: e.Text("col.site"), Value: x.Site, Paint: terminal.Bold},
		{Label: e.Text("col.plan"), Value: orDash(x.Plan)},
		{Label: e.Text("col.client"), Value: orDash(x.Client)},
		{Label: e.Text("col.next"), Value: terminal.Instant(x.At), Paint: turnPaint(x)},
		{Label: e.Text("col.why"), Value: show.Reasons(e, x.Reasons)},
	}
	if !x.Deadline.IsZero() {
		fields = append(fields, terminal.Field{Label: e.Text("col.deadline"), Value: terminal.Instant(x.Deadline)})
	}
	if err := e.Out.Fields("", fields); err != nil || len(x.Turns) == 0 {
		return err
	}
	return turnList(e).Write(e.Out, "table", x.Turns)
}

func turnList(e *console.Env) *terminal.List[upkeep.Turn] {
	type t = upkeep.Turn
	return &terminal.List[t]{
		Empty: e.Text("update.none"),
		ID:    func(x *t) string { return x.Ref },
		Columns: []terminal.Column[t]{
			{Title: e.Text("col.component"), Name: "ref", Wrap: true, Cell: func(x *t) string { return x.Ref }},
			{Title: e.Text("col.to"), Name: "version", Cell: func(x *t) string { return string(x.Version) }},
			{Title: e.Text("col.next"), Name: "at", Cell: func(x *t) string { return terminal.Instant(x.At) }},
			{Title: e.Text("col.deadline"), Name: "deadline", Cell: func(x *t) string { return terminal.Instant(x.Deadline) }},
			{Title: e.Text("col.why"), Name: "reasons", Wrap: true, Cell: func(x *t) string { return show.Reasons(e, x.Reasons) }},
		},
	}
}

// entry is a line of the days to come: a window, closed dates or an
// intervention.
type entry struct {
	from, to          time.Time
	what, whose, note string
	paint             terminal.Paint
}

// entries are the windows and interventions of a schedule, by their beginning.
func entries(e *console.Env, found *web.Schedule) []entry {
	var all []entry
	for _, slot := range found.Slots {
		all = append(all, entry{slot.Start, slot.End, kindOf(e, slot.Window), whose(e, slot.Window), slot.Window.Note, windowPaint(slot.Window)})
	}
	for i := range found.Sites {
		if turn := &found.Sites[i]; !turn.At.IsZero() && turn.At.Before(found.To) {
			all = append(all, entry{turn.At, turn.Until, e.Text("schedule.intervention", "count", len(turn.Refs)), turn.Site,
				show.Reasons(e, turn.Reasons), terminal.Bold})
		}
	}
	slices.SortStableFunc(all, func(a, b entry) int { return cmp.Or(a.from.Compare(b.from), cmp.Compare(a.whose, b.whose)) })
	return all
}

func entryList(e *console.Env) *terminal.List[entry] {
	return &terminal.List[entry]{
		Empty: e.Text("schedule.none"),
		ID:    func(x *entry) string { return x.whose },
		Columns: []terminal.Column[entry]{
			{Title: e.Text("col.from"), Name: "from", Cell: func(x *entry) string { return terminal.Instant(x.from) }},
			{Title: e.Text("col.to"), Name: "to", Cell: func(x *entry) string { return terminal.Instant(x.to) }},
			{Title: e.Text("col.what"), Name: "what", Paint: func(x *entry) terminal.Paint { return x.paint }, Cell: func(x *entry) string { return x.what }},
			{Title: e.Text("col.for"), Name: "for", Cell: func(x *entry) string { return x.whose }},
			{Title: e.Text("col.note"), Name: "note", Wrap: true, Cell: func(x *entry) string { return x.note }},
		},
	}
}
