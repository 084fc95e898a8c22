// Package planning is the commands that say when work is done: plans, windows,
// the schedule that follows from them, and the fleet as a whole.
package planning

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"upkeep"
	"upkeep/cmd/upkeep/console"
	"upkeep/cmd/upkeep/show"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

// NewPlan returns the commands about plans.
func NewPlan(e *console.Env) *cobra.Command {
	return e.Noun("plan", "plan", newPlanList(e), newPlanShow(e), newPlanSet(e), newPlanRecommend(e))
}

func newPlanList(e *console.Env) *cobra.Command {
	var format string
	cmd := e.Command("plan.list", "list", console.PlainExits)
	e.ListFormat(cmd.Flags(), &format)
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, _ []string) error {
		plans, err := c.Plans(ctx)
		if err != nil {
			return err
		}
		return planList(e).Write(e.Out, format, plans)
	})
	return cmd
}

func planList(e *console.Env) *terminal.List[upkeep.Plan] {
	type p = upkeep.Plan
	figure := func(title, name string, of func(*p) int, text string) terminal.Column[p] {
		return terminal.Column[p]{Title: e.Text(title), Name: name, Right: true,
			Cell: func(x *p) string { return figureText(e, of(x), text) },
			Raw:  func(x *p) string { return strconv.Itoa(of(x)) }}
	}
	return &terminal.List[p]{
		Empty: e.Text("plan.none"),
		ID:    func(x *p) string { return x.Name },
		Columns: []terminal.Column[p]{
			{Title: e.Text("col.plan"), Name: "name", Cell: func(x *p) string { return x.Name }},
			{Title: e.Text("col.title"), Name: "title", Wrap: true, Cell: func(x *p) string { return x.Title }},
			figure("col.extensions", "extensions", func(x *p) int { return x.Extensions }, "plan.up_to"),
			figure("col.cadence", "cadence_days", func(x *p) int { return x.CadenceDays }, "plan.days"),
			figure("col.soak", "soak_days", func(x *p) int { return x.SoakDays }, "plan.days"),
			figure("col.security_delay", "security_hours", func(x *p) int { return x.SecurityHours }, "plan.hours"),
		},
	}
}

// figureText writes a figure of a plan, "–" for none.
func figureText(e *console.Env, n int, text string) string {
	if n == 0 {
		return "–"
	}
	return e.Text(text, "count", n)
}

func newPlanShow(e *console.Env) *cobra.Command {
	var format string
	cmd := e.Command("plan.show", "show <plan>", console.PlainExits)
	e.TextFormat(cmd.Flags(), &format)
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, args []string) error {
		plan, err := planOf(ctx, c, args[0])
		if err != nil {
			return err
		}
		windows, err := c.Windows(ctx)
		if err != nil {
			return err
		}
		return showPlan(e, plan, windows, format)
	})
	return cmd
}

// planOf finds a plan by its name.
func planOf(ctx context.Context, plans web.Plans, name string) (*upkeep.Plan, error) {
	all, err := plans.Plans(ctx)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Name == name {
			return &all[i], nil
		}
	}
	return nil, upkeep.Errorf(upkeep.CodeNotFound, "plan %s does not exist", name).WithHint("Known plans: upkeep plan list.")
}

func showPlan(e *console.Env, p *upkeep.Plan, windows []upkeep.Window, format string) error {
	if format == "json" {
		return terminal.JSON(e.Stdout, p)
	}
	fields := []terminal.Field{
		{Label: e.Text("col.plan"), Value: p.Name, Paint: terminal.Bold},
		{Label: e.Text("col.title"), Value: p.Title},
		{Label: e.Text("col.extensions"), Value: figureText(e, p.Extensions, "plan.up_to")},
		{Label: e.Text("col.customised"), Value: yesNo(e, p.Customised)},
		{Label: e.Text("col.cadence"), Value: figureText(e, p.CadenceDays, "plan.days")},
		{Label: e.Text("col.soak"), Value: figureText(e, p.SoakDays, "plan.days")},
		{Label: e.Text("col.security_delay"), Value: figureText(e, p.SecurityHours, "plan.hours")},
		{Label: e.Text("col.wave_soak"), Value: figureText(e, p.WaveHours, "plan.hours")},
		{Label: e.Text("col.urgent_soak"), Value: figureText(e, p.UrgentHours, "plan.hours")},
		{Label: e.Text("col.insist"), Value: yesNo(e, p.Insist)},
	}
	for i := range windows {
		if w := &windows[i]; w.Scope == upkeep.ForPlan && w.Subject == p.Name {
			fields = append(fields, terminal.Field{Label: e.Text("col.window"), Value: windowText(e, w)})
		}
	}
	return e.Out.Fields("", fields)
}

func yesNo(e *console.Env, yes bool) string {
	if yes {
		return e.Text("active.yes")
	}
	return e.Text("active.no")
}

