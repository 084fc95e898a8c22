package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"upkeep"
	"upkeep/cmd/upkeep/console"
	"upkeep/cmd/upkeep/show"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

type interventionListOptions struct {
	Site   string
	State  string
	Limit  int
	Format string
}

func (o *interventionListOptions) AddFlags(e *console.Env, f *pflag.FlagSet) {
	f.StringVar(&o.Site, "site", "", e.Text("flag.site"))
	f.Var(console.OneOf(&o.State, states()), "in", e.Text("flag.state_is"))
	f.IntVar(&o.Limit, "limit", 50, e.Text("flag.limit"))
	e.ListFormat(f, &o.Format)
}

// states are the words for --in.
func states() []string {
	var names []string
	for _, s := range []upkeep.State{
		upkeep.Planned, upkeep.Preparing, upkeep.Freezing, upkeep.Securing, upkeep.Applying, upkeep.Verifying, upkeep.Undoing,
		upkeep.Thawing, upkeep.Concluding, upkeep.Done, upkeep.Partial, upkeep.Undone, upkeep.Failed, upkeep.Cancelled, upkeep.Incident,
	} {
		names = append(names, string(s))
	}
	return names
}

func newInterventionListCommand(e *console.Env) *cobra.Command {
	var opts interventionListOptions
	cmd := e.Command("intervention.list", "list", console.PlainExits)
	opts.AddFlags(e, cmd.Flags())
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, _ []string) error {
		return runInterventionList(ctx, e, c, opts)
	})
	return cmd
}

func runInterventionList(ctx context.Context, e *console.Env, c web.Interventions, opts interventionListOptions) error {
	if opts.Limit < 0 {
		return console.Usagef("%s", e.Text("usage.negative", "flag", "--limit", "value", opts.Limit))
	}
	records, err := c.Interventions(ctx, web.InterventionFilter{Site: opts.Site, State: upkeep.State(opts.State), Limit: opts.Limit})
	if err != nil {
		return err
	}
	type r = web.Record
	list := terminal.List[r]{
		Empty: e.Text("intervention.none"),
		ID:    func(x *r) string { return x.ID.String() },
		Columns: []terminal.Column[r]{
			{Title: e.Text("col.id"), Name: "id", Right: true, Cell: func(x *r) string { return x.ID.String() }},
			{Title: e.Text("col.site"), Name: "site", Cell: func(x *r) string { return x.SiteName }},
			{Title: e.Text("col.state"), Name: "state", Paint: func(x *r) terminal.Paint { return terminal.StateIn(x.State) },
				Cell: func(x *r) string { return e.Texts.Code("state", string(x.State), nil) },
				Raw:  func(x *r) string { return string(x.State) }},
			{Title: e.Text("col.created"), Name: "created", Cell: func(x *r) string { return terminal.Instant(x.Created) },
				Raw: func(x *r) string { return show.Instant(x.Created) }},
			{Title: e.Text("col.updates"), Name: "updates", Right: true, Cell: func(x *r) string { return strconv.Itoa(updatesIn(x)) }},
			{Title: e.Text("col.frozen"), Name: "frozen", Right: true, Cell: func(x *r) string { return e.Texts.Span(x.Frozen(e.Clock())) },
				Raw: func(x *r) string { return x.Frozen(e.Clock()).String() }},
			{Title: e.Text("col.requester"), Name: "requester", Wrap: true, Cell: func(x *r) string { return x.Requester }},
		},
	}
	return list.Write(e.Out, opts.Format, records)
}

func updatesIn(r *web.Record) int {
	count := 0
	for _, b := range r.Batches {
		count += len(b.Updates)
	}
	return count
}
