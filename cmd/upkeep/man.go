package main

import (
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"upkeep"
	"upkeep/cmd/upkeep/console"
)

func newManCommand(e *console.Env) *cobra.Command {
	cmd := e.Command("man", "man <folder>", console.PlainExits)
	cmd.ValidArgsFunction = nil
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return runMan(e, cmd.Root(), args[0]) }
	return cmd
}

// runMan writes a page per command, dated by SOURCE_DATE_EPOCH where it is
// set, so that packages are reproducible.
func runMan(e *console.Env, root *cobra.Command, folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return upkeep.Errorf(upkeep.CodeInvalid, "%s", err).WithHint("%s", e.Text("man.hint"))
	}
	root.DisableAutoGenTag = true
	console.KeepArguments(root)
	if err := doc.GenManTree(root, &doc.GenManHeader{Title: "UPKEEP", Section: "1", Source: "upkeep " + e.Version}, folder); err != nil {
		return err
	}
	return e.HeadPages(folder)
}
