package faults_test

import (
	"context"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/demo/fixtures"
	"upkeep/internal/store"
	"upkeep/internal/upkeeptest"
)

// setPolicy changes the site's policy in the records.
func setPolicy(t *testing.T, p *upkeeptest.Program, change func(*upkeep.Policy)) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	db, err := store.Open(ctx, store.Config{Path: filepath.Join(p.State, "upkeep.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.UpdateSite(ctx, 1, func(s *upkeep.Site) error { change(&s.Policy); return nil }); err != nil {
		t.Fatal(err)
	}
}

// aloneAt stops the control plane for good in a state of an intervention that
// goes through all of them.
func aloneAt(t *testing.T, p *upkeeptest.Program, state upkeep.State, stop syscall.Signal) {
	t.Helper()
	worker := p.Command(t, "site", "update", "shop", "--yes")
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	p.WaitState(t, state)
	if err := worker.Process.Signal(stop); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = worker.Process.Kill() // it may have been killed before
		_ = worker.Wait()         // killed
	})
}

// A control plane that dies, or hangs, while the site is frozen: the agent
// undoes and thaws without it, and later commands tell.
func TestAgentActsAlone(t *testing.T) {
	for _, c := range []struct {
		state upkeep.State
		stop  syscall.Signal
	}{{upkeep.Securing, syscall.SIGKILL}, {upkeep.Applying, syscall.SIGKILL}, {upkeep.Verifying, syscall.SIGSTOP}} {
		t.Run(string(c.state)+"/"+c.stop.String(), func(t *testing.T) {
			t.Parallel()
			site := upkeeptest.WordPress(t, upkeeptest.Small())
			p := upkeeptest.Adopt(t, site, upkeeptest.Offers()...)
			upkeeptest.Configure(t, p, "silence", "2s")
			before := upkeeptest.StateOf(t, site)
			aloneAt(t, p, c.state, c.stop)
			// Nobody calls upkeep: the journal ends by itself.
			upkeeptest.Eventually(t, time.Minute, "the agent to thaw alone", func() bool { return strings.Contains(p.Log(), "acting alone") && upkeeptest.Open(t, site) })
			upkeeptest.Same(t, before, site, append(upkeeptest.Volatile, ".upkeep-")...)
			if c.stop == syscall.SIGSTOP {
				return // its lease ends with it
			}
			p.Settle(t)
			iv := p.Last(t)
			if iv.State != upkeep.Undone && iv.State != upkeep.Failed || iv.Error == nil {
				t.Errorf("ended %s: %v", iv.State, iv.Error)
			}
			if out, _ := p.Run(t, "intervention", "log", iv.ID.String()); !strings.Contains(out, "silence") && !strings.Contains(out, "no word") {
				t.Errorf("the log does not say why:\n%s", out)
			}
			upkeeptest.Intact(t, p, site, before)
		})
	}
}

// A migration that hangs meets the deadline of the freeze.
func TestDeadlineEndsWhatHangs(t *testing.T) {
	site := upkeeptest.WordPress(t, upkeeptest.Small())
	p := upkeeptest.Adopt(t, site, fixtures.Plugin(fixtures.Diary, "1.1"), fixtures.Plugin(fixtures.Guestbook, "1.1").With(fixtures.Hang))
	setPolicy(t, p, func(policy *upkeep.Policy) { policy.MaxFrozen = upkeep.Duration(5 * time.Second) })
	before := upkeeptest.StateOf(t, site)
	began := time.Now()
	out, code := p.Run(t, "site", "update", "shop", "--yes")
	t.Logf("after %v", time.Since(began))
	if code != 4 {
		t.Errorf("exit %d, want 4\n%s", code, out)
	}
	iv := p.Last(t)
	if iv.State != upkeep.Undone || iv.Frozen(time.Now()) > 20*time.Second {
		t.Errorf("ended %s, frozen %v", iv.State, iv.Frozen(time.Now()))
	}
	upkeeptest.Intact(t, p, site, before)
}

// The whole machine dies: agent, guard and control plane. Whatever command
// comes first afterwards finds the journal.
func TestMachineComesBack(t *testing.T) {
	for _, command := range [][]string{{"site", "list"}, {"doctor"}} {
		t.Run(strings.Join(command, " "), func(t *testing.T) {
			site := upkeeptest.WordPress(t, upkeeptest.Small())
			p := upkeeptest.Adopt(t, site, upkeeptest.Offers()...)
			before := upkeeptest.StateOf(t, site)
			aloneAt(t, p, upkeep.Verifying, syscall.SIGKILL)
			for _, pid := range upkeeptest.Processes("agent", p.AgentDir()) {
				upkeeptest.Kill(t, pid)
			}
			if err := upkeeptest.World(t).PHP.KillWorkers(); err != nil {
				t.Fatal(err)
			}
			p.Run(t, command...)
			upkeeptest.Eventually(t, time.Minute, "the site to be open again", func() bool { return upkeeptest.Open(t, site) })
			p.Settle(t)
			upkeeptest.Intact(t, p, site, before)
		})
	}
}
