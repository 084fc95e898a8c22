package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"upkeep"
	"upkeep/internal/web"
)

type serveOptions struct {
	Listen    string
	TokenFile string
}

// grace is how long requests may finish when the server stops.
const grace = 10 * time.Second

func newServeCommand(e *env) *cobra.Command {
	var opts serveOptions
	cmd := e.command("serve", "serve", plainExits)
	cmd.Flags().StringVar(&opts.Listen, "listen", "", e.text("flag.listen"))
	cmd.Flags().StringVar(&opts.TokenFile, "token-file", "", e.text("flag.token_file"))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx, stop := context.WithCancel(cmd.Context())
		defer stop()
		go func() {
			select {
			case <-e.signals:
				stop()
			case <-ctx.Done():
			}
		}()
		return runServe(ctx, e, opts)
	}
	return cmd
}

// runServe answers until ctx ends, which is success.
func runServe(ctx context.Context, e *env, opts serveOptions) (err error) {
	token, err := serveToken(e, opts)
	if err != nil {
		return err
	}
	dir, err := e.stateDir()
	if err != nil {
		return err
	}
	if e.app.Open == nil {
		return upkeep.Errorf(upkeep.CodeNotFound, "%s", e.text("serve.absent"))
	}
	socket, err := web.ListenUnix(ctx, filepath.Join(dir, web.SocketName))
	if err != nil {
		return err
	}
	defer socket.Close()
	var local net.Listener
	if opts.Listen != "" {
		if local, err = web.ListenLocal(ctx, opts.Listen); err != nil {
			return err
		}
		defer local.Close()
	}
	api, closeApp, err := e.app.Open(context.WithoutCancel(ctx), dir)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := closeApp(); err == nil {
			err = cerr
		}
	}()
	return e.serveOn(ctx, api, token, socket, local)
}

func (e *env) serveOn(ctx context.Context, api http.Handler, token string, socket, local net.Listener) error {
	group, ctx := errgroup.WithContext(ctx)
	fmt.Fprintln(e.stderr, "upkeep: "+e.text("serve.listening", "address", socket.Addr()))
	group.Go(func() error { return web.Serve(ctx, socket, api, grace) })
	if local != nil {
		fmt.Fprintln(e.stderr, "upkeep: "+e.text("serve.listening", "address", "http://"+local.Addr().String()))
		group.Go(func() error { return web.Serve(ctx, local, web.RequireToken(api, token), grace) })
	}
	return group.Wait()
}

// serveToken is the token of the TCP listener, from a file only its owner
// reads or from UPKEEP_TOKEN; never from the command line, which everyone on
// the machine can see.
func serveToken(e *env, opts serveOptions) (string, error) {
	token := e.getenv("UPKEEP_TOKEN")
	if opts.TokenFile != "" {
		info, err := os.Stat(opts.TokenFile)
		if err != nil {
			return "", upkeep.Errorf(upkeep.CodeInvalid, "token file: %w", err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			return "", upkeep.Errorf(upkeep.CodeInvalid, "token file %s: others can read it", opts.TokenFile).WithHint("chmod 600 %s", opts.TokenFile)
		}
		raw, err := os.ReadFile(opts.TokenFile)
		if err != nil {
			return "", upkeep.Errorf(upkeep.CodeInvalid, "token file: %w", err)
		}
		token = strings.TrimSpace(string(raw))
	}
	const least = 16
	if opts.Listen != "" && len(token) < least {
		return "", upkeep.Errorf(upkeep.CodeInvalid, "%s", e.text("serve.token", "count", least)).WithHint("%s", e.text("serve.token_hint"))
	}
	return token, nil
}
