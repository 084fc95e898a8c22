package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"sync/atomic"

	"upkeep"
	"upkeep/internal/demo"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

// demonstration leads through the life of a site: the commands it shows are
// the real ones, run in this process on a state folder of its own.
type demonstration struct {
	*env   // of the commands
	ground *ground
	world  *demo.World
	shop   *demo.Site
	mirror *demo.Server
	client *web.Client
	act    int

	attended atomic.Bool // a command attends to interrupts itself
}

// runDemonstration builds the demonstration and plays it. Its servers stay
// when it ends well, to be visited and tried; otherwise they are stopped.
func runDemonstration(ctx context.Context, e *env, opts demoOptions) (err error) {
	dir, err := demo.Place(opts.Dir, "")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d := newDemonstration(e, groundAt(dir))
	passed := make(chan os.Signal, 2)
	d.signals = passed
	go d.dispatch(ctx, e.signals, passed, cancel)
	if opts.Clean {
		return cleanDemonstration(ctx, d.env, d.ground)
	}
	if dir != opts.Dir {
		if err := e.say("demo.elsewhere", "subject", shown(opts.Dir), "dir", dir); err != nil {
			return err
		}
	}
	if err := d.ground.take(); err != nil {
		return err
	}
	defer d.ground.leave()
	err = d.play(ctx)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		err = upkeep.Errorf(upkeep.CodeInterrupted, "%s", e.text("demo.interrupted")) // what else there is follows from it
	}
	return errors.Join(err, d.stop(context.WithoutCancel(ctx)))
}

func newDemonstration(e *env, g *ground) *demonstration {
	inner := *e
	inner.global = globalOptions{State: g.State, Lang: e.global.Lang}
	getenv := e.getenv
	inner.getenv = func(name string) string { // the user's own server is not for the demonstration
		if name == "UPKEEP_URL" || name == "UPKEEP_TOKEN" {
			return ""
		}
		return getenv(name)
	}
	return &demonstration{env: &inner, ground: g}
}

// dispatch hands interrupts to the command that attends to them, or ends the
// demonstration.
func (d *demonstration) dispatch(ctx context.Context, from <-chan os.Signal, to chan<- os.Signal, cancel context.CancelFunc) {
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-from:
			if d.attended.Load() {
				select {
				case to <- s:
				default: // it has heard enough of them
				}
				continue
			}
			cancel()
			signal.Reset() // a second one ends the process at once
		}
	}
}

// stop stops the servers of a demonstration that did not come to its end.
func (d *demonstration) stop(ctx context.Context) error {
	var err error
	if d.mirror != nil {
		err = d.mirror.Stop(ctx)
	}
	if d.world != nil {
		err = errors.Join(err, d.world.Stop(ctx))
	}
	return errors.Join(err, endAgents(ctx, d.ground.agents()),
		d.tell("demo.stopped", "command", d.cleanCommand()))
}

// play plays the acts.
func (d *demonstration) play(ctx context.Context) (err error) {
	if err := d.begin(); err != nil {
		return err
	}
	if err := d.actBuild(ctx); err != nil {
		return err
	}
	client, release, err := d.openHere(ctx, d.ground.State)
	if err != nil {
		return err
	}
	d.client = client
	defer func() {
		if rerr := release(); err == nil {
			err = rerr
		}
	}()
	for _, act := range []func(context.Context) error{d.actAdopt, d.actExamine, d.actUpdate, d.actBreak, d.actProve} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	return d.actNext()
}

// actBuild makes a shop that is behind, from nothing.
func (d *demonstration) actBuild(ctx context.Context) error {
	if err := d.heading("demo.act_build"); err != nil {
		return err
	}
	if err := d.clearEarlier(ctx); err != nil {
		return err
	}
	if err := d.build(ctx); err != nil {
		return err
	}
	return d.visitNow(ctx)
}

// clearEarlier removes what an earlier demonstration left, if there is any.
func (d *demonstration) clearEarlier(ctx context.Context) error {
	if _, err := os.Lstat(d.ground.world()); errors.Is(err, os.ErrNotExist) {
		return d.ground.clear(ctx) // it may have ended before that
	}
	return d.work("demo.cleared", func() ([]any, error) { return nil, d.ground.clear(ctx) })
}

func (d *demonstration) actAdopt(ctx context.Context) error {
	if err := d.heading("demo.act_adopt"); err != nil {
		return err
	}
	if err := errors.Join(d.tell("demo.adopt"), d.typed("export", "UPKEEP_STATE="+shown(d.ground.State)),
		d.command("site", "add", shown(d.shop.Root), "--name "+shopName, "--url "+d.shop.URL, "--majors")); err != nil {
		return err
	}
	return runSiteAdd(ctx, d.env, d.client, d.shop.Root, siteAddOptions{Name: shopName, URL: d.shop.URL, Majors: true, Format: "text"})
}

