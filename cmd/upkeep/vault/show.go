package vault

import (
	"context"

	"github.com/spf13/cobra"

	"upkeep/cmd/upkeep/console"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

func newShowCommand(e *console.Env) *cobra.Command {
	var format string
	cmd := e.Command("vault.show", "show", console.PlainExits)
	e.TextFormat(cmd.Flags(), &format)
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, _ []string) error {
		return runShow(ctx, e, c, format)
	})
	return cmd
}

func runShow(ctx context.Context, e *console.Env, vaults web.Vaults, format string) error {
	at, err := vaults.Vault(ctx)
	if err != nil {
		return err
	}
	if format == "json" {
		return terminal.JSON(e.Stdout, at)
	}
	return e.Out.Fields("", fields(e, at))
}

// fields say where a vault is.
func fields(e *console.Env, at *web.Vault) []terminal.Field {
	list := []terminal.Field{
		{Label: e.Text("col.address"), Value: at.URL, Paint: terminal.Bold},
		{Label: e.Text("col.storage"), Value: e.Texts.Code("storage", at.Kind, nil)},
		{Label: "restic", Value: "-r " + at.Restic},
	}
	if at.AccessKey != "" {
		list = append(list, terminal.Field{Label: e.Text("col.access_key"), Value: at.AccessKey})
	}
	label := e.Text("col.keys")
	for _, key := range at.Keys {
		list = append(list, terminal.Field{Label: label, Value: key.Hop + " · " + key.Fingerprint})
		label = ""
	}
	return list
}
