package vault

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"upkeep/cmd/upkeep/console"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

func newCheckCommand(e *console.Env) *cobra.Command {
	var format string
	cmd := e.Command("vault.check", "check", console.PlainExits)
	e.TextFormat(cmd.Flags(), &format)
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, _ []string) error {
		return runCheck(ctx, e, c, format)
	})
	return cmd
}

func runCheck(ctx context.Context, e *console.Env, vaults web.Vaults, format string) error {
	check, err := vaults.CheckVault(ctx)
	if err != nil {
		return err
	}
	if format == "json" {
		return terminal.JSON(e.Stdout, check)
	}
	list := append(fields(e, &check.Vault),
		terminal.Field{Label: e.Text("col.status"), Value: e.Text("host.answers", "span", e.Texts.Span(time.Duration(check.Took))), Paint: terminal.Good},
		terminal.Field{Label: e.Text("col.backups"), Value: e.Texts.Number(int64(check.Snapshots))})
	return e.Out.Fields("", list)
}
