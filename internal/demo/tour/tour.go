// Package tour leads through the life of a site: on a real WordPress that is
// behind, with its own servers and a mirror of wordpress.org, it runs the
// commands that a person would type, and shows them. Everything it makes lies
// in one folder, and goes away with it.
package tour

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"upkeep"
	"upkeep/internal/demo"
	"upkeep/internal/terminal"
)

// Exit statuses of the commands that the tour tells apart.
const (
	done        = 0
	partlyDone  = 3
	interrupted = 130
)

// Tour is a demonstration in a folder.
type Tour struct {
	Screen  *terminal.Screen
	Program string // how a person calls the program
	// Run runs a command of the program on the tour's state folder, writes
	// its results to out and returns its exit status. The error says why it
	// failed, when it did not say so itself.
	Run func(ctx context.Context, out io.Writer, args ...string) (status int, err error)

	ground *ground
	world  *demo.World
	shop   *demo.Site
	mirror *demo.Server
	act    int
}

// In sets the folder (absolute), which may become another one when the sites'
// account cannot walk there, and returns it.
func (d *Tour) In(dir string) (string, error) {
	place, err := demo.Place(dir, "")
	if err != nil {
		return "", err
	}
	d.ground = groundAt(place)
	return place, nil
}

// State is the state folder that commands run on.
func (d *Tour) State() string { return d.ground.State }

// Play builds the demonstration anew and leads through it. Its servers stay
// when it ends well, to be visited and tried; otherwise they are stopped.
// CodeConflict when the folder holds something else. CodeInterrupted when ctx
// ended or a command was interrupted.
func (d *Tour) Play(ctx context.Context) error {
	if err := d.equipped(); err != nil {
		return err
	}
	if err := d.ground.take(); err != nil {
		return err
	}
	defer d.ground.leave()
	err := d.play(ctx)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		err = upkeep.Errorf(upkeep.CodeInterrupted, "%s", d.text("demo.interrupted")) // what else there is follows from it
	}
	return errors.Join(err, d.stop(context.WithoutCancel(ctx)))
}

// Clean removes what a demonstration left, with its processes.
func (d *Tour) Clean(ctx context.Context) error {
	if _, err := os.Lstat(d.ground.Dir); errors.Is(err, os.ErrNotExist) {
		return d.tell("demo.nothing", "dir", Shown(d.ground.Dir))
	}
	if err := d.ground.take(); err != nil {
		return err
	}
	defer d.ground.leave()
	if err := d.ground.clear(ctx); err != nil {
		return err
	}
	if err := os.RemoveAll(d.ground.Dir); err != nil {
		return err
	}
	return d.tell("demo.removed", "dir", Shown(d.ground.Dir))
}

