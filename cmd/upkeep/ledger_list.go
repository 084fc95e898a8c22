package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

type ledgerListOptions struct {
	Site   string
	After  int64
	Limit  int
	Format string
}

func (o *ledgerListOptions) AddFlags(e *env, f *pflag.FlagSet) {
	f.StringVar(&o.Site, "site", "", e.text("flag.site"))
	f.Int64Var(&o.After, "after", 0, e.text("flag.after"))
	f.IntVar(&o.Limit, "limit", 50, e.text("flag.limit"))
	e.listFormat(f, &o.Format)
}

func newLedgerListCommand(e *env) *cobra.Command {
	var opts ledgerListOptions
	cmd := e.command("ledger.list", "list", plainExits)
	opts.AddFlags(e, cmd.Flags())
	cmd.RunE = e.calling(func(ctx context.Context, c *web.Client, _ []string) error {
		return runLedgerList(ctx, e, c, opts)
	})
	return cmd
}

func runLedgerList(ctx context.Context, e *env, c web.Ledger, opts ledgerListOptions) error {
	if opts.Limit < 0 || opts.After < 0 {
		return usagef("%s", e.text("usage.negative", "flag", "--limit, --after", "value", min(int64(opts.Limit), opts.After)))
	}
	entries, err := c.Entries(ctx, web.LedgerFilter{Site: opts.Site, After: opts.After, Limit: opts.Limit})
	if err != nil {
		return err
	}
	type l = web.LedgerEntry
	list := terminal.List[l]{
		Empty: e.text("ledger.none"),
		ID:    func(x *l) string { return strconv.FormatInt(x.Seq, 10) },
		Columns: []terminal.Column[l]{
			{Title: e.text("col.seq"), Name: "seq", Right: true, Cell: func(x *l) string { return strconv.FormatInt(x.Seq, 10) }},
			{Title: e.text("col.at"), Name: "at", Cell: func(x *l) string { return terminal.Instant(x.At) },
				Raw: func(x *l) string { return rfc3339(x.At) }},
			{Title: e.text("col.site"), Name: "site", Cell: func(x *l) string { return x.SiteName }},
			{Title: e.text("col.what"), Name: "kind", Cell: func(x *l) string { return e.texts.Code("ledger", x.Kind, nil) },
				Raw: func(x *l) string { return x.Kind }},
			{Title: e.text("col.facts"), Name: "facts", Wrap: true, Cell: facts},
			{Title: e.text("col.actor"), Name: "actor", Wrap: true, Cell: func(x *l) string { return x.Actor }},
		},
	}
	return list.Write(e.out, opts.Format, entries)
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
