package main

import (
	"context"

	"github.com/spf13/cobra"

	"upkeep"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

type interventionLogOptions struct {
	Follow bool
	Format string
}

func newInterventionLogCommand(e *env) *cobra.Command {
	var opts interventionLogOptions
	cmd := e.command("intervention.log", "log <id>", plainExits)
	cmd.Flags().BoolVarP(&opts.Follow, "follow", "f", false, e.text("flag.follow"))
	e.listFormat(cmd.Flags(), &opts.Format)
	cmd.RunE = e.calling(func(ctx context.Context, c *web.Client, args []string) error {
		id, err := parseID[upkeep.InterventionID](e, args[0])
		if err != nil {
			return err
		}
		return runInterventionLog(ctx, e, c, id, opts)
	})
	return cmd
}

func runInterventionLog(ctx context.Context, e *env, c web.Interventions, id upkeep.InterventionID, opts interventionLogOptions) error {
	if opts.Follow && opts.Format != "table" {
		return usagef("%s", e.text("usage.exclusive", "one", "--follow", "other", "--format "+opts.Format))
	}
	type ev = upkeep.Event
	list := terminal.List[ev]{
		Empty: e.text("intervention.no_events"),
		ID:    func(x *ev) string { return itoa(int(x.ID)) },
		Columns: []terminal.Column[ev]{
			{Title: e.text("col.at"), Name: "at", Cell: func(x *ev) string { return x.At.Local().Format("2006-01-02 15:04:05.0") },
				Raw: func(x *ev) string { return rfc3339(x.At) }},
			{Title: e.text("col.state"), Name: "state", Cell: func(x *ev) string { return e.texts.Code("state", string(x.State), nil) },
				Raw: func(x *ev) string { return string(x.State) }},
			{Title: e.text("col.event"), Name: "event", Wrap: true, Cell: e.out.Event, Raw: func(x *ev) string { return x.Code }},
		},
	}
	if opts.Follow {
		progress := terminal.NewProgress(e.notice)
		defer progress.Close()
		f := &follower{env: e, client: nil, id: id, progress: progress}
		return c.Follow(ctx, id, 0, func(tick web.Tick) error {
			f.show(tick)
			return nil
		})
	}
	events, err := c.Events(ctx, id, 0)
	if err != nil {
		return err
	}
	return list.Write(e.out, opts.Format, events)
}
