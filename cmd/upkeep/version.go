package main

import (
	"runtime"

	"github.com/spf13/cobra"

	"upkeep/cmd/upkeep/console"
	"upkeep/internal/terminal"
)

func newVersionCommand(e *console.Env) *cobra.Command {
	var format string
	cmd := e.Command("version", "version", console.PlainExits)
	e.TextFormat(cmd.Flags(), &format)
	cmd.RunE = func(*cobra.Command, []string) error { return runVersion(e, format) }
	return cmd
}

func runVersion(e *console.Env, format string) error {
	if format == "json" {
		return terminal.JSON(e.Stdout, map[string]string{"version": e.Version, "go": runtime.Version()})
	}
	return e.Say("version", "version", e.Version, "go", runtime.Version())
}
