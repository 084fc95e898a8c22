package host

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"upkeep/cmd/upkeep/console"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

func newListCommand(e *console.Env) *cobra.Command {
	var format string
	cmd := e.Command("host.list", "list", console.PlainExits)
	e.ListFormat(cmd.Flags(), &format)
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, _ []string) error {
		return runList(ctx, e, c, format)
	})
	return cmd
}

func runList(ctx context.Context, e *console.Env, hosts web.HostReader, format string) error {
	all, err := hosts.Hosts(ctx)
	if err != nil {
		return err
	}
	list := terminal.List[web.Host]{
		Empty: e.Text("host.none"),
		ID:    func(h *web.Host) string { return h.Name },
		Columns: []terminal.Column[web.Host]{
			{Title: e.Text("col.host"), Name: "name", Cell: func(h *web.Host) string { return h.Name }},
			{Title: e.Text("col.address"), Name: "address", Cell: func(h *web.Host) string { return h.At.String() }},
			{Title: e.Text("col.sites"), Name: "sites", Right: true, Cell: func(h *web.Host) string { return strconv.Itoa(len(h.Sites)) }},
		},
	}
	return list.Write(e.Out, format, all)
}
