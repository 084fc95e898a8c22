package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"upkeep"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

type siteUpdateOptions struct {
	changeOptions
	Only, Except []string
	Security     bool
}

func (o *siteUpdateOptions) AddFlags(e *env, f *pflag.FlagSet) {
	f.StringSliceVar(&o.Only, "only", nil, e.text("flag.only"))
	f.StringSliceVar(&o.Except, "except", nil, e.text("flag.except"))
	f.BoolVar(&o.Security, "security", false, e.text("flag.security"))
	o.changeOptions.AddFlags(e, f)
}

func newSiteUpdateCommand(e *env) *cobra.Command {
	var opts siteUpdateOptions
	cmd := e.command("site.update", "update <site>", updateExits)
	cmd.ValidArgsFunction = e.completeSite
	cmd.Example = e.text("cmd.site.update.example")
	opts.AddFlags(e, cmd.Flags())
	run := e.attending(func(ctx context.Context, c *web.Client, args []string) error {
		return runSiteUpdate(ctx, e, c, args[0], opts)
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return run(cmd.Context(), args) }
	return cmd
}

// runSiteUpdate shows what would be done, asks, starts the intervention and
// stays with it to its end.
func runSiteUpdate(ctx context.Context, e *env, c *web.Client, site string, opts siteUpdateOptions) error {
	req := web.InterventionRequest{Only: opts.Only, Except: opts.Except, Security: opts.Security, DryRun: true}
	plan, err := c.StartIntervention(ctx, e.actor(), site, req)
	if err != nil {
		return err
	}
	if opts.DryRun && opts.Format == "json" {
		return terminal.JSON(e.stdout, plan)
	}
	count := 0
	for _, b := range plan.Batches {
		count += len(b.Updates)
	}
	if count == 0 {
		return e.nothingToUpdate(site, opts.Format, plan)
	}
	screen := e.out
	if opts.Format == "json" {
		screen = e.notice
	}
	if err := e.showBatches(screen, plan.Batches); err != nil || opts.DryRun {
		return err
	}
	if err := e.confirm(ctx, opts.Yes, e.text("update.ask", "count", count, "site", site)); err != nil {
		return err
	}
	req.DryRun = false
	started, err := c.StartIntervention(ctx, e.actor(), site, req)
	if err != nil {
		return err
	}
	return e.accompany(ctx, c, started, opts.Format)
}

func (e *env) nothingToUpdate(site, format string, plan *upkeep.Intervention) error {
	if format == "json" {
		return terminal.JSON(e.stdout, plan)
	}
	return e.say("update.nothing", "site", site)
}

// showBatches lists what goes together, in order.
func (e *env) showBatches(screen *terminal.Screen, batches []upkeep.Batch) error {
	var updates []upkeep.Update
	for _, b := range batches {
		for _, u := range b.Updates {
			u.Batch = b.Number
			updates = append(updates, u)
		}
	}
	list := e.updateList()
	return list.Write(screen, "table", updates)
}

// updateList is how updates are listed.
func (e *env) updateList() *terminal.List[upkeep.Update] {
	type u = upkeep.Update
	return &terminal.List[u]{
		Empty: e.text("update.none"),
		ID:    (*u).Ref,
		Columns: []terminal.Column[u]{
			{Title: e.text("col.component"), Name: "ref", Wrap: true, Cell: (*u).Ref},
			{Title: e.text("col.from"), Name: "from", Cell: func(x *u) string { return string(x.Component.Version) }},
			{Title: e.text("col.to"), Name: "to", Cell: func(x *u) string { return string(x.Release.Version) }},
			{Title: e.text("col.batch"), Name: "batch", Right: true, Cell: func(x *u) string { return batchNumber(x.Batch) }},
			{Title: e.text("col.decision"), Name: "disposition", Paint: decisionPaint, Cell: func(x *u) string { return e.decision(x) },
				Raw: func(x *u) string { return string(x.Disposition) }},
			{Title: e.text("col.why"), Name: "reasons", Wrap: true, Cell: func(x *u) string { return e.reasons(x.Reasons) }, Raw: reasonCodes},
		},
	}
}

func batchNumber(n int) string {
	if n == 0 {
		return ""
	}
	return itoa(n)
}

func decisionPaint(u *upkeep.Update) terminal.Paint {
	switch {
	case u.Disposition != upkeep.Ready:
		return terminal.Warn
	case u.Security:
		return terminal.Bad
	}
	return terminal.Good
}

// decision says what is to become of an update; a security update that is
// ready is just called that.
func (e *env) decision(u *upkeep.Update) string {
	switch text := e.texts.Code("disposition", string(u.Disposition), nil); {
	case !u.Security:
		return text
	case u.Disposition == upkeep.Ready:
		return e.text("update.security")
	default:
		return text + ", " + e.text("update.security")
	}
}

func (e *env) reasons(reasons []upkeep.Reason) string {
	texts := make([]string, len(reasons))
	for i, r := range reasons {
		texts[i] = e.out.Reason(r)
	}
	return strings.Join(texts, e.text("list.separator"))
}

func reasonCodes(u *upkeep.Update) string {
	codes := make([]string, len(u.Reasons))
	for i, r := range u.Reasons {
		codes[i] = r.Code
	}
	return strings.Join(codes, " ")
}

// showRecord writes the record of an intervention.
func (e *env) showRecord(record *web.Record, format string) error {
	if format == "json" {
		return terminal.JSON(e.stdout, record)
	}
	return e.out.Record(&terminal.Record{
		Intervention: &record.Intervention,
		Site:         record.SiteName,
		Before:       record.BeforeBackup,
		After:        record.AfterBackup,
		Holds:        record.Holds,
		Tasks:        record.Tasks,
	})
}

// accompany shows an intervention to its end, then its record. The first
// interrupt asks the server to stop it in good order, the second one leaves
// it to the agent.
func (e *env) accompany(ctx context.Context, c *web.Client, started *upkeep.Intervention, format string) error {
	f := &follower{env: e, client: c, id: started.ID, progress: terminal.NewProgress(e.notice)}
	f.progress.Intervention(started)
	state, err := f.follow(ctx)
	f.progress.Close()
	if err != nil {
		return err
	}
	record, err := c.Intervention(ctx, started.ID)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(e.stderr); err != nil {
		return err
	}
	if err := e.showRecord(record, format); err != nil {
		return err
	}
	if f.asked {
		fmt.Fprintln(e.stderr, "upkeep: "+e.text("interrupt.ended", "state", e.texts.Code("state", string(state), nil)))
		return ended(exitInterrupted)
	}
	return ended(exitOfState(state))
}