func (d *demonstration) actExamine(ctx context.Context) error {
	if err := errors.Join(d.heading("demo.act_examine"), d.command("site", "inventory", shopName)); err != nil {
		return err
	}
	if err := runSiteInventory(ctx, d.env, d.client, shopName, true, "table"); err != nil {
		return err
	}
	if err := d.command("update", "list", shopName); err != nil {
		return err
	}
	return runUpdateList(ctx, d.env, d.client, []string{shopName}, updateListOptions{Format: "table"})
}

func (d *demonstration) actUpdate(ctx context.Context) error {
	if err := errors.Join(d.heading("demo.act_update"), d.tell("demo.update"), d.command("site", "update", shopName, "--yes")); err != nil {
		return err
	}
	if err := d.update(ctx, upkeep.Done); err != nil {
		return err
	}
	return d.visitNow(ctx)
}

// actBreak is the next evening: new releases, one of which breaks the shop.
func (d *demonstration) actBreak(ctx context.Context) error {
	releases := nextReleases()
	if err := errors.Join(d.heading("demo.act_break"), d.tell("demo.break", "count", len(releases), "component", culprit)); err != nil {
		return err
	}
	if err := d.publish(ctx, releases); err != nil {
		return err
	}
	if err := errors.Join(d.visitNow(ctx), d.command("update", "list", shopName)); err != nil {
		return err
	}
	if err := runUpdateList(ctx, d.env, d.client, []string{shopName}, updateListOptions{Format: "table"}); err != nil {
		return err
	}
	if err := d.command("site", "update", shopName, "--yes"); err != nil {
		return err
	}
	if err := d.update(ctx, upkeep.Partial); err != nil {
		return err
	}
	return d.visitNow(ctx)
}

// update runs an intervention as site update does, which must end as told.
// What it would do was listed just before and is not listed again.
func (d *demonstration) update(ctx context.Context, want upkeep.State) error {
	started, err := d.client.StartIntervention(ctx, d.actor(), shopName, web.InterventionRequest{})
	if err != nil {
		return err
	}
	d.attended.Store(true)
	defer d.attended.Store(false)
	err = d.accompany(ctx, d.client, started, "text")
	if o, ok := errors.AsType[outcome](err); ok && o.status == exitOfState(want) {
		return nil
	}
	return err
}

// actProve shows what can be checked without trusting anybody.
func (d *demonstration) actProve(ctx context.Context) error {
	if err := errors.Join(d.heading("demo.act_prove"), d.command("backup", "list", shopName)); err != nil {
		return err
	}
	if err := runBackupList(ctx, d.env, d.client, shopName, "table"); err != nil {
		return err
	}
	if err := d.command("ledger", "verify"); err != nil {
		return err
	}
	if err := runLedgerVerify(ctx, d.env, d.client, "text"); err != nil {
		return err
	}
	backups, err := d.client.Backups(ctx, shopName)
	if err != nil {
		return err
	}
	if len(backups) == 0 {
		return upkeep.Errorf(upkeep.CodeInternal, "no backup after two interventions")
	}
	restic := []string{"restic", "-r", shown(filepath.Join(d.ground.State, "vault")), "--password-command", "'" + d.program() + " vault password'"}
	restored := shown(filepath.Join(d.ground.Dir, "restored"))
	return errors.Join(d.write(""), d.tell("demo.restic"), d.typed(append(restic, "snapshots")...),
		d.typed(append(restic, "restore", backups[0].Snapshot[:8], "--target", restored)...),
		d.write(""), d.tell("demo.reload", "where", filepath.Join(restored, "database", "README.txt")))
}

// actNext says what there is to try.
func (d *demonstration) actNext() error {
	err := d.heading("demo.act_next")
	fields := []terminal.Field{
		{Label: d.text("demo.next_site"), Value: d.shop.URL},
		{Label: d.text("demo.next_admin"), Value: d.shop.Path("wp-admin/")},
		{Value: d.shop.User + " / " + d.shop.Password},
		{Label: d.text("demo.next_try"), Value: "export UPKEEP_STATE=" + shown(d.ground.State)},
	}
	for _, line := range []string{"site show shop", "intervention log 2", "backup restore 3 --in-place", "site freeze shop", "site thaw shop"} {
		fields = append(fields, terminal.Field{Value: d.program() + " " + line})
	}
	fields = append(fields, terminal.Field{Label: d.text("demo.next_clean"), Value: d.cleanCommand()})
	return errors.Join(err, d.out.Fields("  ", fields), d.write(""), d.tell("demo.stays"))
}
