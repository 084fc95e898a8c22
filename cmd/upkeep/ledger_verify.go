package main

import (
	"context"

	"github.com/spf13/cobra"

	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

func newLedgerVerifyCommand(e *env) *cobra.Command {
	var format string
	cmd := e.command("ledger.verify", "verify", plainExits)
	e.textFormat(cmd.Flags(), &format)
	cmd.RunE = e.calling(func(ctx context.Context, c *web.Client, _ []string) error {
		return runLedgerVerify(ctx, e, c, format)
	})
	return cmd
}

func runLedgerVerify(ctx context.Context, e *env, c web.Ledger, format string) error {
	check, err := c.VerifyLedger(ctx)
	if err != nil {
		return err
	}
	status := exitDone
	if !check.OK {
		status = exitFailed
	}
	switch {
	case format == "json":
		err = terminal.JSON(e.stdout, check)
	case check.OK:
		err = e.say("ledger.good", "count", check.Entries, "head", check.Head)
	default:
		err = e.say("ledger.broken", "seq", check.Broken)
	}
	if err != nil {
		return err
	}
	return ended(status)
}
