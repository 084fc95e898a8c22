package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"upkeep/cmd/upkeep/console"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

func newDoctorCommand(e *console.Env) *cobra.Command {
	var format string
	cmd := e.Command("doctor", "doctor", console.PlainExits)
	e.ListFormat(cmd.Flags(), &format)
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, _ []string) error {
		return runDoctor(ctx, e, c, format)
	})
	return cmd
}

// runDoctor lists what the machine has and lacks; it fails when something is
// missing that is needed.
func runDoctor(ctx context.Context, e *console.Env, c web.Doctor, format string) error {
	requirements, err := c.Requirements(ctx)
	if err != nil {
		return err
	}
	type r = web.Requirement
	list := terminal.List[r]{
		Empty: e.Text("doctor.none"),
		ID:    func(x *r) string { return x.Name },
		Columns: []terminal.Column[r]{
			{Title: "", Name: "ok", Cell: mark, Raw: func(x *r) string { return strconv.FormatBool(x.OK) }, Paint: markPaint},
			{Title: e.Text("col.requirement"), Name: "name", Cell: func(x *r) string { return e.Texts.Code("requirement", x.Name, nil) },
				Raw: func(x *r) string { return x.Name }},
			{Title: e.Text("col.found"), Name: "detail", Wrap: true, Cell: func(x *r) string { return x.Detail }},
			{Title: e.Text("col.fix"), Name: "fix", Wrap: true, Cell: func(x *r) string { return x.Fix }},
		},
	}
	if err := list.Write(e.Out, format, requirements); err != nil {
		return err
	}
	for i := range requirements {
		if r := &requirements[i]; !r.OK && !r.Optional {
			return console.Ended(console.ExitFailed)
		}
	}
	return nil
}

func mark(r *web.Requirement) string {
	switch {
	case r.OK:
		return "✓"
	case r.Optional:
		return "–"
	}
	return "✗"
}

func markPaint(r *web.Requirement) terminal.Paint {
	switch {
	case r.OK:
		return terminal.Good
	case r.Optional:
		return terminal.Warn
	}
	return terminal.Bad
}
