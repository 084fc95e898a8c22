package planning

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"upkeep"
	"upkeep/cmd/upkeep/console"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

// NewWindow returns the commands about windows and closed dates.
func NewWindow(e *console.Env) *cobra.Command {
	return e.Noun("window", "window", newWindowList(e), newWindowAdd(e), newWindowRemove(e))
}

func newWindowList(e *console.Env) *cobra.Command {
	var format string
	cmd := e.Command("window.list", "list", console.PlainExits)
	e.ListFormat(cmd.Flags(), &format)
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, _ []string) error {
		windows, err := c.Windows(ctx)
		if err != nil {
			return err
		}
		return windowList(e).Write(e.Out, format, windows)
	})
	return cmd
}

func windowList(e *console.Env) *terminal.List[upkeep.Window] {
	type w = upkeep.Window
	return &terminal.List[w]{
		Empty: e.Text("window.none"),
		ID:    func(x *w) string { return strconv.FormatInt(x.ID, 10) },
		Columns: []terminal.Column[w]{
			{Title: e.Text("col.id"), Name: "id", Right: true, Cell: func(x *w) string { return strconv.FormatInt(x.ID, 10) }},
			{Title: e.Text("col.for"), Name: "scope", Cell: func(x *w) string { return whose(e, x) },
				Raw: func(x *w) string { return strings.TrimSuffix(string(x.Scope)+":"+x.Subject, ":") }},
			{Title: e.Text("col.what"), Name: "closed", Paint: windowPaint, Cell: func(x *w) string { return kindOf(e, x) },
				Raw: func(x *w) string { return strconv.FormatBool(x.Closed) }},
			{Title: e.Text("col.begin"), Name: "begin", Cell: func(x *w) string { return strings.Replace(x.Begin, "T", " ", 1) },
				Raw: func(x *w) string { return x.Begin }},
			{Title: e.Text("col.length"), Name: "length", Right: true, Cell: func(x *w) string { return e.Texts.Span(time.Duration(x.Length)) },
				Raw: func(x *w) string { return time.Duration(x.Length).String() }},
			{Title: e.Text("col.rule"), Name: "rule", Wrap: true, Cell: func(x *w) string { return x.Rule }},
			{Title: e.Text("col.zone"), Name: "zone", Cell: func(x *w) string { return x.Zone }},
			{Title: e.Text("col.note"), Name: "note", Wrap: true, Cell: func(x *w) string { return x.Note }},
		},
	}
}

// whose says for whom a window is.
func whose(e *console.Env, w *upkeep.Window) string {
	return strings.TrimSpace(e.Texts.Code("scope", string(w.Scope), nil) + " " + w.Subject)
}

func kindOf(e *console.Env, w *upkeep.Window) string {
	if w.Closed {
		return e.Text("window.closed")
	}
	return e.Text("window.open")
}

func windowPaint(w *upkeep.Window) terminal.Paint {
	if w.Closed {
		return terminal.Warn
	}
	return terminal.Good
}

// windowText is a window in one line.
func windowText(e *console.Env, w *upkeep.Window) string {
	begin := strings.Replace(w.Begin, "T", " ", 1)
	if w.Rule != "" {
		_, begin, _ = strings.Cut(w.Begin, "T")
	}
	parts := []string{begin, e.Texts.Span(time.Duration(w.Length)), w.Rule, w.Zone, w.Note}
	return strings.Join(strings.Fields(strings.Join(parts, " ")), " ")
}

type windowAddOptions struct {
	Site, Client, Plan string
	Closed             bool
	From, To, At       string
	For                time.Duration
	Rule, Zone, Note   string
	Format             string
}

func (o *windowAddOptions) AddFlags(e *console.Env, f *pflag.FlagSet) {
	f.StringVar(&o.Site, "site", "", e.Text("flag.window_site"))
	f.StringVar(&o.Client, "client", "", e.Text("flag.window_client"))
	f.StringVar(&o.Plan, "plan", "", e.Text("flag.window_plan"))
	f.BoolVar(&o.Closed, "closed", false, e.Text("flag.closed"))
	f.StringVar(&o.From, "from", "", e.Text("flag.from"))
	f.StringVar(&o.To, "to", "", e.Text("flag.to"))
	f.StringVar(&o.At, "at", "00:00", e.Text("flag.at"))
	f.DurationVar(&o.For, "for", 0, e.Text("flag.length"))
	f.StringVar(&o.Rule, "rule", "", e.Text("flag.rule"))
	f.StringVar(&o.Zone, "zone", "Europe/Paris", e.Text("flag.zone"))
	f.StringVar(&o.Note, "note", "", e.Text("flag.window_note"))
	e.TextFormat(f, &o.Format)
}

