// Package records has the commands on the records themselves.
package records

import (
	"context"

	"github.com/spf13/cobra"

	"upkeep"
	"upkeep/cmd/upkeep/console"
	"upkeep/internal/store/move"
	"upkeep/internal/terminal"
)

// New returns upkeep records with its verbs.
func New(e *console.Env) *cobra.Command { return e.Noun("records", "records", newMove(e)) }

func newMove(e *console.Env) *cobra.Command {
	var opts console.ChangeOptions
	cmd := e.Command("records.move", "move", console.PlainExits)
	opts.AddFlags(e, cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return runMove(cmd.Context(), e, opts) }
	return cmd
}

// runMove works on the state folder itself: no server may run on it. The
// address has a password, which a flag would show to everyone on the machine.
func runMove(ctx context.Context, e *console.Env, opts console.ChangeOptions) error {
	if e.Database.Reveal() == "" {
		return upkeep.Errorf(upkeep.CodeInvalid, "UPKEEP_DATABASE_URL names no database").
			WithHint("Set it to the address of an empty PostgreSQL database.")
	}
	dir, err := e.StateDir()
	if err != nil {
		return err
	}
	if opts.DryRun {
		return e.WouldDo(opts.Format, "records.would_move", "dir", dir)
	}
	if err := e.Confirm(ctx, opts.Yes, e.Text("records.ask_move", "dir", dir)); err != nil {
		return err
	}
	moved, err := e.App.Move(ctx, console.Place{State: dir, Database: e.Database})
	if err != nil {
		return err
	}
	if opts.Format == "json" {
		return terminal.JSON(e.Stdout, moved)
	}
	return showMoved(e, moved)
}

func showMoved(e *console.Env, moved []move.Table) error {
	const shown = 12 // of a digest
	rows := 0
	for _, table := range moved {
		rows += table.Rows
		if err := e.Say("records.moved_table", "table", table.Name, "count", table.Rows, "digest", table.Digest[:shown]); err != nil {
			return err
		}
	}
	return e.Say("records.moved", "count", rows)
}
