package planning

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"upkeep"
	"upkeep/cmd/upkeep/console"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

// NewFleet returns the commands about all sites at once.
func NewFleet(e *console.Env) *cobra.Command {
	return e.Noun("fleet", "fleet", newFleetStatus(e), newFleetPause(e), newFleetResume(e), newFleetUpdate(e))
}

func newFleetStatus(e *console.Env) *cobra.Command {
	var format string
	cmd := e.Command("fleet.status", "status", console.PlainExits)
	e.TextFormat(cmd.Flags(), &format)
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, _ []string) error {
		status, err := c.FleetStatus(ctx)
		if err != nil {
			return err
		}
		if format == "json" {
			return terminal.JSON(e.Stdout, status)
		}
		return e.Out.Fields("", statusFields(e, status))
	})
	return cmd
}

func statusFields(e *console.Env, s *web.FleetStatus) []terminal.Field {
	var fields []terminal.Field
	if s.Hold != nil {
		fields = append(fields, holdField(e, s.Hold))
	}
	numbered := func(label string, n int, paint terminal.Paint) {
		if n == 0 {
			paint = terminal.Plain
		}
		fields = append(fields, terminal.Field{Label: e.Text(label), Value: e.Texts.Number(int64(n)), Paint: paint})
	}
	numbered("fleet.sites", s.Sites, terminal.Plain)
	for _, status := range []web.SiteStatus{web.Working, web.Frozen, web.Incident} {
		if n := s.Statuses[status]; n > 0 {
			fields = append(fields, terminal.Field{Label: "  " + e.Texts.Code("status", string(status), nil), Value: e.Texts.Number(int64(n)), Paint: terminal.Warn})
		}
	}
	numbered("fleet.no_plan", s.NoPlan, terminal.Warn)
	numbered("fleet.uncovered", s.Uncovered, terminal.Warn)
	fields = append(fields, terminal.Field{Label: e.Text("col.updates"), Value: e.Text("site.pending", "count", s.Pending, "security", s.Security, "held", s.Held)})
	numbered("fleet.running", s.Running, terminal.Plain)
	numbered("fleet.due", s.Due, terminal.Plain)
	numbered("fleet.waiting", s.Waiting, terminal.Warn)
	numbered("fleet.overdue", s.Overdue, terminal.Bad)
	numbered("fleet.tasks", s.Tasks, terminal.Plain)
	return append(fields, terminal.Field{Label: e.Text("fleet.day"), Value: ends(e, s.Day)})
}

// ends counts interventions by their end.
func ends(e *console.Env, day map[upkeep.State]int) string {
	var parts []string
	for _, state := range []upkeep.State{upkeep.Done, upkeep.Partial, upkeep.Undone, upkeep.Failed, upkeep.Cancelled, upkeep.Incident} {
		if n := day[state]; n > 0 {
			parts = append(parts, e.Texts.Number(int64(n))+" "+e.Texts.Code("state", string(state), nil))
		}
	}
	return orDash(strings.Join(parts, ", "))
}

func newFleetPause(e *console.Env) *cobra.Command {
	var because, format string
	cmd := e.Command("fleet.pause", "pause", console.PlainExits)
	cmd.Flags().StringVar(&because, "because", "", e.Text("flag.because"))
	e.TextFormat(cmd.Flags(), &format)
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, _ []string) error {
		hold, err := c.HoldFleet(ctx, e.Actor(), because)
		if err != nil {
			return err
		}
		if format == "json" {
			return terminal.JSON(e.Stdout, hold)
		}
		return e.Say("fleet.paused", "since", terminal.Instant(hold.Since), "who", hold.Actor, "because", orDash(hold.Because))
	})
	return cmd
}

func newFleetResume(e *console.Env) *cobra.Command {
	cmd := e.Command("fleet.resume", "resume", console.PlainExits)
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, _ []string) error {
		if err := c.ReleaseFleet(ctx, e.Actor()); err != nil {
			return err
		}
		return e.Say("fleet.resumed")
	})
	return cmd
}

