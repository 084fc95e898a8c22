// Package application has the commands about what scans of hosts found.
package application

import (
	"context"

	"github.com/spf13/cobra"

	"upkeep"
	"upkeep/cmd/upkeep/console"
	"upkeep/cmd/upkeep/show"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

// New returns them.
func New(e *console.Env) *cobra.Command {
	return e.Noun("application", "application", newListCommand(e), newAdoptCommand(e), newDismissCommand(e))
}

func newListCommand(e *console.Env) *cobra.Command {
	var uncovered bool
	var format string
	cmd := e.Command("application.list", "list", console.PlainExits)
	cmd.Flags().BoolVar(&uncovered, "uncovered", false, e.Text("flag.uncovered"))
	e.ListFormat(cmd.Flags(), &format)
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, _ []string) error {
		return runList(ctx, e, c, uncovered, format)
	})
	return cmd
}

func runList(ctx context.Context, e *console.Env, applications web.Applications, uncovered bool, format string) error {
	all, err := applications.Applications(ctx)
	if err != nil {
		return err
	}
	shown := []web.Application{}
	for i := range all {
		if !uncovered || all[i].Status == web.Uncovered {
			shown = append(shown, all[i])
		}
	}
	return show.Applications(e).Write(e.Out, format, shown)
}

func newAdoptCommand(e *console.Env) *cobra.Command {
	var req web.AddSiteRequest
	var format string
	cmd := e.Command("application.adopt", "adopt <application>", console.PlainExits)
	cmd.Flags().StringVar(&req.URL, "url", "", e.Text("flag.site_url"))
	cmd.Flags().StringVar(&req.Name, "name", "", e.Text("flag.site_name"))
	cmd.Flags().BoolVar(&req.DryRun, "dry-run", false, e.Text("flag.dry_run"))
	e.TextFormat(cmd.Flags(), &format)
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, args []string) error {
		return runAdopt(ctx, e, c, args[0], adoptOptions{req, format})
	})
	return cmd
}

type adoptOptions struct {
	web.AddSiteRequest
	Format string
}

func runAdopt(ctx context.Context, e *console.Env, applications web.Applications, word string, opts adoptOptions) error {
	id, err := console.ParseID[upkeep.ApplicationID](e, word)
	if err != nil {
		return err
	}
	site, err := applications.AdoptApplication(ctx, e.Actor(), id, opts.AddSiteRequest)
	if err != nil {
		return err
	}
	if opts.Format == "json" {
		return terminal.JSON(e.Stdout, site)
	}
	return show.Added(e, site, opts.DryRun)
}

func newDismissCommand(e *console.Env) *cobra.Command {
	var because, format string
	cmd := e.Command("application.dismiss", "dismiss <application>", console.PlainExits)
	cmd.Flags().StringVar(&because, "because", "", e.Text("flag.because"))
	e.TextFormat(cmd.Flags(), &format)
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, args []string) error {
		return runDismiss(ctx, e, c, args[0], dismissOptions{because, format})
	})
	return cmd
}

type dismissOptions struct{ Because, Format string }

func runDismiss(ctx context.Context, e *console.Env, applications web.Applications, word string, opts dismissOptions) error {
	id, err := console.ParseID[upkeep.ApplicationID](e, word)
	if err != nil {
		return err
	}
	found, err := applications.DismissApplication(ctx, e.Actor(), id, opts.Because)
	if err != nil {
		return err
	}
	if opts.Format == "json" {
		return terminal.JSON(e.Stdout, found)
	}
	return e.Say("application.dismissed", "application", id.String(), "root", found.Root)
}
