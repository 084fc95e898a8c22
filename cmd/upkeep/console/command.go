package console

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"upkeep"
	"upkeep/internal/catalogue"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

// helpFlags gives every command its --help in the reader's language.
func helpFlags(e *Env, cmd *cobra.Command) {
	cmd.Flags().BoolP("help", "h", false, e.Text("flag.help"))
	for _, sub := range cmd.Commands() {
		helpFlags(e, sub)
	}
}

// Noun returns the command that holds the verbs of a noun.
func (e *Env) Noun(name, use string, verbs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use:   use,
		Short: e.Text("cmd." + name + ".short"),
		Long:  e.Text("cmd." + name + ".long"),
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && args[0] == "help" {
				return e.helpOn(cmd, args[1:])
			}
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

// helpOn is --help for those who type it as a verb.
func (e *Env) helpOn(cmd *cobra.Command, words []string) error {
	target, rest, err := cmd.Find(words)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return e.noCommand(target, rest[0])
	}
	e.help(target)
	return nil
}

func (e *Env) noCommand(cmd *cobra.Command, word string) error {
	cmd.SuggestionsMinimumDistance = 2
	err := Usagef("%s", e.Text("usage.no_command", "word", strings.TrimSpace(Words(cmd)+" "+word)))
	if near := cmd.SuggestionsFor(word); len(near) > 0 {
		return err.WithHint("%s", e.Text("usage.did_you_mean", "names", strings.Join(near, ", ")))
	}
	return err.WithHint("%s", e.Text("usage.see_help", "command", cmd.CommandPath()))
}

// exits says which exit statuses a command's help documents.
type exits string

// The sets of exit statuses.
const (
	PlainExits  exits = "exit.plain"
	UpdateExits exits = "exit.update"
)

// Command returns the command for a verb. use is as in help, its arguments
// in the form "<needed>", "[optional]" or "[any...]", and held to it.
func (e *Env) Command(name, use string, statuses exits) *cobra.Command {
	return &cobra.Command{
		Use:                   use,
		Short:                 e.Text("cmd." + name + ".short"),
		Long:                  e.Text("cmd."+name+".long") + "\n\n" + e.Text(string(statuses)),
		Args:                  func(cmd *cobra.Command, args []string) error { return e.checkArgs(cmd, args) },
		DisableFlagsInUseLine: true,
		ValidArgsFunction:     cobra.NoFileCompletions,
	}
}

// Words is a command without the program's name, which errors begin with.
func Words(cmd *cobra.Command) string {
	return strings.TrimSpace(strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()))
}

func (e *Env) checkArgs(cmd *cobra.Command, args []string) error {
	wanted := strings.Fields(cmd.Use)[1:]
	var needed []string
	for _, w := range wanted {
		if strings.HasPrefix(w, "<") {
			needed = append(needed, w)
		}
	}
	hint := e.Text("usage.see_help", "command", cmd.CommandPath())
	if len(args) < len(needed) {
		return Usagef("%s", e.Text("usage.missing", "command", Words(cmd), "argument", needed[len(args)])).WithHint("%s", hint)
	}
	open := len(wanted) > 0 && strings.HasSuffix(wanted[len(wanted)-1], "...]")
	if !open && len(args) > len(wanted) {
		return Usagef("%s", e.Text("usage.extra", "command", Words(cmd), "argument", args[len(wanted)])).WithHint("%s", hint)
	}
	if slices.Contains(args, "") {
		return Usagef("%s", e.Text("usage.empty", "command", Words(cmd))).WithHint("%s", hint)
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
		return Usagef("want one of %s", c.Type())
	}
	*c.value = value
	return nil
}

// OneOf returns a flag that sets value to one of the allowed words.
func OneOf(value *string, allowed []string) pflag.Value { return choice{value, allowed} }

// ListFormat adds the --format of a list.
func (e *Env) ListFormat(f *pflag.FlagSet, value *string) {
	*value = "table"
	f.Var(choice{value, terminal.Formats()}, "format", e.Text("flag.format"))
}

