package vault

import (
	"context"

	"github.com/spf13/cobra"

	"upkeep/cmd/upkeep/console"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

func newPasswordCommand(e *console.Env) *cobra.Command {
	var format string
	cmd := e.Command("vault.password", "password", console.PlainExits)
	cmd.Example = e.Text("cmd.vault.password.example")
	e.TextFormat(cmd.Flags(), &format)
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, _ []string) error {
		return runPassword(ctx, e, c, format)
	})
	return cmd
}

// runPassword writes the password and nothing else to stdout, so that
// restic can take it from there.
func runPassword(ctx context.Context, e *console.Env, vaults web.Vaults, format string) error {
	password, err := vaults.VaultPassword(ctx, e.Actor())
	if err != nil {
		return err
	}
	if format == "json" {
		return terminal.JSON(e.Stdout, web.VaultPassword{Password: password})
	}
	if _, err := e.Stdout.Write([]byte(password + "\n")); err != nil || !e.Out.Live {
		return err
	}
	_, err = e.Stderr.Write([]byte(e.Text("vault.keep") + "\n"))
	return err
}
