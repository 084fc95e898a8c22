// Package onhost has the command that runs on a host: the agent of a site, its
// guard, and what starts them for a control plane elsewhere.
package onhost

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"upkeep"
	"upkeep/cmd/upkeep/app"
	"upkeep/cmd/upkeep/console"
	"upkeep/internal/agent"
	"upkeep/internal/agent/post"
	"upkeep/internal/agent/scan"
	"upkeep/internal/cms"
	"upkeep/internal/cms/dokuwiki"
	"upkeep/internal/cms/drupal"
	"upkeep/internal/cms/joomla"
	"upkeep/internal/cms/known"
	"upkeep/internal/cms/mediawiki"
	"upkeep/internal/cms/wordpress"
)

// idleTime is how long an agent stays when there is nothing to do.
const idleTime = 2 * time.Minute

// NewCommand returns the command. People do not type it: the control plane
// starts it, the agent of a site as its owner.
func NewCommand(e *console.Env) *cobra.Command {
	cmd := &cobra.Command{Use: "agent", Hidden: true}
	cmd.AddCommand(
		&cobra.Command{Use: "guard DIR ROOT", Args: cobra.ExactArgs(2), RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM)
			defer stop()
			return agent.Guard(ctx, args[0], []string{"/proc/self/exe", "agent", "run", args[0], args[1]})
		}},
		&cobra.Command{Use: "post DIR", Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
			return runPost(cmd.Context(), e, args[0])
		}},
		&cobra.Command{Use: "run DIR ROOT", Args: cobra.ExactArgs(2), RunE: func(cmd *cobra.Command, args []string) error {
			return runAgent(cmd, args[0], args[1])
		}},
		&cobra.Command{Use: "scan", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			return scan.Serve(cmd.Context(), e.Stdin, e.Stdout, drivers(wordpress.New()))
		}},
	)
	return cmd
}

// runPost starts agents on this host for a control plane elsewhere, for as
// long as that is connected to our input and output.
func runPost(ctx context.Context, e *console.Env, dir string) error {
	local := &post.Local{Dir: filepath.Join(dir, "agents"), Guard: app.Guard(), Program: agent.Program(), Scanner: app.Scanner()}
	return post.Serve(ctx, stdio{e.Stdin, e.Stdout}, post.Greeting(e.Version), local)
}

// stdio is our input and output as one stream.
type stdio struct {
	io.Reader
	io.Writer
}

// Close does nothing: both end with the process.
func (stdio) Close() error { return nil }

// drivers are those of all that can be on a host, what is maintained first.
func drivers(wordpress *wordpress.Driver) cms.Drivers {
	return append(cms.Drivers{wordpress, joomla.New(), drupal.New(), dokuwiki.New(), mediawiki.New()}, known.Drivers()...)
}

func runAgent(cmd *cobra.Command, dir, root string) error {
	syscall.Umask(0o077)
	if err := agent.Lock(dir); err != nil {
		if upkeep.CodeOf(err) == upkeep.CodeConflict {
			return nil // the other one serves
		}
		return err
	}
	log, err := agent.OpenLog(dir)
	if err != nil {
		return err
	}
	wordpress := wordpress.New()
	cache := filepath.Join(dir, "headers")
	if err := wordpress.Cache.Load(cache); err != nil {
		log.Warn("start without remembered headers", "error", err)
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM)
	defer stop()
	a, err := agent.New(agent.Config{
		Dir: filepath.Clean(dir), Root: filepath.Clean(root), Drivers: drivers(wordpress),
		PHP: os.Getenv("UPKEEP_PHP"), Log: log, Now: time.Now, Idle: idleTime, Adopts: true,
	})
	if err != nil {
		log.Error("start", "error", err)
		return err
	}
	err = a.Run(ctx)
	if err := errors.Join(err, wordpress.Cache.Save(cache)); err != nil {
		log.Error("run", "error", err)
		return err
	}
	return nil
}
