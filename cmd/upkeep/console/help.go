package console

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"upkeep/internal/terminal"
)

// HelpWidth is the widest that help gets, for reading.
const HelpWidth = 88

// help shows a command's help in the reader's language, on stdout: it was
// asked for.
func (e *Env) help(cmd *cobra.Command) {
	width := HelpWidth
	if e.Out.Width > 0 {
		width = min(width, e.Out.Width)
	}
	var b strings.Builder
	for _, paragraph := range strings.Split(cmd.Long, "\n") {
		b.WriteString(strings.Join(terminal.Wrap(paragraph, width), "\n") + "\n")
	}
	use := cmd.UseLine()
	if cmd.HasAvailableSubCommands() {
		use = cmd.CommandPath() + " " + e.Text("help.verb")
	} else {
		use += " " + e.Text("help.any_flags")
	}
	fmt.Fprintf(&b, "\n%s\n  %s\n", e.Text("help.usage"), use)
	if cmd.Example != "" {
		fmt.Fprintf(&b, "\n%s\n%s\n", e.Text("help.examples"), cmd.Example)
	}
	e.helpCommands(&b, cmd, width)
	for _, set := range []struct{ title, usages string }{
		{e.Text("help.flags"), cmd.LocalFlags().FlagUsagesWrapped(width)},
		{e.Text("help.global_flags"), cmd.InheritedFlags().FlagUsagesWrapped(width)},
	} {
		if usages := strings.TrimRight(set.usages, " \n"); usages != "" {
			fmt.Fprintf(&b, "\n%s\n%s\n", set.title, e.inOurWords(usages))
		}
	}
	fmt.Fprint(e.Stdout, b.String())
}

func (e *Env) helpCommands(b *strings.Builder, cmd *cobra.Command, width int) {
	if !cmd.HasAvailableSubCommands() {
		return
	}
	fmt.Fprintf(b, "\n%s\n", e.Text("help.commands"))
	pad := 0
	for _, sub := range cmd.Commands() {
		pad = max(pad, len(sub.Name()))
	}
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			fmt.Fprintf(b, "  %-*s  %s\n", pad, sub.Name(), terminal.Cut(sub.Short, max(20, width-pad-4)))
		}
	}
}

// inOurWords replaces the one word that the flag library brings.
func (e *Env) inOurWords(usages string) string {
	return regexp.MustCompile(`\(default "?([^")]*)"?\)`).ReplaceAllString(usages, "("+e.Text("help.default")+" $1)")
}

// KeepArguments keeps "<site>" in man pages: their generator reads markdown
// and would drop it as a tag.
func KeepArguments(cmd *cobra.Command) {
	cmd.Use = strings.ReplaceAll(cmd.Use, "<", `\<`)
	for _, sub := range cmd.Commands() {
		KeepArguments(sub)
	}
}
