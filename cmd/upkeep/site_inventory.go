package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"upkeep"
	"upkeep/cmd/upkeep/console"
	"upkeep/cmd/upkeep/show"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

func newSiteInventoryCommand(e *console.Env) *cobra.Command {
	var format string
	var cached bool
	cmd := e.Command("site.inventory", "inventory <site>", console.PlainExits)
	cmd.ValidArgsFunction = e.CompleteSite
	cmd.Flags().BoolVar(&cached, "cached", false, e.Text("flag.cached"))
	e.ListFormat(cmd.Flags(), &format)
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, args []string) error {
		return runSiteInventory(ctx, e, c, args[0], !cached, format)
	})
	return cmd
}

func runSiteInventory(ctx context.Context, e *console.Env, c web.Inventories, site string, refresh bool, format string) error {
	inv, err := c.Inventory(ctx, site, refresh)
	if err != nil {
		return err
	}
	if format == "json" {
		return terminal.JSON(e.Stdout, inv)
	}
	list := terminal.List[upkeep.Component]{
		Empty: e.Text("inventory.none"),
		ID:    func(c *upkeep.Component) string { return c.Ref() },
		Columns: []terminal.Column[upkeep.Component]{
			{Title: e.Text("col.component"), Name: "ref", Wrap: true, Cell: func(c *upkeep.Component) string { return c.Ref() }},
			{Title: e.Text("col.name"), Name: "name", Wrap: true, Cell: func(c *upkeep.Component) string { return c.Name }},
			{Title: e.Text("col.version"), Name: "version", Cell: func(c *upkeep.Component) string { return string(c.Version) }},
			{Title: e.Text("col.active"), Name: "active", Cell: func(c *upkeep.Component) string { return active(e, c) },
				Raw: func(c *upkeep.Component) string { return strconv.FormatBool(c.Active || c.Network) }},
		},
	}
	if err := list.Write(e.Out, format, inv.Components); err != nil || format != "table" {
		return err
	}
	schema := inv.Schema.Database
	if inv.Schema.Pending {
		schema = e.Text("inventory.schema_pending", "files", inv.Schema.Files, "database", inv.Schema.Database)
	}
	if _, err := e.Stdout.Write([]byte("\n")); err != nil {
		return err
	}
	return e.Out.Fields("", append([]terminal.Field{
		{Label: e.Text("col.taken"), Value: terminal.Instant(inv.Taken)},
		{Label: "PHP", Value: string(inv.PHP)},
		{Label: e.Text("col.database"), Value: inv.Database},
		{Label: e.Text("col.schema"), Value: schema},
	}, show.Findings(e, inv.Findings)...))
}

func active(e *console.Env, c *upkeep.Component) string {
	switch {
	case c.Network:
		return e.Text("active.network")
	case c.Active:
		return e.Text("active.yes")
	}
	return e.Text("active.no")
}
