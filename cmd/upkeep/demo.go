package main

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"upkeep"
)

// demoOptions is what the demonstration is told.
type demoOptions struct {
	Dir   string // absolute; everything it makes is below
	Clean bool   // remove what an earlier one left, and end
}

func newDemoCommand(e *env) *cobra.Command {
	var opts demoOptions
	cmd := e.command("demo", "demo", plainExits)
	cmd.Flags().StringVar(&opts.Dir, "dir", "upkeep-demo", e.text("flag.demo_dir"))
	cmd.Flags().BoolVar(&opts.Clean, "clean", false, e.text("flag.demo_clean"))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if e.app.Demo == nil {
			return upkeep.Errorf(upkeep.CodeNotFound, "%s", e.text("demo.absent"))
		}
		dir, err := filepath.Abs(opts.Dir)
		if err != nil {
			return err
		}
		if opts.Dir == "" || dir == "/" {
			return usagef("%s", e.text("usage.folder", "flag", "--dir", "value", opts.Dir))
		}
		opts.Dir = dir
		return e.app.Demo(cmd.Context(), e, opts)
	}
	return cmd
}