func newWindowAdd(e *console.Env) *cobra.Command {
	var opts windowAddOptions
	cmd := e.Command("window.add", "add", console.PlainExits)
	cmd.Example = e.Text("cmd.window.add.example")
	opts.AddFlags(e, cmd.Flags())
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, _ []string) error {
		w, err := opts.window(e)
		if err != nil {
			return err
		}
		added, err := c.AddWindow(ctx, e.Actor(), *w)
		if err != nil {
			return err
		}
		if opts.Format == "json" {
			return terminal.JSON(e.Stdout, added)
		}
		return e.Say("window.added", "id", added.ID, "what", kindOf(e, added), "subject", whose(e, added), "when", windowText(e, added))
	})
	return cmd
}

// window is what the flags describe.
func (o *windowAddOptions) window(e *console.Env) (*upkeep.Window, error) {
	w := &upkeep.Window{Scope: upkeep.ForAgency, Closed: o.Closed, Rule: o.Rule, Zone: o.Zone, Note: o.Note}
	given := 0
	for scope, subject := range map[upkeep.Scope]string{upkeep.ForSite: o.Site, upkeep.ForClient: o.Client, upkeep.ForPlan: o.Plan} {
		if subject != "" {
			w.Scope, w.Subject = scope, subject
			given++
		}
	}
	if given > 1 {
		return nil, console.Usagef("%s", e.Text("usage.exclusive", "one", "--site", "other", "--client, --plan"))
	}
	if o.To != "" && o.For != 0 {
		return nil, console.Usagef("%s", e.Text("usage.exclusive", "one", "--to", "other", "--for"))
	}
	from := e.Clock()
	if o.From != "" {
		var err error
		if from, err = day(e, "--from", o.From); err != nil {
			return nil, err
		}
	}
	w.Begin, w.Length = from.Format(time.DateOnly)+"T"+o.At, upkeep.Duration(o.For)
	if o.To != "" {
		to, err := day(e, "--to", o.To)
		if err != nil {
			return nil, err
		}
		begin, err := time.Parse(upkeep.WallTime, w.Begin)
		if err != nil {
			return nil, console.Usagef("%s", e.Text("usage.clock", "value", o.At))
		}
		w.Length = upkeep.Duration(to.AddDate(0, 0, 1).Sub(begin)) // to its end
	}
	return w, nil
}

func day(e *console.Env, flag, text string) (time.Time, error) {
	date, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return date, console.Usagef("%s", e.Text("usage.date", "flag", flag, "value", text))
	}
	return date, nil
}

func newWindowRemove(e *console.Env) *cobra.Command {
	var opts console.ChangeOptions
	cmd := e.Command("window.remove", "remove <id>", console.PlainExits)
	opts.AddFlags(e, cmd.Flags())
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, args []string) error {
		id, err := console.ParseID[int64](e, args[0])
		if err != nil {
			return err
		}
		return runWindowRemove(ctx, e, c, id, opts)
	})
	return cmd
}

func runWindowRemove(ctx context.Context, e *console.Env, c *web.Client, id int64, opts console.ChangeOptions) error {
	windows, err := c.Windows(ctx)
	if err != nil {
		return err
	}
	for i := range windows {
		w := &windows[i]
		if w.ID != id {
			continue
		}
		said := []any{"id", id, "what", kindOf(e, w), "subject", whose(e, w), "when", windowText(e, w)}
		if opts.DryRun {
			return e.WouldDo(opts.Format, "window.would_remove", said...)
		}
		if err := e.Confirm(ctx, opts.Yes, e.Text("window.ask_remove", said...)); err != nil {
			return err
		}
		if err := c.RemoveWindow(ctx, e.Actor(), id); err != nil {
			return err
		}
		if opts.Format == "json" {
			return terminal.JSON(e.Stdout, w)
		}
		return e.Say("window.removed", said...)
	}
	return upkeep.Errorf(upkeep.CodeNotFound, "window %d does not exist", id).WithHint("Known windows: upkeep window list.")
}
