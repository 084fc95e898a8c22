package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"upkeep"
	"upkeep/cmd/upkeep/console"
	"upkeep/cmd/upkeep/show"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

type updateListOptions struct {
	Cached   bool
	Security bool
	Format   string
}

func newUpdateListCommand(e *console.Env) *cobra.Command {
	var opts updateListOptions
	cmd := e.Command("update.list", "list [site...]", console.PlainExits)
	cmd.ValidArgsFunction = e.CompleteSite
	cmd.Flags().BoolVar(&opts.Cached, "cached", false, e.Text("flag.cached"))
	cmd.Flags().BoolVar(&opts.Security, "security", false, e.Text("flag.security"))
	e.ListFormat(cmd.Flags(), &opts.Format)
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, args []string) error {
		return runUpdateList(ctx, e, c, args, opts)
	})
	return cmd
}

// newUpdateProposeCommand writes nothing but the patch, for a file or a program.
func newUpdateProposeCommand(e *console.Env) *cobra.Command {
	cmd := e.Command("update.propose", "propose <site>", console.PlainExits)
	cmd.ValidArgsFunction = e.CompleteSite
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, args []string) error {
		proposal, err := c.ProposeUpdates(ctx, e.Actor(), args[0])
		if err == nil {
			_, err = fmt.Fprint(e.Stdout, proposal.Text)
		}
		return err
	})
	return cmd
}

// siteUpdate is an update with its site, as lists of several sites need it.
type siteUpdate struct {
	Site string `json:"site"`
	upkeep.Update
	Confidence *upkeep.Confidence `json:"confidence,omitempty"`
}

func runUpdateList(ctx context.Context, e *console.Env, c *web.Client, names []string, opts updateListOptions) error {
	names, err := console.NamesOrAll(ctx, c, names)
	if err != nil {
		return err
	}
	var all []siteUpdate
	var notes []terminal.Field
	for _, name := range names {
		list, err := c.Updates(ctx, name, !opts.Cached)
		if err != nil {
			return upkeep.Causef("site %s: %w", name, err)
		}
		for _, u := range list.Updates {
			if !opts.Security || u.Security {
				all = append(all, siteUpdate{name, u, confidenceIn(list, &u)})
			}
		}
		notes = append(notes, updateNotes(e, list)...)
	}
	if all == nil {
		all = []siteUpdate{} // [] in JSON
	}
	if err := siteUpdateList(e, len(names) > 1).Write(e.Out, opts.Format, all); err != nil || opts.Format != "table" {
		return err
	}
	if len(notes) > 0 {
		fmt.Fprintln(e.Stdout)
	}
	return e.Out.Fields("", notes)
}

// confidenceIn is what a list knows of the release of an update, nil for nothing.
func confidenceIn(list *web.UpdateList, u *upkeep.Update) *upkeep.Confidence {
	for i := range list.Confidence {
		if c := &list.Confidence[i]; c.Component == u.Ref() && c.Version == u.Release.Version {
			return c
		}
	}
	return nil
}

// siteUpdateList is the list of updates, with the site where there are
// several; machines always get it.
func siteUpdateList(e *console.Env, several bool) *terminal.List[siteUpdate] {
	list := &terminal.List[siteUpdate]{
		Empty: e.Text("update.none"),
		ID:    func(u *siteUpdate) string { return u.Ref() },
	}
	list.Columns = append(list.Columns, terminal.Column[siteUpdate]{
		Title: e.Text("col.site"), Name: "site", Hide: !several, Wrap: true, Cell: func(u *siteUpdate) string { return u.Site },
	})
	for _, c := range show.Updates(e).Columns {
		column := terminal.Column[siteUpdate]{Title: c.Title, Name: c.Name, Right: c.Right, Wrap: c.Wrap,
			Cell: func(u *siteUpdate) string { return c.Cell(&u.Update) }}
		if c.Raw != nil {
			column.Raw = func(u *siteUpdate) string { return c.Raw(&u.Update) }
		}
		if c.Paint != nil {
			column.Paint = func(u *siteUpdate) terminal.Paint { return c.Paint(&u.Update) }
		}
		list.Columns = append(list.Columns, column)
	}
	list.Columns = append(list.Columns, terminal.Column[siteUpdate]{
		Title: e.Text("col.confidence"), Name: "confidence", Wrap: true, Cell: func(u *siteUpdate) string { return show.Confidence(e, u.Confidence) },
		Raw: func(u *siteUpdate) string { return show.Trials(u.Confidence) },
	})
	return list
}

// updateNotes says how old the answer is, and what does not agree.
func updateNotes(e *console.Env, list *web.UpdateList) []terminal.Field {
	notes := []terminal.Field{{Label: list.Site, Value: e.Text("update.checked", "when", e.Out.Since(list.Checked))}}
	if len(list.Offline) > 0 {
		notes = append(notes, terminal.Field{Value: e.Text("update.offline", "publishers", strings.Join(list.Offline, ", ")), Paint: terminal.Warn})
	}
	return append(notes, show.Findings(e, list.Findings)...)
}
