package main

import (
	"context"
	"time"

	"upkeep"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

// follower stays with an intervention: it shows what happens, passes
// interrupts on, and comes back when the server was away for a while.
type follower struct {
	*env
	client   *web.Client
	id       upkeep.InterventionID
	progress *terminal.Progress

	last  int64        // ID of the last event shown
	state upkeep.State // as last heard
	asked bool         // a stop was asked for
}

// patience is how long a server that went away is waited for, retry how often
// it is asked.
const (
	patience = time.Minute
	retry    = time.Second
)

// follow returns the state in which the intervention ended.
func (f *follower) follow(ctx context.Context) (upkeep.State, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ticks := make(chan web.Tick)
	ended := make(chan error, 1)
	go func() { ended <- f.listen(ctx, ticks) }()
	for {
		select {
		case tick := <-ticks:
			f.show(tick)
		case err := <-ended:
			return f.state, err
		case <-f.signals:
			if err := f.interrupt(ctx); err != nil {
				return f.state, err
			}
		}
	}
}

// listen sends the news, through connections that break.
func (f *follower) listen(ctx context.Context, ticks chan<- web.Tick) error {
	heard := f.clock()
	var last int64
	for {
		err := f.client.Follow(ctx, f.id, last, func(tick web.Tick) error {
			heard = f.clock()
			if tick.Event != nil {
				last = tick.Event.ID
			}
			select {
			case ticks <- tick:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		if upkeep.CodeOf(err) != upkeep.CodeUnreachable || f.clock().Sub(heard) > patience {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(retry):
		}
	}
}

func (f *follower) show(tick web.Tick) {
	if tick.Event != nil && tick.Event.ID > f.last {
		f.last = tick.Event.ID
		f.progress.Event(tick.Event)
	}
	if tick.Intervention != nil {
		f.state = tick.Intervention.State
		f.progress.Intervention(tick.Intervention)
	}
}

// interrupt handles Ctrl-C: the first asks for a stop, the second gives up
// waiting for it.
func (f *follower) interrupt(ctx context.Context) error {
	if f.asked {
		f.left = true
		return upkeep.Errorf(upkeep.CodeInterrupted, "%s", f.text("interrupt.left", "id", f.id)).
			WithHint("%s", f.text("interrupt.left_hint", "id", f.id))
	}
	f.asked = true
	_, err := f.client.CancelIntervention(ctx, f.actor(), f.id)
	switch upkeep.CodeOf(err) {
	case "":
		f.progress.Say(f.text("interrupt.asked"))
		return nil
	case upkeep.CodeConflict: // it ended in this moment; the news is on its way
		return nil
	}
	return err
}
