package planning

import (
	"context"

	"github.com/spf13/cobra"

	"upkeep"
	"upkeep/cmd/upkeep/console"
	"upkeep/cmd/upkeep/show"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

// NewRelease returns the commands about releases that no site may get.
func NewRelease(e *console.Env) *cobra.Command {
	return e.Noun("release", "release", newReleaseShow(e), newReleaseHold(e), newReleaseAllow(e))
}

func newReleaseShow(e *console.Env) *cobra.Command {
	var format string
	cmd := e.Command("release.show", "show [cms] [component] [version]", console.PlainExits)
	cmd.Example = e.Text("cmd.release.show.example")
	e.ListFormat(cmd.Flags(), &format)
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, args []string) error {
		switch len(args) {
		case 0:
		case 3:
			rollout, err := c.Rollout(ctx, upkeep.CMS(args[0]), args[1], upkeep.Version(args[2]))
			if err != nil {
				return err
			}
			return showRollout(e, rollout, format)
		default:
			return console.Usagef("%s", e.Text("usage.release", "command", console.Words(cmd)))
		}
		holds, err := c.ReleaseHolds(ctx)
		if err != nil {
			return err
		}
		return releaseList(e).Write(e.Out, format, holds)
	})
	return cmd
}

func releaseList(e *console.Env) *terminal.List[upkeep.ReleaseHold] {
	type h = upkeep.ReleaseHold
	return &terminal.List[h]{
		Empty: e.Text("release.none"),
		ID:    func(x *h) string { return x.Component },
		Columns: []terminal.Column[h]{
			{Title: e.Text("col.cms"), Name: "cms", Cell: func(x *h) string { return e.Texts.Code("cms", string(x.CMS), nil) },
				Raw: func(x *h) string { return string(x.CMS) }},
			{Title: e.Text("col.component"), Name: "component", Wrap: true, Cell: func(x *h) string { return x.Component }},
			{Title: e.Text("col.version"), Name: "version", Cell: func(x *h) string { return orDash(string(x.Version)) },
				Raw: func(x *h) string { return string(x.Version) }},
			{Title: e.Text("col.at"), Name: "created", Cell: func(x *h) string { return terminal.Instant(x.Created) },
				Raw: func(x *h) string { return show.Instant(x.Created) }},
			{Title: e.Text("col.why"), Name: "because", Wrap: true, Cell: func(x *h) string { return e.Texts.Code("because", x.Because, nil) },
				Raw: func(x *h) string { return x.Because }},
			{Title: e.Text("col.actor"), Name: "actor", Wrap: true, Cell: func(x *h) string { return x.Actor }},
		},
	}
}

// named is the release that arguments name.
func named(args []string) upkeep.ReleaseHold {
	hold := upkeep.ReleaseHold{CMS: upkeep.CMS(args[0]), Component: args[1]}
	if len(args) > 2 {
		hold.Version = upkeep.Version(args[2])
	}
	return hold
}

func newReleaseHold(e *console.Env) *cobra.Command {
	var because, format string
	cmd := e.Command("release.hold", "hold <cms> <component> [version]", console.PlainExits)
	cmd.Example = e.Text("cmd.release.hold.example")
	cmd.Flags().StringVar(&because, "because", "", e.Text("flag.because"))
	e.TextFormat(cmd.Flags(), &format)
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, args []string) error {
		wanted := named(args)
		wanted.Because = because
		hold, err := c.HoldRelease(ctx, e.Actor(), wanted)
		if err != nil {
			return err
		}
		if format == "json" {
			return terminal.JSON(e.Stdout, hold)
		}
		return e.Say("release.held", "component", hold.Component, "version", orDash(string(hold.Version)))
	})
	return cmd
}

func newReleaseAllow(e *console.Env) *cobra.Command {
	cmd := e.Command("release.allow", "allow <cms> <component> [version]", console.PlainExits)
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, args []string) error {
		hold := named(args)
		if err := c.AllowRelease(ctx, e.Actor(), hold); err != nil {
			return err
		}
		return e.Say("release.allowed", "component", hold.Component, "version", orDash(string(hold.Version)))
	})
	return cmd
}