// TextFormat adds the --format of everything that is not a list.
func (e *Env) TextFormat(f *pflag.FlagSet, value *string) {
	*value = "text"
	f.Var(choice{value, []string{"text", "json"}}, "format", e.Text("flag.format"))
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

// Run runs one command line, of the commands that newRoot lists, and returns the exit status.
func (e *Env) Run(ctx context.Context, newRoot func(*Env) *cobra.Command) int {
	language, err := languageOf(e.Args, e.Getenv)
	if err == nil {
		e.Texts, err = catalogue.Open(language)
	}
	if err != nil {
		texts, operr := catalogue.Open(catalogue.French)
		if operr != nil {
			panic(operr) // the embedded texts are tested
		}
		e.Texts = texts
		return e.Exit(err)
	}
	e.Out = terminal.Open(e.Stdout, e.Texts, e.Getenv, e.Clock)
	e.Notice = terminal.Open(e.Stderr, e.Texts, e.Getenv, e.Clock)
	root := newRoot(e)
	root.SetArgs(e.Args)
	return e.Exit(root.ExecuteContext(ctx))
}

// ChangeOptions are the flags of every change that asks first.
type ChangeOptions struct {
	DryRun bool
	Yes    bool
	Format string
}

// AddFlags adds them.
func (o *ChangeOptions) AddFlags(e *Env, f *pflag.FlagSet) {
	f.BoolVar(&o.DryRun, "dry-run", false, e.Text("flag.dry_run"))
	f.BoolVarP(&o.Yes, "yes", "y", false, e.Text("flag.yes"))
	e.TextFormat(f, &o.Format)
}

// ParseID reads the number of an intervention or a backup.
func ParseID[T ~int64](e *Env, word string) (T, error) {
	id, err := strconv.ParseInt(word, 10, 64)
	if err != nil || id <= 0 {
		return 0, Usagef("%s", e.Text("usage.id", "value", word))
	}
	return T(id), nil
}

// CompleteSite completes the names of sites, from a server that runs.
func (e *Env) CompleteSite(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 && !strings.Contains(cmd.Use, "...") {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	here := e.App.Open
	e.App.Open = nil // a key press must not start the application
	defer func() { e.App.Open = here }()
	client, release, err := e.connect(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer func() { _ = release() }()
	sites, err := client.Sites(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for i := range sites {
		names = append(names, sites[i].Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// NamesOrAll returns the names of sites that were given, of all when none was.
func NamesOrAll(ctx context.Context, sites web.Sites, names []string) ([]string, error) {
	if len(names) > 0 {
		return names, nil
	}
	all, err := sites.Sites(ctx)
	for i := range all {
		names = append(names, all[i].Name)
	}
	return names, err
}

// Working shows progress while work runs.
func Working[T any](e *Env, work func(progress func(upkeep.Progress)) (T, error)) (T, error) {
	progress := terminal.NewProgress(e.Notice)
	defer progress.Close()
	return work(progress.Work)
}

// SetRoot gives the first command the hidden ones, the flags of all, and our
// own help and errors.
func (e *Env) SetRoot(root *cobra.Command) {
	for _, hidden := range e.App.Hidden {
		cmd := hidden(e)
		cmd.Hidden = true
		root.AddCommand(cmd)
	}
	root.Long += "\n\n" + e.Text(string(UpdateExits))
	root.CompletionOptions.DisableDefaultCmd = true
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetIn(e.Stdin)
	root.SetOut(e.Stdout)
	root.SetErr(e.Stderr)
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { e.help(cmd) })
	root.SetHelpCommand(&cobra.Command{Hidden: true})
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return e.flagError(err, cmd) })
	f := root.PersistentFlags()
	f.StringVar(&e.global.Server, "server", "", e.Text("flag.server"))
	f.StringVar(&e.global.State, "state", "", e.Text("flag.state"))
	f.StringVar(&e.global.Lang, "lang", "", e.Text("flag.lang"))
	helpFlags(e, root)
}