type fleetUpdateOptions struct {
	console.ChangeOptions
	All      bool
	Exclude  []string
	Security bool
	AtOnce   int
}

func newFleetUpdate(e *console.Env) *cobra.Command {
	var opts fleetUpdateOptions
	cmd := e.Command("fleet.update", "update [site...]", console.UpdateExits)
	cmd.ValidArgsFunction = e.CompleteSite
	cmd.Example = e.Text("cmd.fleet.update.example")
	f := cmd.Flags()
	f.BoolVar(&opts.All, "all", false, e.Text("flag.all"))
	f.StringSliceVar(&opts.Exclude, "exclude", nil, e.Text("flag.exclude"))
	f.BoolVar(&opts.Security, "security", false, e.Text("flag.security"))
	f.IntVar(&opts.AtOnce, "at-once", 4, e.Text("flag.at_once"))
	opts.AddFlags(e, f)
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, args []string) error {
		return runFleetUpdate(ctx, e, c, args, opts)
	})
	return cmd
}

// sitesFor are the sites that a command line names.
func sitesFor(ctx context.Context, e *console.Env, c *web.Client, names []string, opts *fleetUpdateOptions) ([]string, error) {
	switch {
	case opts.All && len(names) > 0:
		return nil, console.Usagef("%s", e.Text("usage.exclusive", "one", "--all", "other", names[0]))
	case !opts.All && len(names) == 0:
		return nil, console.Usagef("%s", e.Text("usage.missing", "command", "fleet update", "argument", "--all"))
	case opts.AtOnce < 1:
		return nil, console.Usagef("%s", e.Text("usage.duration", "flag", "--at-once", "value", opts.AtOnce))
	}
	all, err := c.Sites(ctx)
	if err != nil {
		return nil, err
	}
	var known, chosen []string
	for i := range all {
		known = append(known, all[i].Name)
	}
	if opts.All {
		names = known
	}
	for _, name := range slices.Concat(names, opts.Exclude) {
		if !slices.Contains(known, name) {
			return nil, upkeep.Errorf(upkeep.CodeNotFound, "site %s does not exist", name).WithHint("Known sites: upkeep site list.")
		}
	}
	for _, name := range names {
		if !slices.Contains(opts.Exclude, name) {
			chosen = append(chosen, name)
		}
	}
	return chosen, nil
}

// outcome is how the work on one site went.
type outcome struct {
	Site         string                `json:"site"`
	Updates      int                   `json:"updates"`
	Intervention upkeep.InterventionID `json:"intervention,omitempty"`
	State        upkeep.State          `json:"state,omitempty"` // "" when nothing began
	Error        *upkeep.Error         `json:"error,omitempty"`
}

func outcomeList(e *console.Env) *terminal.List[outcome] {
	type o = outcome
	return &terminal.List[o]{
		Empty: e.Text("update.none"),
		ID:    func(x *o) string { return x.Site },
		Columns: []terminal.Column[o]{
			{Title: e.Text("col.site"), Name: "site", Cell: func(x *o) string { return x.Site }},
			{Title: e.Text("col.updates"), Name: "updates", Right: true, Cell: func(x *o) string { return strconv.Itoa(x.Updates) }},
			{Title: e.Text("col.intervention"), Name: "intervention", Right: true, Cell: func(x *o) string {
				if x.Intervention == 0 {
					return "–"
				}
				return x.Intervention.String()
			}},
			{Title: e.Text("col.state"), Name: "state", Paint: func(x *o) terminal.Paint { return terminal.StateIn(x.State) }, Cell: func(x *o) string {
				if x.State == "" {
					return "–"
				}
				return e.Texts.Code("state", string(x.State), nil)
			}},
			{Title: e.Text("col.why"), Name: "error", Wrap: true, Cell: func(x *o) string {
				if x.Error == nil {
					return ""
				}
				return e.Texts.Say(upkeep.TextOf(x.Error))
			}},
		},
	}
}
