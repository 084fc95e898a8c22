package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"upkeep"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

func newSiteInventoryCommand(e *env) *cobra.Command {
	var format string
	var cached bool
	cmd := e.command("site.inventory", "inventory <site>", plainExits)
	cmd.ValidArgsFunction = e.completeSite
	cmd.Flags().BoolVar(&cached, "cached", false, e.text("flag.cached"))
	e.listFormat(cmd.Flags(), &format)
	cmd.RunE = e.calling(func(ctx context.Context, c *web.Client, args []string) error {
		return runSiteInventory(ctx, e, c, args[0], !cached, format)
	})
	return cmd
}

func runSiteInventory(ctx context.Context, e *env, c web.Inventories, site string, refresh bool, format string) error {
	inv, err := c.Inventory(ctx, site, refresh)
	if err != nil {
		return err
	}
	if format == "json" {
		return terminal.JSON(e.stdout, inv)
	}
	list := terminal.List[upkeep.Component]{
		Empty: e.text("inventory.none"),
		ID:    func(c *upkeep.Component) string { return c.Ref() },
		Columns: []terminal.Column[upkeep.Component]{
			{Title: e.text("col.component"), Name: "ref", Wrap: true, Cell: func(c *upkeep.Component) string { return c.Ref() }},
			{Title: e.text("col.name"), Name: "name", Wrap: true, Cell: func(c *upkeep.Component) string { return c.Name }},
			{Title: e.text("col.version"), Name: "version", Cell: func(c *upkeep.Component) string { return string(c.Version) }},
			{Title: e.text("col.active"), Name: "active", Cell: e.active,
				Raw: func(c *upkeep.Component) string { return strconv.FormatBool(c.Active || c.Network) }},
		},
	}
	if err := list.Write(e.out, format, inv.Components); err != nil || format != "table" {
		return err
	}
	schema := inv.Schema.Database
	if inv.Schema.Pending {
		schema = e.text("inventory.schema_pending", "files", inv.Schema.Files, "database", inv.Schema.Database)
	}
	if _, err := e.stdout.Write([]byte("\n")); err != nil {
		return err
	}
	return e.out.Fields("", append([]terminal.Field{
		{Label: e.text("col.taken"), Value: terminal.Instant(inv.Taken)},
		{Label: "PHP", Value: string(inv.PHP)},
		{Label: e.text("col.database"), Value: inv.Database},
		{Label: e.text("col.schema"), Value: schema},
	}, e.findings(inv.Findings)...))
}

func (e *env) active(c *upkeep.Component) string {
	switch {
	case c.Network:
		return e.text("active.network")
	case c.Active:
		return e.text("active.yes")
	}
	return e.text("active.no")
}
