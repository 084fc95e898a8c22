package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"upkeep"
	"upkeep/cmd/upkeep/console"
	"upkeep/cmd/upkeep/show"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

type interventionLogOptions struct {
	Follow bool
	Format string
}

func newInterventionLogCommand(e *console.Env) *cobra.Command {
	var opts interventionLogOptions
	cmd := e.Command("intervention.log", "log <id>", console.PlainExits)
	cmd.Flags().BoolVarP(&opts.Follow, "follow", "f", false, e.Text("flag.follow"))
	e.ListFormat(cmd.Flags(), &opts.Format)
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, args []string) error {
		id, err := console.ParseID[upkeep.InterventionID](e, args[0])
		if err != nil {
			return err
		}
		return runInterventionLog(ctx, e, c, id, opts)
	})
	return cmd
}

func runInterventionLog(ctx context.Context, e *console.Env, c web.Interventions, id upkeep.InterventionID, opts interventionLogOptions) error {
	if opts.Follow && opts.Format != "table" {
		return console.Usagef("%s", e.Text("usage.exclusive", "one", "--follow", "other", "--format "+opts.Format))
	}
	type ev = upkeep.Event
	list := terminal.List[ev]{
		Empty: e.Text("intervention.no_events"),
		ID:    func(x *ev) string { return strconv.Itoa(int(x.ID)) },
		Columns: []terminal.Column[ev]{
			{Title: e.Text("col.at"), Name: "at", Cell: func(x *ev) string { return x.At.Local().Format("2006-01-02 15:04:05.0") },
				Raw: func(x *ev) string { return show.Instant(x.At) }},
			{Title: e.Text("col.state"), Name: "state", Cell: func(x *ev) string { return e.Texts.Code("state", string(x.State), nil) },
				Raw: func(x *ev) string { return string(x.State) }},
			{Title: e.Text("col.event"), Name: "event", Wrap: true, Cell: e.Out.Event, Raw: func(x *ev) string { return x.Code }},
		},
	}
	if opts.Follow {
		progress := terminal.NewProgress(e.Notice)
		defer progress.Close()
		f := &console.Follower{Env: e, Client: nil, ID: id, Progress: progress}
		return c.Follow(ctx, id, 0, func(tick web.Tick) error {
			f.Show(tick)
			return nil
		})
	}
	events, err := c.Events(ctx, id, 0)
	if err != nil {
		return err
	}
	return list.Write(e.Out, opts.Format, events)
}
