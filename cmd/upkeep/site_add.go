package main

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"upkeep"
	"upkeep/cmd/upkeep/console"
	"upkeep/cmd/upkeep/show"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

type siteAddOptions struct {
	Host              string
	URL, Name, PHPLog string
	Majors, Tracked   bool
	Pages, Hold       []string
	DryRun            bool
	Format            string
}

func (o *siteAddOptions) AddFlags(e *console.Env, f *pflag.FlagSet) {
	f.StringVar(&o.Host, "host", "", e.Text("flag.host"))
	f.StringVar(&o.URL, "url", "", e.Text("flag.site_url"))
	f.StringVar(&o.Name, "name", "", e.Text("flag.site_name"))
	f.StringVar(&o.PHPLog, "php-log", "", e.Text("flag.php_log"))
	f.BoolVar(&o.Majors, "majors", false, e.Text("flag.majors"))
	f.BoolVar(&o.Tracked, "tracked", false, e.Text("flag.tracked"))
	f.StringSliceVar(&o.Pages, "page", nil, e.Text("flag.page"))
	f.StringSliceVar(&o.Hold, "hold", nil, e.Text("flag.hold"))
	f.BoolVar(&o.DryRun, "dry-run", false, e.Text("flag.dry_run"))
	e.TextFormat(f, &o.Format)
}

func newSiteAddCommand(e *console.Env) *cobra.Command {
	var opts siteAddOptions
	cmd := e.Command("site.add", "add <folder>", console.PlainExits)
	cmd.ValidArgsFunction = nil
	opts.AddFlags(e, cmd.Flags())
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, args []string) error {
		return runSiteAdd(ctx, e, c, args[0], opts)
	})
	return cmd
}

func runSiteAdd(ctx context.Context, e *console.Env, sites web.Sites, folder string, opts siteAddOptions) error {
	root, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	if opts.Host != "" && !filepath.IsAbs(folder) {
		return console.Usagef("%s", e.Text("usage.absolute", "value", folder))
	}
	site, err := sites.AddSite(ctx, e.Actor(), web.AddSiteRequest{
		Host: opts.Host, Root: root, URL: opts.URL, Name: opts.Name, DryRun: opts.DryRun,
		Policy: upkeep.Policy{
			Majors: opts.Majors, Tracked: opts.Tracked, PHPLog: opts.PHPLog, ExtraPages: opts.Pages, HoldComponents: opts.Hold,
		},
	})
	if err != nil {
		return err
	}
	if opts.Format == "json" {
		return terminal.JSON(e.Stdout, site)
	}
	return show.Added(e, site, opts.DryRun)
}
