package main

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"upkeep"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

type siteAddOptions struct {
	URL, Name, PHPLog string
	Majors            bool
	Pages, Hold       []string
	DryRun            bool
	Format            string
}

func (o *siteAddOptions) AddFlags(e *env, f *pflag.FlagSet) {
	f.StringVar(&o.URL, "url", "", e.text("flag.site_url"))
	f.StringVar(&o.Name, "name", "", e.text("flag.site_name"))
	f.StringVar(&o.PHPLog, "php-log", "", e.text("flag.php_log"))
	f.BoolVar(&o.Majors, "majors", false, e.text("flag.majors"))
	f.StringSliceVar(&o.Pages, "page", nil, e.text("flag.page"))
	f.StringSliceVar(&o.Hold, "hold", nil, e.text("flag.hold"))
	f.BoolVar(&o.DryRun, "dry-run", false, e.text("flag.dry_run"))
	e.textFormat(f, &o.Format)
}

func newSiteAddCommand(e *env) *cobra.Command {
	var opts siteAddOptions
	cmd := e.command("site.add", "add <folder>", plainExits)
	cmd.ValidArgsFunction = nil
	opts.AddFlags(e, cmd.Flags())
	cmd.RunE = e.calling(func(ctx context.Context, c *web.Client, args []string) error {
		return runSiteAdd(ctx, e, c, args[0], opts)
	})
	return cmd
}

func runSiteAdd(ctx context.Context, e *env, sites web.Sites, folder string, opts siteAddOptions) error {
	root, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	site, err := sites.AddSite(ctx, e.actor(), web.AddSiteRequest{
		Root: root, URL: opts.URL, Name: opts.Name, DryRun: opts.DryRun,
		Policy: upkeep.Policy{Majors: opts.Majors, PHPLog: opts.PHPLog, ExtraPages: opts.Pages, HoldComponents: opts.Hold},
	})
	if err != nil {
		return err
	}
	if opts.Format == "json" {
		return terminal.JSON(e.stdout, site)
	}
	said := "site.added"
	if opts.DryRun {
		said = "site.would_add"
	}
	if err := e.say(said, "site", site.Name); err != nil {
		return err
	}
	if err := e.showSite(site); err != nil || opts.DryRun {
		return err
	}
	return e.say("site.added_next", "site", site.Name)
}
