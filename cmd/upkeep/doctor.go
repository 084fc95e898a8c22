package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

func newDoctorCommand(e *env) *cobra.Command {
	var format string
	cmd := e.command("doctor", "doctor", plainExits)
	e.listFormat(cmd.Flags(), &format)
	cmd.RunE = e.calling(func(ctx context.Context, c *web.Client, _ []string) error {
		return runDoctor(ctx, e, c, format)
	})
	return cmd
}

// runDoctor lists what the machine has and lacks; it fails when something is
// missing that is needed.
func runDoctor(ctx context.Context, e *env, c web.Doctor, format string) error {
	requirements, err := c.Requirements(ctx)
	if err != nil {
		return err
	}
	type r = web.Requirement
	list := terminal.List[r]{
		Empty: e.text("doctor.none"),
		ID:    func(x *r) string { return x.Name },
		Columns: []terminal.Column[r]{
			{Title: "", Name: "ok", Cell: mark, Raw: func(x *r) string { return strconv.FormatBool(x.OK) }, Paint: markPaint},
			{Title: e.text("col.requirement"), Name: "name", Cell: func(x *r) string { return e.texts.Code("requirement", x.Name, nil) },
				Raw: func(x *r) string { return x.Name }},
			{Title: e.text("col.found"), Name: "detail", Wrap: true, Cell: func(x *r) string { return x.Detail }},
			{Title: e.text("col.fix"), Name: "fix", Wrap: true, Cell: func(x *r) string { return x.Fix }},
		},
	}
	if err := list.Write(e.out, format, requirements); err != nil {
		return err
	}
	for i := range requirements {
		if r := &requirements[i]; !r.OK && !r.Optional {
			return ended(exitFailed)
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
