package main

import (
	"context"

	"github.com/spf13/cobra"

	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

func newSiteVerifyCommand(e *env) *cobra.Command {
	var format string
	cmd := e.command("site.verify", "verify <site>", plainExits)
	cmd.ValidArgsFunction = e.completeSite
	e.textFormat(cmd.Flags(), &format)
	cmd.RunE = e.calling(func(ctx context.Context, c *web.Client, args []string) error {
		return runSiteVerify(ctx, e, c, args[0], format)
	})
	return cmd
}

func runSiteVerify(ctx context.Context, e *env, checks web.Checks, site, format string) error {
	verdict, err := checks.VerifySite(ctx, site)
	if err != nil {
		return err
	}
	status := exitDone
	if !verdict.OK() {
		status = exitFailed
	}
	if format == "json" {
		if err := terminal.JSON(e.stdout, verdict); err != nil {
			return err
		}
		return ended(status)
	}
	fields := e.out.Verdict(verdict)
	fields[0].Label = site
	for i := range verdict.Checks {
		if c := &verdict.Checks[i]; c.OK {
			fields = append(fields, terminal.Field{Value: "✓ " + e.out.Check(c)})
		}
	}
	if err := e.out.Fields("", fields); err != nil {
		return err
	}
	return ended(status)
}
