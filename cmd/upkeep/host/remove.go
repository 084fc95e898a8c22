package host

import (
	"context"

	"github.com/spf13/cobra"

	"upkeep/cmd/upkeep/console"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

func newRemoveCommand(e *console.Env) *cobra.Command {
	var opts console.ChangeOptions
	var forget bool
	cmd := e.Command("host.remove", "remove <host>", console.PlainExits)
	opts.AddFlags(e, cmd.Flags())
	cmd.Flags().BoolVar(&forget, "forget", false, e.Text("flag.forget"))
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, args []string) error {
		return runRemove(ctx, e, c, args[0], removeOptions{opts, forget})
	})
	return cmd
}

type removeOptions struct {
	console.ChangeOptions
	Forget bool
}

func runRemove(ctx context.Context, e *console.Env, hosts web.Hosts, name string, opts removeOptions) error {
	host, err := hosts.Host(ctx, name)
	if err != nil {
		return err
	}
	if !opts.DryRun {
		if err := e.Confirm(ctx, opts.Yes, e.Text("host.ask_remove", "host", name)); err != nil {
			return err
		}
		if err := hosts.RemoveHost(ctx, e.Actor(), name, opts.Forget); err != nil {
			return err
		}
	}
	if opts.Format == "json" {
		return terminal.JSON(e.Stdout, host)
	}
	if opts.DryRun {
		return e.Say("host.would_remove", "host", name)
	}
	return e.Say("host.removed", "host", name)
}
