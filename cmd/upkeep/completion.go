package main

import (
	"github.com/spf13/cobra"

	"upkeep/cmd/upkeep/console"
)

func newCompletionCommand(e *console.Env) *cobra.Command {
	cmd := e.Command("completion", "completion <shell>", console.PlainExits)
	cmd.ValidArgsFunction = cobra.FixedCompletions([]cobra.Completion{"bash", "zsh", "fish"}, cobra.ShellCompDirectiveNoFileComp)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return runCompletion(e, cmd.Root(), args[0]) }
	return cmd
}

func runCompletion(e *console.Env, root *cobra.Command, shell string) error {
	switch shell {
	case "bash":
		return root.GenBashCompletionV2(e.Stdout, true)
	case "zsh":
		return root.GenZshCompletion(e.Stdout)
	case "fish":
		return root.GenFishCompletion(e.Stdout, true)
	}
	return console.Usagef("%s", e.Text("usage.shell", "value", shell))
}
