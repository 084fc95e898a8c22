// Command upkeep keeps sites up to date, with a full backup before and after
// every update and an undo that is proven identical.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// version is set at link time.
var version = "devel"

func main() {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	os.Exit(run(context.Background(), &env{
		args:    os.Args[1:],
		stdin:   os.Stdin,
		stdout:  os.Stdout,
		stderr:  os.Stderr,
		getenv:  os.Getenv,
		signals: signals,
		clock:   time.Now,
		version: version,
		app:     wire(),
	}))
}
