package planning

import (
	"context"

	"golang.org/x/sync/errgroup"

	"upkeep"
	"upkeep/cmd/upkeep/console"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

// runFleetUpdate says what would be done on each site, asks once, and does it,
// some sites at once, each to its end.
func runFleetUpdate(ctx context.Context, e *console.Env, c *web.Client, names []string, opts fleetUpdateOptions) error {
	names, err := sitesFor(ctx, e, c, names, &opts)
	if err != nil {
		return err
	}
	req := web.InterventionRequest{Security: opts.Security, DryRun: true}
	all := onEach(names, opts.AtOnce, func(name string) outcome { return start(ctx, e, c, name, req) })
	count, sites := 0, 0
	for i := range all {
		if all[i].Updates > 0 {
			count, sites = count+all[i].Updates, sites+1
		}
	}
	screen := e.Out
	if opts.Format == "json" {
		screen = e.Notice
	}
	if opts.DryRun || sites == 0 {
		return report(e, opts.Format, all)
	}
	if err := outcomeList(e).Write(screen, "table", all); err != nil {
		return err
	}
	if err := e.Confirm(ctx, opts.Yes, e.Text("fleet.ask_update", "count", count, "sites", sites)); err != nil {
		return err
	}
	req.DryRun = false
	planned := map[string]outcome{}
	for _, o := range all {
		planned[o.Site] = o
	}
	all = onEach(names, opts.AtOnce, func(name string) outcome {
		if planned[name].Updates == 0 {
			return planned[name]
		}
		done := start(ctx, e, c, name, req)
		if done.Error == nil {
			toItsEnd(ctx, c, &done)
		}
		return done
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return report(e, opts.Format, all)
}

// onEach does something for each name, some at once, and returns what came of
// it in the order of the names.
func onEach(names []string, atOnce int, do func(name string) outcome) []outcome {
	all := make([]outcome, len(names))
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i, name := range names {
		group.Go(func() error {
			all[i] = do(name)
			return nil
		})
	}
	_ = group.Wait() // none returns an error: they are in the outcomes
	return all
}

func start(ctx context.Context, e *console.Env, c web.Updates, name string, req web.InterventionRequest) outcome {
	done := outcome{Site: name}
	iv, err := c.StartIntervention(ctx, e.Actor(), name, req)
	if err != nil {
		done.Error = upkeep.Told(err)
		return done
	}
	done.Intervention = iv.ID
	for _, batch := range iv.Batches {
		done.Updates += len(batch.Updates)
	}
	return done
}

// toItsEnd waits for an intervention to end. A server that goes away goes on
// with it when it comes back.
func toItsEnd(ctx context.Context, c web.Interventions, done *outcome) {
	err := c.Follow(ctx, done.Intervention, 0, func(tick web.Tick) error {
		if tick.Intervention != nil {
			done.State = tick.Intervention.State
		}
		return nil
	})
	if err != nil {
		done.Error = upkeep.Told(err)
	}
}

// report shows what came of it; the worst decides the exit status.
func report(e *console.Env, format string, all []outcome) error {
	if format == "json" {
		if err := terminal.JSON(e.Stdout, all); err != nil {
			return err
		}
	} else if err := outcomeList(e).Write(e.Out, "table", all); err != nil {
		return err
	}
	worst := console.ExitDone
	for i := range all {
		switch status := console.ExitOfState(all[i].State); {
		case all[i].Error != nil && upkeep.CodeOf(all[i].Error) != upkeep.CodeHeld:
			worst = console.ExitFailed
		case all[i].State == "" || status == console.ExitDone:
		case worst != console.ExitFailed:
			worst = max(status, worst)
			if status == console.ExitFailed {
				worst = status
			}
		}
	}
	return console.Ended(worst)
}
