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
)

// TestMain lets scripts run the command with an application in memory.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"upkeep": func() {
		signals := make(chan os.Signal, 2)
		signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
		os.Exit(run(context.Background(), &env{
			args: os.Args[1:], stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv,
			signals: signals, clock: time.Now, version: "test", app: application{Open: openMemory},
		}))
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
