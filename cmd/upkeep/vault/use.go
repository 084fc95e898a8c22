package vault

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"upkeep"
	"upkeep/cmd/upkeep/console"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

type useOptions struct {
	AccessKey, SecretFile string
	Fingerprints          []string
	Move, Yes             bool
	Format                string
}

func (o *useOptions) AddFlags(e *console.Env, f *pflag.FlagSet) {
	f.BoolVar(&o.Move, "move", false, e.Text("flag.move"))
	f.StringVar(&o.AccessKey, "access-key", "", e.Text("flag.access_key"))
	f.StringVar(&o.SecretFile, "secret-file", "", e.Text("flag.secret_file"))
	f.StringSliceVar(&o.Fingerprints, "fingerprint", nil, e.Text("flag.fingerprint"))
	f.BoolVarP(&o.Yes, "yes", "y", false, e.Text("flag.yes_key"))
	e.TextFormat(f, &o.Format)
}

func newUseCommand(e *console.Env) *cobra.Command {
	var opts useOptions
	cmd := e.Command("vault.use", "use <address>", console.PlainExits)
	cmd.Example = e.Text("cmd.vault.use.example")
	opts.AddFlags(e, cmd.Flags())
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, args []string) error {
		return runUse(ctx, e, c, args[0], opts)
	})
	return cmd
}

func runUse(ctx context.Context, e *console.Env, vaults web.Vaults, address string, opts useOptions) error {
	at, err := upkeep.ParseStorage(address)
	if err != nil {
		return err
	}
	req := web.UseVaultRequest{URL: address, Move: opts.Move}
	if at.Kind == upkeep.S3Storage {
		if req.AccessKey, req.SecretKey, err = keys(e, opts); err != nil {
			return err
		}
	}
	req.Fingerprints, err = e.ConfirmKeys(ctx, opts.Yes, opts.Fingerprints, func(confirmed []string) ([]web.HostKey, error) {
		req.Fingerprints = confirmed
		return vaults.StorageKeys(ctx, req)
	})
	if err != nil {
		return err
	}
	used, err := console.Working(e, func(progress func(upkeep.Progress)) (*web.Vault, error) {
		return vaults.UseVault(ctx, e.Actor(), req, progress)
	})
	if err != nil {
		return err
	}
	if opts.Format == "json" {
		return terminal.JSON(e.Stdout, used)
	}
	if err := e.Say("vault.used"); err != nil {
		return err
	}
	return e.Out.Fields("", fields(e, used))
}

// keys are those of S3, from where restic has them too, or from a file. The
// secret one is never taken from the command line, which everyone on the
// machine can see.
func keys(e *console.Env, opts useOptions) (access, secret string, err error) {
	access, secret = opts.AccessKey, e.Getenv("AWS_SECRET_ACCESS_KEY")
	if access == "" {
		access = e.Getenv("AWS_ACCESS_KEY_ID")
	}
	if opts.SecretFile != "" {
		secret, err = console.PrivateFile(opts.SecretFile)
	}
	return access, secret, err
}
