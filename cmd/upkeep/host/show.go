package host

import (
	"context"

	"github.com/spf13/cobra"

	"upkeep/cmd/upkeep/console"
	"upkeep/cmd/upkeep/show"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

func newShowCommand(e *console.Env) *cobra.Command {
	var format string
	cmd := e.Command("host.show", "show <host>", console.PlainExits)
	e.TextFormat(cmd.Flags(), &format)
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, args []string) error {
		return runShow(ctx, e, c, args[0], format)
	})
	return cmd
}

func runShow(ctx context.Context, e *console.Env, hosts web.HostReader, name, format string) error {
	host, err := hosts.Host(ctx, name)
	if err != nil {
		return err
	}
	if format == "json" {
		return terminal.JSON(e.Stdout, host)
	}
	return show.Host(e, host)
}
