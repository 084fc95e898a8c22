// Command upkeep keeps sites up to date, with a full backup before and after
// every update and an undo that is proven identical.
package main

import (
	"context"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"
	_ "time/tzdata" // windows have time zones, and a host may know none

	"github.com/spf13/cobra"

	"upkeep/cmd/upkeep/app"
	"upkeep/cmd/upkeep/console"
	"upkeep/cmd/upkeep/onhost"
)

// version is set at link time.
var version = "devel"

func main() {
	debug.SetGCPercent(50) // most of our memory is buffers, in which there is nothing to search
	// An agent that answers a question has less in use than is worth a search: this
	// counts as used, and since nothing writes to it the system gives no memory for it.
	unwritten := make([]byte, 16<<20)
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
	code := e.Run(context.Background(), newRootCommand)
	runtime.KeepAlive(unwritten)
	os.Exit(code)
}

// wire plugs the application together.
func wire() console.Application {
	return console.Application{
		Open: func(ctx context.Context, dir string) (http.Handler, func() error, error) {
			return app.Open(ctx, dir, version, false)
		},
		Serve: func(ctx context.Context, dir string) (http.Handler, func() error, error) {
			return app.Open(ctx, dir, version, true)
		},
		Demo:   runDemonstration,
		Hidden: []func(*console.Env) *cobra.Command{onhost.NewCommand, newMirrorCommand},
	}
}
