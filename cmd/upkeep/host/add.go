package host

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"upkeep/cmd/upkeep/console"
	"upkeep/cmd/upkeep/show"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

type addOptions struct {
	Name               string
	Sudo, Yes          bool
	Jump, Fingerprints []string
	Format             string
}

func (o *addOptions) AddFlags(e *console.Env, f *pflag.FlagSet) {
	f.StringVar(&o.Name, "name", "", e.Text("flag.host_name"))
	f.BoolVar(&o.Sudo, "sudo", false, e.Text("flag.sudo"))
	f.StringSliceVar(&o.Jump, "jump", nil, e.Text("flag.jump"))
	f.StringSliceVar(&o.Fingerprints, "fingerprint", nil, e.Text("flag.fingerprint"))
	f.BoolVarP(&o.Yes, "yes", "y", false, e.Text("flag.yes_key"))
	e.TextFormat(f, &o.Format)
}

func newAddCommand(e *console.Env) *cobra.Command {
	var opts addOptions
	cmd := e.Command("host.add", "add <address>", console.PlainExits)
	opts.AddFlags(e, cmd.Flags())
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, args []string) error {
		return runAdd(ctx, e, c, args[0], opts)
	})
	return cmd
}

func runAdd(ctx context.Context, e *console.Env, hosts web.Hosts, address string, opts addOptions) error {
	req := web.AddHostRequest{Address: address, Name: opts.Name, Jump: opts.Jump, Sudo: opts.Sudo, Fingerprints: opts.Fingerprints}
	var err error
	req.Fingerprints, err = e.ConfirmKeys(ctx, opts.Yes, opts.Fingerprints, func(confirmed []string) ([]web.HostKey, error) {
		req.Fingerprints = confirmed
		return hosts.HostKeys(ctx, req)
	})
	if err != nil {
		return err
	}
	host, err := hosts.AddHost(ctx, e.Actor(), req)
	if err != nil {
		return err
	}
	if opts.Format == "json" {
		return terminal.JSON(e.Stdout, host)
	}
	if err := e.Say("host.added", "host", host.Name); err != nil {
		return err
	}
	if err := show.Host(e, host); err != nil {
		return err
	}
	return e.Say("host.added_next", "host", host.Name)
}
