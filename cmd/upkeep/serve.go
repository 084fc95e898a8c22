package main

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"upkeep"
	"upkeep/cmd/upkeep/console"
	"upkeep/internal/web/access"
	"upkeep/internal/web/listen"
)

type serveOptions struct {
	Listen     string
	TokenFile  string
	WorkerOnly bool
	WebOnly    bool
}

// duty is what of a daemon is asked for.
func (o serveOptions) duty() console.Duty {
	switch {
	case o.WorkerOnly:
		return console.Work
	case o.WebOnly:
		return console.Answer
	}
	return console.Everything
}

// grace is how long requests may finish when the server stops.
const grace = 10 * time.Second

func newServeCommand(e *console.Env) *cobra.Command {
	var opts serveOptions
	cmd := e.Command("serve", "serve", console.PlainExits)
	cmd.Flags().StringVar(&opts.Listen, "listen", "", e.Text("flag.listen"))
	cmd.Flags().StringVar(&opts.TokenFile, "token-file", "", e.Text("flag.token_file"))
	cmd.Flags().BoolVar(&opts.WorkerOnly, "worker-only", false, e.Text("flag.worker_only"))
	cmd.Flags().BoolVar(&opts.WebOnly, "web-only", false, e.Text("flag.web_only"))
	cmd.MarkFlagsMutuallyExclusive("worker-only", "web-only")
	cmd.MarkFlagsMutuallyExclusive("worker-only", "listen")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx, stop := context.WithCancel(cmd.Context())
		defer stop()
		go func() {
			select {
			case <-e.Signals:
				stop()
			case <-ctx.Done():
			}
		}()
		return runServe(ctx, e, opts)
	}
	return cmd
}

// runServe answers until ctx ends, which is success.
func runServe(ctx context.Context, e *console.Env, opts serveOptions) (err error) {
	token, err := serveToken(e, opts)
	if err != nil {
		return err
	}
	dir, err := e.StateDir()
	if err != nil {
		return err
	}
	if e.App.Serve == nil {
		return upkeep.Errorf(upkeep.CodeNotFound, "%s", e.Text("serve.absent"))
	}
	on := listeners{token: token}
	if !opts.WorkerOnly {
		if on, err = listenOn(ctx, dir, opts.Listen, token); err != nil {
			return err
		}
		defer on.close()
	}
	gate, closeApp, err := e.App.Serve(context.WithoutCancel(ctx), console.Place{State: dir, Database: e.Database}, opts.duty())
	if err != nil {
		return err
	}
	defer func() {
		if cerr := closeApp(); err == nil {
			err = cerr
		}
	}()
	if opts.WorkerOnly {
		fmt.Fprintln(e.Stderr, "upkeep: "+e.Text("serve.working"))
		<-ctx.Done()
		return nil
	}
	return serveOn(ctx, e, gate, on)
}

// listeners are where the server answers.
type listeners struct {
	socket net.Listener // of the state folder: who may open it is let in
	local  net.Listener // nil for none
	token  string       // that requests to local carry
}

func listenOn(ctx context.Context, dir, address, token string) (on listeners, err error) {
	on.token = token
	if on.socket, err = listen.Unix(ctx, filepath.Join(dir, listen.SocketName)); err != nil || address == "" {
		return on, err
	}
	if on.local, err = listen.Local(ctx, address); err != nil {
		on.close()
	}
	return on, err
}

func (l listeners) close() {
	_ = l.socket.Close() // a server that ended has closed it
	if l.local != nil {
		_ = l.local.Close()
	}
}

func serveOn(ctx context.Context, e *console.Env, gate *access.Gate, on listeners) error {
	group, ctx := errgroup.WithContext(ctx)
	fmt.Fprintln(e.Stderr, "upkeep: "+e.Text("serve.listening", "address", on.socket.Addr()))
	group.Go(func() error { return listen.Serve(ctx, on.socket, gate.Trusted(), grace) })
	if on.local != nil {
		fmt.Fprintln(e.Stderr, "upkeep: "+e.Text("serve.listening", "address", "http://"+on.local.Addr().String()))
		group.Go(func() error { return listen.Serve(ctx, on.local, gate.Public(on.token), grace) })
	}
	return group.Wait()
}

// serveToken is the token by which programs are let in on the TCP listener, ""
// when only people are: from a file only its owner reads or from UPKEEP_TOKEN;
// never from the command line, which everyone on the machine can see.
func serveToken(e *console.Env, opts serveOptions) (string, error) {
	token := e.Getenv("UPKEEP_TOKEN")
	if opts.TokenFile != "" {
		var err error
		if token, err = console.PrivateFile(opts.TokenFile); err != nil {
			told := upkeep.Errorf(upkeep.CodeInvalid, "token file: %w", err)
			if upkeep.HintOf(err) == "" {
				told = told.WithHint("%s", e.Text("serve.token_hint"))
			}
			return "", told
		}
	}
	const least = 16
	if (token != "" || opts.TokenFile != "") && len(token) < least {
		return "", upkeep.Errorf(upkeep.CodeInvalid, "%s", e.Text("serve.token", "count", least)).WithHint("%s", e.Text("serve.token_hint"))
	}
	return token, nil
}
