package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"upkeep/cmd/upkeep/console"
	"upkeep/cmd/upkeep/show"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

type ledgerListOptions struct {
	Site   string
	After  int64
	Limit  int
	Format string
}

func (o *ledgerListOptions) AddFlags(e *console.Env, f *pflag.FlagSet) {
	f.StringVar(&o.Site, "site", "", e.Text("flag.site"))
	f.Int64Var(&o.After, "after", 0, e.Text("flag.after"))
	f.IntVar(&o.Limit, "limit", 50, e.Text("flag.limit"))
	e.ListFormat(f, &o.Format)
}

func newLedgerListCommand(e *console.Env) *cobra.Command {
	var opts ledgerListOptions
	cmd := e.Command("ledger.list", "list", console.PlainExits)
	opts.AddFlags(e, cmd.Flags())
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, _ []string) error {
		return runLedgerList(ctx, e, c, opts)
	})
	return cmd
}

func runLedgerList(ctx context.Context, e *console.Env, c web.Ledger, opts ledgerListOptions) error {
	if opts.Limit < 0 {
		return console.Usagef("%s", e.Text("usage.negative", "flag", "--limit", "value", opts.Limit))
	}
	if opts.After < 0 {
		return console.Usagef("%s", e.Text("usage.negative", "flag", "--after", "value", opts.After))
	}
	entries, err := c.Entries(ctx, web.LedgerFilter{Site: opts.Site, After: opts.After, Limit: opts.Limit})
	if err != nil {
		return err
	}
	type l = web.LedgerEntry
	list := terminal.List[l]{
		Empty: e.Text("ledger.none"),
		ID:    func(x *l) string { return strconv.FormatInt(x.Seq, 10) },
		Columns: []terminal.Column[l]{
			{Title: e.Text("col.seq"), Name: "seq", Right: true, Cell: func(x *l) string { return strconv.FormatInt(x.Seq, 10) }},
			{Title: e.Text("col.at"), Name: "at", Cell: func(x *l) string { return terminal.Instant(x.At) },
				Raw: func(x *l) string { return show.Instant(x.At) }},
			{Title: e.Text("col.site"), Name: "site", Cell: func(x *l) string { return x.SiteName }},
			{Title: e.Text("col.what"), Name: "kind", Cell: func(x *l) string { return e.Texts.Code("ledger", x.Kind, nil) },
				Raw: func(x *l) string { return x.Kind }},
			{Title: e.Text("col.facts"), Name: "facts", Wrap: true, Cell: facts},
			{Title: e.Text("col.actor"), Name: "actor", Wrap: true, Cell: func(x *l) string { return x.Actor }},
		},
	}
	return list.Write(e.Out, opts.Format, entries)
}

// facts writes the facts of an entry in a fixed order.
func facts(entry *web.LedgerEntry) string {
	parts := make([]string, 0, len(entry.Facts))
	for name, v := range entry.Facts {
		if f, ok := v.(float64); ok {
			v = strconv.FormatFloat(f, 'f', -1, 64)
		}
		parts = append(parts, fmt.Sprintf("%s=%v", name, v))
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}
