package drupal

import (
	"context"
	"path/filepath"
	"regexp"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/drupal/layout"
	"upkeep/internal/cms/drupal/program"
)

// drush is the site's own Drush, which its owner runs updates with.
type drush struct {
	program.Program
	host cms.Host
}

// ownDrush finds the Drush that belongs to the site's code as it now is; nil
// when there is none, or it does not start. beside is a folder of ours.
//
// Whatever Drush starts must pass the gate as what we start does: PHP reads one
// more settings file, by which it marks each of these processes.
func ownDrush(ctx context.Context, w cms.Work, l *cms.Layout, beside string) (*drush, error) {
	command := filepath.Join(l.Dirs[layout.DirVendor], "bin", "drush")
	bin, err := w.Open(filepath.Dir(command))
	if l.Dirs[layout.DirVendor] == "" || err != nil {
		return nil, nil // no programs
	}
	defer bin.Close()
	if info, err := bin.Stat("drush"); err != nil || !info.Mode().IsRegular() {
		return nil, nil
	}
	ours, err := w.Open(beside)
	if err != nil {
		return nil, err
	}
	defer ours.Close()
	if err := ours.MkdirAll("drush", 0o700); err != nil {
		return nil, err
	}
	dir := filepath.Join(beside, "drush")
	for name, text := range map[string]string{
		"begin.php":  "<?php\ndefine('" + layout.Mark + "', true);\n",
		"upkeep.ini": "auto_prepend_file=\"" + filepath.Join(dir, "begin.php") + "\"\n",
	} {
		if err := ours.WriteFile(filepath.Join("drush", name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	d := &drush{host: w, Program: program.Program{
		Command: command, Dir: l.Root, Environment: map[string]string{"HOME": dir, "PHP_INI_SCAN_DIR": ":" + dir}, // the empty one is PHP's own
	}}
	o, err := d.run(ctx, "--version")
	if err != nil || o.Code != 0 || o.Late {
		return nil, err
	}
	d.Arguments = []string{"--root=" + l.Root, "--uri=" + layout.Address(l).String(), "--yes", "--no-interaction"}
	return d, nil
}

func (d *drush) run(ctx context.Context, arguments ...string) (*program.Outcome, error) {
	p := d.Program
	p.Arguments = append(arguments, p.Arguments...)
	return p.Run(ctx, d.host)
}

// chatter are lines of Drush's that say that something went well.
var chatter = regexp.MustCompile(`^ *(\[(success|notice|ok|info)\]|>? *-+|$)`)

// migrate runs the updates of the database and builds the caches anew. It
// imports no configuration: what editors changed on the site would be lost.
func (d *drush) migrate(ctx context.Context) error {
	for _, command := range []string{"updatedb", "cache:rebuild"} {
		o, err := d.run(ctx, command)
		if err != nil {
			return err
		}
		if o.Code != 0 || o.Late {
			return upkeep.Errorf(upkeep.CodeRefused, "drush %s: %s", command, o.Reason(chatter.MatchString))
		}
	}
	return nil
}
