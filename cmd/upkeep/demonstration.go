package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"sync/atomic"
	"syscall"

	"github.com/spf13/cobra"

	"upkeep/cmd/upkeep/console"
	"upkeep/internal/demo/tour"
	"upkeep/internal/terminal"
)

// demonstration runs the commands of a tour in this process, as they are.
type demonstration struct {
	*console.Env
	state    string         // folder that they work on
	signals  chan os.Signal // for the command that runs
	attended atomic.Bool    // one runs, and attends to interrupts itself
}

// runDemonstration plays a tour, or removes what one left.
func runDemonstration(ctx context.Context, e *console.Env, opts console.DemoOptions) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d := &demonstration{Env: e, signals: make(chan os.Signal, 2)}
	t := &tour.Tour{Screen: e.Out, Program: calledAs(e), Run: d.run}
	dir, err := t.In(opts.Dir)
	if err != nil {
		return err
	}
	d.state = t.State()
	go d.dispatch(ctx, cancel)
	if opts.Clean {
		return t.Clean(ctx)
	}
	if dir != opts.Dir {
		if err := e.Say("demo.elsewhere", "subject", tour.Shown(opts.Dir), "dir", dir); err != nil {
			return err
		}
	}
	return t.Play(ctx)
}

// dispatch hands interrupts to the command that runs, or ends the tour.
func (d *demonstration) dispatch(ctx context.Context, cancel context.CancelFunc) {
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-d.Env.Signals:
			if !d.attended.Load() {
				cancel()
				signal.Reset() // a second one ends the process at once
				continue
			}
			select {
			case d.signals <- s:
			default: // it has heard enough of them
			}
		}
	}
}

// run runs one command.
func (d *demonstration) run(ctx context.Context, out io.Writer, args ...string) (int, error) {
	e := *d.Env
	e.Args, e.Stdout, e.Signals = args, out, d.signals
	e.Out = terminal.Open(out, e.Texts, e.Getenv, e.Clock)
	e.Getenv = func(name string) string { // the user's own server is not for the tour
		switch name {
		case "UPKEEP_URL", "UPKEEP_TOKEN":
			return ""
		case "UPKEEP_STATE":
			return d.state
		}
		return d.Env.Getenv(name)
	}
	d.attended.Store(true)
	defer d.attended.Store(false)
	root := newRootCommand(&e)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if o, ok := errors.AsType[console.Outcome](err); ok {
		return o.Status, nil
	}
	return console.ExitDone, err
}

// calledAs is how a person calls this program.
func calledAs(e *console.Env) string {
	self, err := os.Executable()
	if err != nil {
		return "upkeep"
	}
	for _, dir := range filepath.SplitList(e.Getenv("PATH")) {
		if found, err := filepath.EvalSymlinks(filepath.Join(dir, "upkeep")); err == nil && found == self {
			return "upkeep"
		}
	}
	return tour.Shown(self)
}

// newMirrorCommand serves a tour's mirror of wordpress.org. People do not
// type it: the tour starts it.
func newMirrorCommand(*console.Env) *cobra.Command {
	return &cobra.Command{Use: tour.MirrorCommand + " DIR ADDRESS", Args: cobra.ExactArgs(2), RunE: func(cmd *cobra.Command, args []string) error {
		ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM)
		defer stop()
		return tour.Mirror(ctx, args[0], args[1])
	}}
}
