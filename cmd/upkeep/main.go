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
	"upkeep/internal/secret"
	"upkeep/internal/store/move"
	"upkeep/internal/web/access"
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
		Args:     os.Args[1:],
		Stdin:    os.Stdin,
		Stdout:   os.Stdout,
		Stderr:   os.Stderr,
		Getenv:   os.Getenv,
		Signals:  signals,
		Clock:    time.Now,
		Version:  version,
		Database: takeDatabase(),
		App:      wire(),
	}
	code := e.Run(context.Background(), newRootCommand)
	runtime.KeepAlive(unwritten)
	os.Exit(code)
}

// takeDatabase takes the address of the database out of the environment, which
// every program that we start would have from us.
func takeDatabase() secret.Text {
	const name = "UPKEEP_DATABASE_URL"
	address := secret.NewText(os.Getenv(name))
	_ = os.Unsetenv(name) // the name is valid
	return address
}

// wire plugs the application together.
func wire() console.Application {
	open := func(ctx context.Context, place console.Place, role app.Role) (*access.Gate, func() error, error) {
		return app.Open(ctx, app.Config{Dir: place.State, Database: place.Database, Version: version, Role: role})
	}
	return console.Application{
		Open: func(ctx context.Context, place console.Place) (http.Handler, func() error, error) {
			gate, closeApp, err := open(ctx, place, app.Visitor)
			if err != nil {
				return nil, nil, err
			}
			return gate.Trusted(), closeApp, nil
		},
		Serve: func(ctx context.Context, place console.Place, duty console.Duty) (*access.Gate, func() error, error) {
			role := map[console.Duty]app.Role{console.Everything: app.Resident, console.Work: app.Resident, console.Answer: app.Desk}[duty]
			return open(ctx, place, role)
		},
		Move: func(ctx context.Context, place console.Place) ([]move.Table, error) {
			return app.Move(ctx, app.Config{Dir: place.State, Database: place.Database, Version: version})
		},
		Demo:   runDemonstration,
		Hidden: []func(*console.Env) *cobra.Command{onhost.NewCommand, newMirrorCommand},
	}
}
