package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"upkeep"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

type updateListOptions struct {
	Cached   bool
	Security bool
	Format   string
}

func newUpdateListCommand(e *env) *cobra.Command {
	var opts updateListOptions
	cmd := e.command("update.list", "list [site...]", plainExits)
	cmd.ValidArgsFunction = e.completeSite
	cmd.Flags().BoolVar(&opts.Cached, "cached", false, e.text("flag.cached"))
	cmd.Flags().BoolVar(&opts.Security, "security", false, e.text("flag.security"))
	e.listFormat(cmd.Flags(), &opts.Format)
	cmd.RunE = e.calling(func(ctx context.Context, c *web.Client, args []string) error {
		return runUpdateList(ctx, e, c, args, opts)
	})
	return cmd
}

// siteUpdate is an update with its site, as lists of several sites need it.
type siteUpdate struct {
	Site string `json:"site"`
	upkeep.Update
}

func runUpdateList(ctx context.Context, e *env, c *web.Client, names []string, opts updateListOptions) error {
	names, err := namesOrAll(ctx, c, names)
	if err != nil {
		return err
	}
	var all []siteUpdate
	var notes []terminal.Field
	for _, name := range names {
		list, err := c.Updates(ctx, name, !opts.Cached)
		if err != nil {
			return fmt.Errorf("site %s: %w", name, err)
		}
		for _, u := range list.Updates {
			if !opts.Security || u.Security {
				all = append(all, siteUpdate{name, u})
			}
		}
		notes = append(notes, e.updateNotes(list)...)
	}
	if all == nil {
		all = []siteUpdate{} // [] in JSON
	}
	if err := e.siteUpdateList(len(names) > 1).Write(e.out, opts.Format, all); err != nil || opts.Format != "table" {
		return err
	}
	if len(notes) > 0 {
		fmt.Fprintln(e.stdout)
	}
	return e.out.Fields("", notes)
}

func namesOrAll(ctx context.Context, sites web.Sites, names []string) ([]string, error) {
	if len(names) > 0 {
		return names, nil
	}
	all, err := sites.Sites(ctx)
	for i := range all {
		names = append(names, all[i].Name)
	}
	return names, err
}

// siteUpdateList is the list of updates, with the site where there are
// several; machines always get it.
func (e *env) siteUpdateList(several bool) *terminal.List[siteUpdate] {
	list := &terminal.List[siteUpdate]{
		Empty: e.text("update.none"),
		ID:    func(u *siteUpdate) string { return u.Ref() },
	}
	list.Columns = append(list.Columns, terminal.Column[siteUpdate]{
		Title: e.text("col.site"), Name: "site", Hide: !several, Wrap: true, Cell: func(u *siteUpdate) string { return u.Site },
	})
	for _, c := range e.updateList().Columns {
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
	return list
}

// updateNotes says how old the answer is, and what does not agree.
func (e *env) updateNotes(list *web.UpdateList) []terminal.Field {
	notes := []terminal.Field{{Label: list.Site, Value: e.text("update.checked", "when", e.out.Since(list.Checked))}}
	if len(list.Offline) > 0 {
		notes = append(notes, terminal.Field{Value: e.text("update.offline", "publishers", strings.Join(list.Offline, ", ")), Paint: terminal.Warn})
	}
	return append(notes, e.findings(list.Findings)...)
}
