package main

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

// changeOptions are the flags of every change that asks first.
type changeOptions struct {
	DryRun bool
	Yes    bool
	Format string
}

// AddFlags adds them.
func (o *changeOptions) AddFlags(e *env, f *pflag.FlagSet) {
	f.BoolVar(&o.DryRun, "dry-run", false, e.text("flag.dry_run"))
	f.BoolVarP(&o.Yes, "yes", "y", false, e.text("flag.yes"))
	e.textFormat(f, &o.Format)
}

func newSiteRemoveCommand(e *env) *cobra.Command {
	var opts changeOptions
	cmd := e.command("site.remove", "remove <site>", plainExits)
	cmd.ValidArgsFunction = e.completeSite
	opts.AddFlags(e, cmd.Flags())
	cmd.RunE = e.calling(func(ctx context.Context, c *web.Client, args []string) error {
		return runSiteRemove(ctx, e, c, args[0], opts)
	})
	return cmd
}

func runSiteRemove(ctx context.Context, e *env, sites web.Sites, name string, opts changeOptions) error {
	site, err := sites.Site(ctx, name)
	if err != nil {
		return err
	}
	if !opts.DryRun {
		if err := e.confirm(ctx, opts.Yes, e.text("site.ask_remove", "site", name)); err != nil {
			return err
		}
		if err := sites.RemoveSite(ctx, e.actor(), name); err != nil {
			return err
		}
	}
	if opts.Format == "json" {
		return terminal.JSON(e.stdout, site)
	}
	if opts.DryRun {
		return e.say("site.would_remove", "site", name, "root", site.Root)
	}
	return e.say("site.removed", "site", name, "root", site.Root)
}
