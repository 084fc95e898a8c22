package main

import (
	"context"

	"github.com/spf13/cobra"

	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

func newVaultPasswordCommand(e *env) *cobra.Command {
	var format string
	cmd := e.command("vault.password", "password", plainExits)
	cmd.Example = e.text("cmd.vault.password.example")
	e.textFormat(cmd.Flags(), &format)
	cmd.RunE = e.calling(func(ctx context.Context, c *web.Client, _ []string) error {
		return runVaultPassword(ctx, e, c, format)
	})
	return cmd
}

// runVaultPassword writes the password and nothing else to stdout, so that
// restic can take it from there.
func runVaultPassword(ctx context.Context, e *env, vaults web.Vaults, format string) error {
	password, err := vaults.VaultPassword(ctx, e.actor())
	if err != nil {
		return err
	}
	if format == "json" {
		return terminal.JSON(e.stdout, web.VaultPassword{Password: password})
	}
	if _, err := e.stdout.Write([]byte(password + "\n")); err != nil || !e.out.Live {
		return err
	}
	_, err = e.stderr.Write([]byte(e.text("vault.keep") + "\n"))
	return err
}
