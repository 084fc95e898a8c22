package upkeeptest_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/demo"
	"upkeep/internal/demo/fixtures"
	"upkeep/internal/upkeeptest"
)

// small is a site that is quick to work on: three plugins and a theme.
func small() demo.Spec {
	return demo.Spec{Extensions: []fixtures.Release{
		fixtures.MustUse(fixtures.OpenComments, "1.0"), fixtures.Theme(fixtures.Paper, "1.0"),
		fixtures.Plugin(fixtures.Guestbook, "1.0"), fixtures.Plugin(fixtures.Diary, "1.0"), fixtures.Plugin(fixtures.LoneWolf, "1.0"),
	}}
}

// offers are good releases of two plugins and one that breaks the site, so
// that an intervention goes through every state.
func offers() []fixtures.Release {
	return []fixtures.Release{
		fixtures.Plugin(fixtures.Diary, "1.1"), fixtures.Plugin(fixtures.LoneWolf, "1.1"),
		fixtures.Plugin(fixtures.Guestbook, "1.1").With(fixtures.HalfMigrate),
	}
}

// midway lists the states in which something can die.
var midway = []upkeep.State{
	upkeep.Preparing, upkeep.Freezing, upkeep.Securing, upkeep.Applying,
	upkeep.Verifying, upkeep.Undoing, upkeep.Thawing, upkeep.Concluding,
}

// victims are what is killed, by name.
var victims = []struct {
	name string
	kill func(t *testing.T, p *upkeeptest.Program, worker *exec.Cmd)
}{
	{"worker", func(t *testing.T, _ *upkeeptest.Program, worker *exec.Cmd) { signal(t, worker.Process.Pid) }},
	{"agent", func(t *testing.T, p *upkeeptest.Program, _ *exec.Cmd) {
		for _, pid := range upkeeptest.Processes("agent\x00run", p.AgentDir()) {
			signal(t, pid)
		}
	}},
	{"all", func(t *testing.T, p *upkeeptest.Program, worker *exec.Cmd) {
		for _, pid := range upkeeptest.Processes("agent", p.AgentDir()) {
			signal(t, pid)
		}
		signal(t, worker.Process.Pid)
	}},
}

func signal(t *testing.T, pid int) {
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Fatal(err)
	}
}

func TestKillAtEveryState(t *testing.T) {
	for _, state := range midway {
		for _, victim := range victims {
			t.Run(string(state)+"/"+victim.name, func(t *testing.T) {
				t.Parallel()
				site := upkeeptest.WordPress(t, small())
				p := upkeeptest.Adopt(t, site, offers()...)
				before := upkeeptest.StateOf(t, site)
				worker := p.Command(t, "site", "update", "shop", "--yes")
				if err := worker.Start(); err != nil {
					t.Fatal(err)
				}
				p.WaitState(t, state)
				if state == upkeep.Preparing {
					begun(t, p)
				}
				victim.kill(t, p, worker)
				_ = worker.Wait() // killed, or ending as it may: what counts is read below
				p.Settle(t)
				intact(t, p, site, before)
			})
		}
	}
}

// begun waits until there is something to leave behind.
func begun(t *testing.T, p *upkeeptest.Program) {
	t.Helper()
	upkeeptest.Eventually(t, time.Minute, "the journal to be opened", func() bool {
		_, err := os.Stat(filepath.Join(p.AgentDir(), "journal.jsonl"))
		return err == nil
	})
}

// intact asserts what must hold after anything: an end that is not an
// incident, a site that works, both backups or nothing changed, nothing left.
func intact(t *testing.T, p *upkeeptest.Program, site *demo.Site, before *upkeeptest.State) {
	t.Helper()
	iv := p.Last(t)
	t.Logf("ended %s, error %v", iv.State, iv.Error)
	switch iv.State {
	case upkeep.Done, upkeep.Partial:
		if iv.Before == 0 || iv.After == 0 {
			t.Errorf("ended %s with backups %d and %d", iv.State, iv.Before, iv.After)
		}
	case upkeep.Undone, upkeep.Failed, upkeep.Cancelled:
		upkeeptest.Same(t, before, site, volatile...)
	default:
		t.Errorf("ended %s", iv.State)
	}
	upkeeptest.Works(t, site)
	if _, err := os.Stat(filepath.Join(site.Root, ".maintenance")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the gate is still there: %v", err)
	}
	left, err := filepath.Glob(filepath.Join(site.Dir, "*upkeep-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	if _, err := os.Stat(filepath.Join(p.AgentDir(), "journal.jsonl")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the journal is still there: %v", err)
	}
	out, code := p.Run(t, "ledger", "list", "--format", "json")
	if code != 0 || !strings.Contains(out, "intervention_ended") {
		t.Errorf("the ledger does not say how it ended: %d %s", code, out)
	}
}

func TestKilledDatabaseComesBack(t *testing.T) {
	world := upkeeptest.World(t)
	for _, state := range []upkeep.State{upkeep.Securing, upkeep.Applying, upkeep.Verifying, upkeep.Undoing} {
		t.Run(string(state), func(t *testing.T) {
			site := upkeeptest.WordPress(t, small())
			p := upkeeptest.Adopt(t, site, offers()...)
			before := upkeeptest.StateOf(t, site)
			worker := p.Command(t, "site", "update", "shop", "--yes")
			if err := worker.Start(); err != nil {
				t.Fatal(err)
			}
			p.WaitState(t, state)
			if err := world.MariaDB.Kill(t.Context()); err != nil {
				t.Fatal(err)
			}
			// It stays in undoing where there is something to undo.
			upkeeptest.Eventually(t, time.Minute, "the loss to be noticed", func() bool {
				now := p.Now(t)
				return now != state || now == upkeep.Undoing
			})
			if err := world.MariaDB.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
			_ = worker.Wait()
			p.Settle(t)
			intact(t, p, site, before)
		})
	}
}
