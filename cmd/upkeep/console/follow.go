package console

import (
	"context"
	"time"

	"upkeep"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

// Follower stays with an intervention: it shows what happens, passes
// interrupts on, and comes back when the server was away for a while.
type Follower struct {
	*Env
	Client   *web.Client
	ID       upkeep.InterventionID
	Progress *terminal.Progress

	last  int64        // ID of the last event shown
	state upkeep.State // as last heard
	Asked bool         // a stop was asked for
}

// patience is how long a server that went away is waited for, retry how often
// it is asked.
const (
	patience = time.Minute
	retry    = time.Second
)

// Follow returns the state in which the intervention ended.
func (f *Follower) Follow(ctx context.Context) (upkeep.State, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ticks := make(chan web.Tick)
	ended := make(chan error, 1)
	go func() { ended <- f.listen(ctx, ticks) }()
	for {
		select {
		case tick := <-ticks:
			f.Show(tick)
		case err := <-ended:
			return f.state, err
		case <-f.Signals:
			if err := f.interrupt(ctx); err != nil {
				return f.state, err
			}
		}
	}
}

// listen sends the news, through connections that break.
func (f *Follower) listen(ctx context.Context, ticks chan<- web.Tick) error {
	heard := f.Clock()
	var last int64
	for {
		err := f.Client.Follow(ctx, f.ID, last, func(tick web.Tick) error {
			heard = f.Clock()
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
		if upkeep.CodeOf(err) != upkeep.CodeUnreachable || f.Clock().Sub(heard) > patience {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(retry):
		}
	}
}

// Show shows one piece of news.
func (f *Follower) Show(tick web.Tick) {
	if tick.Event != nil && tick.Event.ID > f.last {
		f.last = tick.Event.ID
		f.Progress.Event(tick.Event)
	}
	if tick.Intervention != nil {
		f.state = tick.Intervention.State
		f.Progress.Intervention(tick.Intervention)
	}
}

// interrupt handles Ctrl-C: the first asks for a stop, the second gives up
// waiting for it.
func (f *Follower) interrupt(ctx context.Context) error {
	if f.Asked {
		f.left = true
		return upkeep.Errorf(upkeep.CodeInterrupted, "%s", f.Text("interrupt.left", "id", f.ID)).
			WithHint("%s", f.Text("interrupt.left_hint", "id", f.ID))
	}
	f.Asked = true
	_, err := f.Client.CancelIntervention(ctx, f.Actor(), f.ID)
	switch upkeep.CodeOf(err) {
	case "":
		f.Progress.Say(f.Text("interrupt.asked"))
		return nil
	case upkeep.CodeConflict: // it ended in this moment; the news is on its way
		return nil
	}
	return err
}
