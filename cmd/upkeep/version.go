package main

import (
	"runtime"

	"github.com/spf13/cobra"

	"upkeep/internal/terminal"
)

func newVersionCommand(e *env) *cobra.Command {
	var format string
	cmd := e.command("version", "version", plainExits)
	e.textFormat(cmd.Flags(), &format)
	cmd.RunE = func(*cobra.Command, []string) error { return runVersion(e, format) }
	return cmd
}

func runVersion(e *env, format string) error {
	if format == "json" {
		return terminal.JSON(e.stdout, map[string]string{"version": e.version, "go": runtime.Version()})
	}
	return e.say("version", "version", e.version, "go", runtime.Version())
}
