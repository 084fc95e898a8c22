package main

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"upkeep/internal/catalogue"
	"upkeep/internal/terminal"
)

// run runs one command line and returns the exit status.
func run(ctx context.Context, e *env) int {
	language, err := languageOf(e.args, e.getenv)
	if err == nil {
		e.texts, err = catalogue.Open(language)
	}
	if err != nil {
		texts, operr := catalogue.Open(catalogue.French)
		if operr != nil {
			panic(operr) // the embedded texts are tested
		}
		e.texts = texts
		return e.exit(err)
	}
	e.out = terminal.Open(e.stdout, e.texts, e.getenv, e.clock)
	e.notice = terminal.Open(e.stderr, e.texts, e.getenv, e.clock)
	root := newRootCommand(e)
	root.SetArgs(e.args)
	return e.exit(root.ExecuteContext(ctx))
}

// languageOf finds --lang before the commands exist, for their help has a
// language too.
func languageOf(args []string, getenv func(string) string) (catalogue.Language, error) {
	for i, arg := range args {
		if arg == "--" {
			break
		}
		if value, ok := strings.CutPrefix(arg, "--lang="); ok {
			return catalogue.Language(value), nil
		}
		if arg == "--lang" && i+1 < len(args) {
			return catalogue.Language(args[i+1]), nil
		}
	}
	return catalogue.Detect(getenv), nil
}

// newRootCommand lists the whole command line.
func newRootCommand(e *env) *cobra.Command {
	root := e.noun("root", "upkeep",
		newServeCommand(e),
		e.noun("site", "site",
			newSiteAddCommand(e), newSiteListCommand(e), newSiteShowCommand(e), newSiteRemoveCommand(e),
			newSiteInventoryCommand(e), newSiteUpdateCommand(e), newSiteVerifyCommand(e),
			newSiteFreezeCommand(e), newSiteThawCommand(e)),
		e.noun("update", "update", newUpdateListCommand(e)),
		e.noun("intervention", "intervention",
			newInterventionListCommand(e), newInterventionShowCommand(e),
			newInterventionLogCommand(e), newInterventionCancelCommand(e)),
		e.noun("backup", "backup",
			newBackupCreateCommand(e), newBackupListCommand(e), newBackupShowCommand(e), newBackupVerifyCommand(e),
			newBackupRestoreCommand(e), newBackupDiffCommand(e), newBackupPruneCommand(e)),
		e.noun("ledger", "ledger", newLedgerListCommand(e), newLedgerVerifyCommand(e)),
		e.noun("vault", "vault", newVaultPasswordCommand(e)),
		newDoctorCommand(e),
		newDemoCommand(e),
		newVersionCommand(e),
		newCompletionCommand(e),
		newManCommand(e),
	)
	for _, hidden := range e.app.Hidden {
		cmd := hidden(e)
		cmd.Hidden = true
		root.AddCommand(cmd)
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetIn(e.stdin)
	root.SetOut(e.stdout)
	root.SetErr(e.stderr)
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { e.help(cmd) })
	root.SetHelpCommand(&cobra.Command{Hidden: true})
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return e.flagError(err, cmd) })
	f := root.PersistentFlags()
	f.StringVar(&e.global.Server, "server", "", e.text("flag.server"))
	f.StringVar(&e.global.State, "state", "", e.text("flag.state"))
	f.StringVar(&e.global.Lang, "lang", "", e.text("flag.lang"))
	helpFlags(e, root)
	return root
}

// helpFlags gives every command its --help in the reader's language.
func helpFlags(e *env, cmd *cobra.Command) {
	cmd.Flags().BoolP("help", "h", false, e.text("flag.help"))
	for _, sub := range cmd.Commands() {
		helpFlags(e, sub)
	}
}

// noun returns the command that holds the verbs of a noun.
func (e *env) noun(name, use string, verbs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use:   use,
		Short: e.text("cmd." + name + ".short"),
		Long:  e.text("cmd." + name + ".long"),
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return e.noCommand(cmd, args[0])
			}
			e.help(cmd)
			return nil
		},
	}
	cmd.AddCommand(verbs...)
	return cmd
}

func (e *env) noCommand(cmd *cobra.Command, word string) error {
	cmd.SuggestionsMinimumDistance = 2
	err := usagef("%s", e.text("usage.no_command", "word", strings.TrimSpace(words(cmd)+" "+word)))
	if near := cmd.SuggestionsFor(word); len(near) > 0 {
		return err.WithHint("%s", e.text("usage.did_you_mean", "names", strings.Join(near, ", ")))
	}
	return err.WithHint("%s", e.text("usage.see_help", "command", cmd.CommandPath()))
}

// exits says which exit statuses a command's help documents.
type exits string

// The sets of exit statuses.
const (
	plainExits  exits = "exit.plain"
	updateExits exits = "exit.update"
)

// command returns the command for a verb. use is as in help, its arguments
// in the form "<needed>", "[optional]" or "[any...]", and held to it.
func (e *env) command(name, use string, statuses exits) *cobra.Command {
	return &cobra.Command{
		Use:                   use,
		Short:                 e.text("cmd." + name + ".short"),
		Long:                  e.text("cmd."+name+".long") + "\n\n" + e.text(string(statuses)),
		Args:                  func(cmd *cobra.Command, args []string) error { return e.checkArgs(cmd, args) },
		DisableFlagsInUseLine: true,
		ValidArgsFunction:     cobra.NoFileCompletions,
	}
}

// words is a command without the program's name, which errors begin with.
func words(cmd *cobra.Command) string {
	return strings.TrimSpace(strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()))
}

func (e *env) checkArgs(cmd *cobra.Command, args []string) error {
	wanted := strings.Fields(cmd.Use)[1:]
	var needed []string
	for _, w := range wanted {
		if strings.HasPrefix(w, "<") {
			needed = append(needed, w)
		}
	}
	hint := e.text("usage.see_help", "command", cmd.CommandPath())
	if len(args) < len(needed) {
		return usagef("%s", e.text("usage.missing", "command", words(cmd), "argument", needed[len(args)])).WithHint("%s", hint)
	}
	open := len(wanted) > 0 && strings.HasSuffix(wanted[len(wanted)-1], "...]")
	if !open && len(args) > len(wanted) {
		return usagef("%s", e.text("usage.extra", "command", words(cmd), "argument", args[len(wanted)])).WithHint("%s", hint)
	}
	if slices.Contains(args, "") {
		return usagef("%s", e.text("usage.empty", "command", words(cmd))).WithHint("%s", hint)
	}
	return nil
}

// choice is a flag that takes one of a few words.
type choice struct {
	value   *string
	allowed []string
}

func (c choice) String() string {
	if c.value == nil {
		return ""
	}
	return *c.value
}

func (c choice) Type() string { return strings.Join(c.allowed, "|") }

func (c choice) Set(value string) error {
	if !slices.Contains(c.allowed, value) {
		return usagef("want one of %s", c.Type())
	}
	*c.value = value
	return nil
}

// listFormat adds the --format of a list.
func (e *env) listFormat(f *pflag.FlagSet, value *string) {
	*value = "table"
	f.Var(choice{value, terminal.Formats()}, "format", e.text("flag.format"))
}

// textFormat adds the --format of everything that is not a list.
func (e *env) textFormat(f *pflag.FlagSet, value *string) {
	*value = "text"
	f.Var(choice{value, []string{"text", "json"}}, "format", e.text("flag.format"))
}
