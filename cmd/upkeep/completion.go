package main

import (
	"github.com/spf13/cobra"
)

func newCompletionCommand(e *env) *cobra.Command {
	cmd := e.command("completion", "completion <shell>", plainExits)
	cmd.ValidArgsFunction = cobra.FixedCompletions([]cobra.Completion{"bash", "zsh", "fish"}, cobra.ShellCompDirectiveNoFileComp)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return runCompletion(e, cmd.Root(), args[0]) }
	return cmd
}

func runCompletion(e *env, root *cobra.Command, shell string) error {
	switch shell {
	case "bash":
		return root.GenBashCompletionV2(e.stdout, true)
	case "zsh":
		return root.GenZshCompletion(e.stdout)
	case "fish":
		return root.GenFishCompletion(e.stdout, true)
	}
	return usagef("%s", e.text("usage.shell", "value", shell))
}
