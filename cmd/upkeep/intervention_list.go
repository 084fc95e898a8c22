package main

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"upkeep"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

type interventionListOptions struct {
	Site   string
	State  string
	Limit  int
	Format string
}

func (o *interventionListOptions) AddFlags(e *env, f *pflag.FlagSet) {
	f.StringVar(&o.Site, "site", "", e.text("flag.site"))
	f.Var(choice{&o.State, states()}, "in", e.text("flag.state_is"))
	f.IntVar(&o.Limit, "limit", 50, e.text("flag.limit"))
	e.listFormat(f, &o.Format)
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

func newInterventionListCommand(e *env) *cobra.Command {
	var opts interventionListOptions
	cmd := e.command("intervention.list", "list", plainExits)
	opts.AddFlags(e, cmd.Flags())
	cmd.RunE = e.calling(func(ctx context.Context, c *web.Client, _ []string) error {
		return runInterventionList(ctx, e, c, opts)
	})
	return cmd
}

func runInterventionList(ctx context.Context, e *env, c web.Interventions, opts interventionListOptions) error {
	if opts.Limit < 0 {
		return usagef("%s", e.text("usage.negative", "flag", "--limit", "value", opts.Limit))
	}
	records, err := c.Interventions(ctx, web.InterventionFilter{Site: opts.Site, State: upkeep.State(opts.State), Limit: opts.Limit})
	if err != nil {
		return err
	}
	type r = web.Record
	list := terminal.List[r]{
		Empty: e.text("intervention.none"),
		ID:    func(x *r) string { return x.ID.String() },
		Columns: []terminal.Column[r]{
			{Title: e.text("col.id"), Name: "id", Right: true, Cell: func(x *r) string { return x.ID.String() }},
			{Title: e.text("col.site"), Name: "site", Cell: func(x *r) string { return x.SiteName }},
			{Title: e.text("col.state"), Name: "state", Paint: func(x *r) terminal.Paint { return terminal.StateIn(x.State) },
				Cell: func(x *r) string { return e.texts.Code("state", string(x.State), nil) },
				Raw:  func(x *r) string { return string(x.State) }},
			{Title: e.text("col.created"), Name: "created", Cell: func(x *r) string { return terminal.Instant(x.Created) },
				Raw: func(x *r) string { return rfc3339(x.Created) }},
			{Title: e.text("col.updates"), Name: "updates", Right: true, Cell: func(x *r) string { return itoa(updatesIn(x)) }},
			{Title: e.text("col.frozen"), Name: "frozen", Right: true, Cell: func(x *r) string { return e.texts.Span(x.Frozen(e.clock())) },
				Raw: func(x *r) string { return x.Frozen(e.clock()).String() }},
			{Title: e.text("col.requester"), Name: "requester", Wrap: true, Cell: func(x *r) string { return x.Requester }},
		},
	}
	return list.Write(e.out, opts.Format, records)
}

func updatesIn(r *web.Record) int {
	count := 0
	for _, b := range r.Batches {
		count += len(b.Updates)
	}
	return count
}