// stop stops the servers of a demonstration that did not come to its end.
func (d *Tour) stop(ctx context.Context) error {
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
func (d *Tour) play(ctx context.Context) error {
	if err := d.begin(); err != nil {
		return err
	}
	for _, act := range []func(context.Context) error{d.actBuild, d.actAdopt, d.actExamine, d.actUpdate, d.actBreak, d.actProve} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	return d.actNext()
}

// run shows a command and runs it. It must end with the status.
func (d *Tour) run(ctx context.Context, want int, words ...string) error {
	if err := d.command(words...); err != nil {
		return err
	}
	status, err := d.Run(ctx, d.Screen.Out, strings.Fields(strings.Join(words, " "))...)
	switch {
	case err != nil:
		return err
	case status == interrupted:
		return upkeep.Errorf(upkeep.CodeInterrupted, "%s", d.text("demo.interrupted"))
	case status != want:
		return upkeep.Errorf(upkeep.CodeInternal, "%s ended with status %d in place of %d", strings.Join(words, " "), status, want)
	}
	return nil
}

// actBuild makes a shop that is behind, from nothing.
func (d *Tour) actBuild(ctx context.Context) error {
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
func (d *Tour) clearEarlier(ctx context.Context) error {
	if _, err := os.Lstat(d.ground.world()); errors.Is(err, os.ErrNotExist) {
		return d.ground.clear(ctx) // it may have ended before that
	}
	return d.work("demo.cleared", func() ([]any, error) { return nil, d.ground.clear(ctx) })
}

func (d *Tour) actAdopt(ctx context.Context) error {
	if err := errors.Join(d.heading("demo.act_adopt"), d.tell("demo.adopt"), d.typed("export", "UPKEEP_STATE="+Shown(d.ground.State))); err != nil {
		return err
	}
	return d.run(ctx, done, "site", "add", Shown(d.shop.Root), "--name "+shopName, "--url "+d.shop.URL, "--majors")
}

func (d *Tour) actExamine(ctx context.Context) error {
	if err := d.heading("demo.act_examine"); err != nil {
		return err
	}
	if err := d.run(ctx, done, "site", "inventory", shopName); err != nil {
		return err
	}
	return d.run(ctx, done, "update", "list", shopName)
}

func (d *Tour) actUpdate(ctx context.Context) error {
	if err := errors.Join(d.heading("demo.act_update"), d.tell("demo.update")); err != nil {
		return err
	}
	if err := d.run(ctx, done, "site", "update", shopName, "--yes"); err != nil {
		return err
	}
	return d.visitNow(ctx)
}

// actBreak is the next evening: new releases, one of which breaks the shop.
func (d *Tour) actBreak(ctx context.Context) error {
	releases := nextReleases()
	if err := errors.Join(d.heading("demo.act_break"), d.tell("demo.break", "count", len(releases), "component", culprit)); err != nil {
		return err
	}
	if err := d.publish(ctx, releases); err != nil {
		return err
	}
	if err := d.visitNow(ctx); err != nil {
		return err
	}
	if err := d.run(ctx, partlyDone, "site", "update", shopName, "--yes"); err != nil {
		return err
	}
	return d.visitNow(ctx)
}

// actProve shows what can be checked without trusting anybody.
func (d *Tour) actProve(ctx context.Context) error {
	if err := d.heading("demo.act_prove"); err != nil {
		return err
	}
	if err := d.run(ctx, done, "backup", "list", shopName); err != nil {
		return err
	}
	if err := d.run(ctx, done, "ledger", "verify"); err != nil {
		return err
	}
	snapshot, err := d.newest(ctx)
	if err != nil {
		return err
	}
	restic := []string{"restic", "-r", Shown(filepath.Join(d.ground.State, "vault")), "--password-command", "'" + d.Program + " vault password'"}
	restored := Shown(filepath.Join(d.ground.Dir, "restored"))
	return errors.Join(d.write(""), d.tell("demo.restic"), d.typed(append(restic, "snapshots")...),
		d.typed(append(restic, "restore", snapshot[:8], "--target", restored)...),
		d.write(""), d.tell("demo.reload", "where", filepath.Join(restored, "database", "README.txt")))
}

// newest returns the snapshot of the newest backup.
func (d *Tour) newest(ctx context.Context) (string, error) {
	var out bytes.Buffer
	if status, err := d.Run(ctx, &out, "backup", "list", shopName, "--format", "json"); err != nil || status != done {
		return "", errors.Join(err, upkeep.Errorf(upkeep.CodeInternal, "backup list ended with status %d", status))
	}
	var backups []upkeep.Backup
	if err := json.Unmarshal(out.Bytes(), &backups); err != nil {
		return "", err
	}
	if len(backups) == 0 {
		return "", upkeep.Errorf(upkeep.CodeInternal, "no backup after two interventions")
	}
	return backups[0].Snapshot, nil
}

// actNext says what there is to try.
func (d *Tour) actNext() error {
	fields := []terminal.Field{
		{Label: d.text("demo.next_site"), Value: d.shop.URL},
		{Label: d.text("demo.next_admin"), Value: d.shop.Path("wp-admin/")},
		{Value: d.shop.User + " / " + d.shop.Password},
		{Label: d.text("demo.next_try"), Value: "export UPKEEP_STATE=" + Shown(d.ground.State)},
	}
	for _, line := range []string{"site show shop", "intervention log 2", "backup restore 3 --in-place", "site freeze shop", "site thaw shop"} {
		fields = append(fields, terminal.Field{Value: d.Program + " " + line})
	}
	label := d.text("demo.next_console") // of the first line
	for _, line := range []string{"account add --role owner me@agency.example", "serve --listen 127.0.0.1:8080"} {
		fields = append(fields, terminal.Field{Label: label, Value: d.Program + " " + line})
		label = ""
	}
	fields = append(fields, terminal.Field{Label: d.text("demo.next_clean"), Value: d.cleanCommand()})
	return errors.Join(d.heading("demo.act_next"), d.Screen.Fields("  ", fields), d.write(""), d.tell("demo.stays"))
}
