// Command upkeep keeps sites up to date, with a full backup before and after
// every update and an undo that is proven identical.
package main

import (
	"context"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"
	_ "time/tzdata" // windows have time zones, and a host may know none

	"github.com/spf13/cobra"

	"upkeep/cmd/upkeep/app"
	"upkeep/cmd/upkeep/console"
	"upkeep/cmd/upkeep/onhost"
	"upkeep/internal/web/access"
)

// version is set at link time.
var version = "devel"

func main() {
	debug.SetGCPercent(50) // most of our memory is buffers, in which there is nothing to search
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	e := &console.Env{
		Args:    os.Args[1:],
		Stdin:   os.Stdin,
		Stdout:  os.Stdout,
		Stderr:  os.Stderr,
		Getenv:  os.Getenv,
		Signals: signals,
		Clock:   time.Now,
		Version: version,
		App:     wire(),
	}
	os.Exit(e.Run(context.Background(), newRootCommand))
}

// wire plugs the application together.
func wire() console.Application {
	return console.Application{
		Open: func(ctx context.Context, dir string) (http.Handler, func() error, error) {
			gate, closeApp, err := app.Open(ctx, dir, version, false)
			if err != nil {
				return nil, nil, err
			}
			return gate.Trusted(), closeApp, nil
		},
		Serve: func(ctx context.Context, dir string) (*access.Gate, func() error, error) {
			return app.Open(ctx, dir, version, true)
		},
		Demo:   runDemonstration,
		Hidden: []func(*console.Env) *cobra.Command{onhost.NewCommand, newMirrorCommand},
	}
}
