package host

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"

	"upkeep/cmd/upkeep/console"
	"upkeep/cmd/upkeep/show"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

func newScanCommand(e *console.Env) *cobra.Command {
	var paths []string
	var format string
	cmd := e.Command("host.scan", "scan [host]", console.PlainExits)
	cmd.Flags().StringSliceVar(&paths, "path", nil, e.Text("flag.scan_path"))
	e.TextFormat(cmd.Flags(), &format)
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, args []string) error {
		req := web.ScanRequest{Paths: paths}
		if len(args) > 0 {
			req.Host = args[0]
		}
		return runScan(ctx, e, c, req, format)
	})
	return cmd
}

func runScan(ctx context.Context, e *console.Env, hosts web.Applications, req web.ScanRequest, format string) error {
	for i, path := range req.Paths {
		if req.Host != "" && !filepath.IsAbs(path) {
			return console.Usagef("%s", e.Text("usage.absolute", "value", path))
		}
		whole, err := filepath.Abs(path)
		if err != nil {
			return err
		}
		req.Paths[i] = whole
	}
	result, err := hosts.ScanHost(ctx, e.Actor(), req)
	if err != nil {
		return err
	}
	if format == "json" {
		return terminal.JSON(e.Stdout, result)
	}
	return show.Scan(e, result)
}
