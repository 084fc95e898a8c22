package main

import (
	"context"

	"github.com/spf13/cobra"

	"upkeep/cmd/upkeep/console"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

func newSiteVerifyCommand(e *console.Env) *cobra.Command {
	var format string
	cmd := e.Command("site.verify", "verify <site>", console.PlainExits)
	cmd.ValidArgsFunction = e.CompleteSite
	e.TextFormat(cmd.Flags(), &format)
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, args []string) error {
		return runSiteVerify(ctx, e, c, args[0], format)
	})
	return cmd
}

func runSiteVerify(ctx context.Context, e *console.Env, checks web.Checks, site, format string) error {
	verdict, err := checks.VerifySite(ctx, site)
	if err != nil {
		return err
	}
	status := console.ExitDone
	if !verdict.OK() {
		status = console.ExitFailed
	}
	if format == "json" {
		if err := terminal.JSON(e.Stdout, verdict); err != nil {
			return err
		}
		return console.Ended(status)
	}
	fields := e.Out.Verdict(verdict)
	fields[0].Label = site
	for i := range verdict.Checks {
		if c := &verdict.Checks[i]; c.OK {
			fields = append(fields, e.Out.Passed(c))
		}
	}
	if err := e.Out.Fields("", fields); err != nil {
		return err
	}
	return console.Ended(status)
}
