package host

import (
	"context"

	"github.com/spf13/cobra"

	"upkeep/cmd/upkeep/console"
	"upkeep/cmd/upkeep/show"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

func newCheckCommand(e *console.Env) *cobra.Command {
	var format string
	cmd := e.Command("host.check", "check <host>", console.PlainExits)
	e.TextFormat(cmd.Flags(), &format)
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, args []string) error {
		return runCheck(ctx, e, c, args[0], format)
	})
	return cmd
}

func runCheck(ctx context.Context, e *console.Env, hosts web.HostReader, name, format string) error {
	check, err := hosts.CheckHost(ctx, name)
	if err != nil {
		return err
	}
	if format == "json" {
		return terminal.JSON(e.Stdout, check)
	}
	return show.HostCheck(e, name, check)
}