func newPlanSet(e *console.Env) *cobra.Command {
	var wanted upkeep.Plan
	var format string
	cmd := e.Command("plan.set", "set <plan>", console.PlainExits)
	cmd.Example = e.Text("cmd.plan.set.example")
	f := cmd.Flags()
	f.StringVar(&wanted.Title, "title", "", e.Text("flag.title"))
	f.IntVar(&wanted.Extensions, "extensions", 0, e.Text("flag.extensions"))
	f.BoolVar(&wanted.Customised, "customised", false, e.Text("flag.customised"))
	f.IntVar(&wanted.CadenceDays, "cadence", 0, e.Text("flag.cadence"))
	f.IntVar(&wanted.SoakDays, "soak", 0, e.Text("flag.soak"))
	f.IntVar(&wanted.SecurityHours, "security", 0, e.Text("flag.security_hours"))
	f.IntVar(&wanted.WaveHours, "waves", 0, e.Text("flag.waves"))
	f.IntVar(&wanted.UrgentHours, "security-waves", 0, e.Text("flag.security_waves"))
	f.BoolVar(&wanted.Insist, "insist", false, e.Text("flag.insist"))
	e.TextFormat(f, &format)
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, args []string) error {
		set, err := setPlan(ctx, e, c, args[0], changed(f, &wanted))
		if err != nil {
			return err
		}
		return showPlan(e, set, nil, format)
	})
	return cmd
}

// changed returns what sets the figures that were given to those of wanted.
func changed(f *pflag.FlagSet, wanted *upkeep.Plan) func(*upkeep.Plan) {
	return func(p *upkeep.Plan) {
		for name, set := range map[string]func(){
			"title":      func() { p.Title = wanted.Title },
			"extensions": func() { p.Extensions = wanted.Extensions },
			"customised": func() { p.Customised = wanted.Customised },
			"cadence":    func() { p.CadenceDays = wanted.CadenceDays },
			"soak":       func() { p.SoakDays = wanted.SoakDays },
			"security":   func() { p.SecurityHours = wanted.SecurityHours },
			"waves":      func() { p.WaveHours = wanted.WaveHours },
			"insist":     func() { p.Insist = wanted.Insist },

			"security-waves": func() { p.UrgentHours = wanted.UrgentHours },
		} {
			if f.Changed(name) {
				set()
			}
		}
	}
}

// setPlan changes a plan, or makes it.
func setPlan(ctx context.Context, e *console.Env, c web.Plans, name string, change func(*upkeep.Plan)) (*upkeep.Plan, error) {
	plan, err := planOf(ctx, c, name)
	if upkeep.CodeOf(err) == upkeep.CodeNotFound {
		plan, err = &upkeep.Plan{Name: name, Title: name, WaveHours: 24, UrgentHours: 1}, nil
	}
	if err != nil {
		return nil, err
	}
	change(plan)
	return c.SetPlan(ctx, e.Actor(), *plan)
}

func newPlanRecommend(e *console.Env) *cobra.Command {
	var format string
	cmd := e.Command("plan.recommend", "recommend [site...]", console.PlainExits)
	cmd.ValidArgsFunction = e.CompleteSite
	e.ListFormat(cmd.Flags(), &format)
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, args []string) error {
		return runPlanRecommend(ctx, e, c, args, format)
	})
	return cmd
}

func runPlanRecommend(ctx context.Context, e *console.Env, c *web.Client, names []string, format string) error {
	names, err := console.NamesOrAll(ctx, c, names)
	if err != nil {
		return err
	}
	type a = web.PlanAdvice
	advice := []a{}
	for _, name := range names {
		one, err := c.RecommendPlan(ctx, name)
		if err != nil {
			return upkeep.Causef("site %s: %w", name, err)
		}
		advice = append(advice, *one)
	}
	list := terminal.List[a]{
		Empty: e.Text("site.none"),
		ID:    func(x *a) string { return x.Recommended },
		Columns: []terminal.Column[a]{
			{Title: e.Text("col.site"), Name: "site", Cell: func(x *a) string { return x.Site }},
			{Title: e.Text("col.extensions"), Name: "extensions", Right: true, Cell: func(x *a) string { return strconv.Itoa(x.Extensions) }},
			{Title: e.Text("col.plan"), Name: "plan", Cell: func(x *a) string { return orDash(x.Plan) }, Raw: func(x *a) string { return x.Plan }},
			{Title: e.Text("col.recommended"), Name: "recommended", Cell: func(x *a) string { return orDash(x.Recommended) },
				Raw: func(x *a) string { return x.Recommended }},
			{Title: e.Text("col.why"), Name: "reasons", Wrap: true, Cell: func(x *a) string { return show.Reasons(e, x.Reasons) },
				Raw: func(x *a) string { return show.ReasonCodes(x.Reasons) }},
		},
	}
	return list.Write(e.Out, format, advice)
}

func orDash(text string) string {
	if text == "" {
		return "–"
	}
	return text
}
