package main

import (
	"context"

	"github.com/spf13/cobra"

	"upkeep/cmd/upkeep/console"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

func newLedgerVerifyCommand(e *console.Env) *cobra.Command {
	var format string
	cmd := e.Command("ledger.verify", "verify", console.PlainExits)
	e.TextFormat(cmd.Flags(), &format)
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, _ []string) error {
		return runLedgerVerify(ctx, e, c, format)
	})
	return cmd
}

func runLedgerVerify(ctx context.Context, e *console.Env, c web.Ledger, format string) error {
	check, err := c.VerifyLedger(ctx)
	if err != nil {
		return err
	}
	status := console.ExitDone
	if !check.OK {
		status = console.ExitFailed
	}
	switch {
	case format == "json":
		err = terminal.JSON(e.Stdout, check)
	case check.OK && check.Entries == 0:
		err = e.Say("ledger.none")
	case check.OK:
		err = e.Say("ledger.good", "count", check.Entries, "head", check.Head)
	default:
		err = e.Say("ledger.broken", "seq", check.Broken)
	}
	if err != nil {
		return err
	}
	return console.Ended(status)
}
