package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"upkeep/cmd/upkeep/console"
)

// TestMain lets scripts run the command with an application in memory.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"upkeep": func() {
		signals := make(chan os.Signal, 2)
		signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
		e := &console.Env{
			Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv,
			Signals: signals, Clock: time.Now, Version: "test", App: console.Application{Open: openMemory, Serve: serveMemory},
		}
		os.Exit(e.Run(context.Background(), newRootCommand))
	}})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("UPKEEP_STATE", filepath.Join(e.WorkDir, "state"))
			e.Setenv("LC_ALL", "en_US.UTF-8")
			e.Setenv("HOME", e.WorkDir)
			return nil
		},
	})
}
