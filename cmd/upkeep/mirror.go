package main

import (
	"context"
	"net"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"upkeep"
	"upkeep/internal/cms/php"
	"upkeep/internal/demo/mirror"
	"upkeep/internal/web"
)

// newMirrorCommand serves the packages in a folder as wordpress.org would.
// People do not type it: the demonstration starts it.
func newMirrorCommand(e *env) *cobra.Command {
	var withhold []string
	cmd := &cobra.Command{Use: "mirror DIR ADDRESS", Args: cobra.ExactArgs(2), RunE: func(cmd *cobra.Command, args []string) error {
		ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM)
		defer stop()
		return runMirror(ctx, args[0], args[1], withhold)
	}}
	cmd.Flags().StringSliceVar(&withhold, "withhold", nil, "slugs that are offered without a package")
	return cmd
}

func runMirror(ctx context.Context, dir, address string, withhold []string) error {
	m, err := mirror.New(mirror.Options{Dir: dir, URL: "http://" + address,
		Compare: func(a, b upkeep.Version) int { return php.CompareVersions(string(a), string(b)) }})
	if err != nil {
		return err
	}
	for _, slug := range withhold {
		m.Withhold(slug)
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return web.Serve(ctx, listener, m, time.Second)
}
