package main

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"upkeep"
	"upkeep/cmd/upkeep/console"
)

func newDemoCommand(e *console.Env) *cobra.Command {
	var opts console.DemoOptions
	cmd := e.Command("demo", "demo", console.PlainExits)
	cmd.Flags().StringVar(&opts.Dir, "dir", "upkeep-demo", e.Text("flag.demo_dir"))
	cmd.Flags().BoolVar(&opts.Clean, "clean", false, e.Text("flag.demo_clean"))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if e.App.Demo == nil {
			return upkeep.Errorf(upkeep.CodeNotFound, "%s", e.Text("demo.absent"))
		}
		dir, err := filepath.Abs(opts.Dir)
		if err != nil {
			return err
		}
		if opts.Dir == "" || dir == "/" {
			return console.Usagef("%s", e.Text("usage.folder", "flag", "--dir", "value", opts.Dir))
		}
		opts.Dir = dir
		return e.App.Demo(cmd.Context(), e, opts)
	}
	return cmd
}
