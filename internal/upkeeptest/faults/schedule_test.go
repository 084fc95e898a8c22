package faults_test

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/upkeeptest"
	"upkeep/internal/web"
)

// daemon starts upkeep serve, which ends with the test.
func daemon(t *testing.T, p *upkeeptest.Program) *exec.Cmd {
	t.Helper()
	cmd := p.Command(t, "serve")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have been killed
		_ = cmd.Wait()
	})
	return cmd
}

// promise puts the site under a plan whose every update is due at once, and
// opens a window around now.
func promise(t *testing.T, p *upkeeptest.Program) {
	t.Helper()
	must(t, p, "plan", "set", "now", "--title", "Now")
	must(t, p, "site", "subscribe", "shop", "now", "--client", "dupont")
	begin := time.Now().UTC().Add(-time.Hour)
	must(t, p, "window", "add", "--site", "shop", "--zone", "UTC", "--from", begin.Format(time.DateOnly), "--at", begin.Format("15:04"), "--for", "12h")
}

func must(t *testing.T, p *upkeeptest.Program, args ...string) string {
	t.Helper()
	out, code := p.Run(t, args...)
	if code != 0 {
		t.Fatalf("upkeep %s: exit %d: %s", strings.Join(args, " "), code, out)
	}
	return out
}

// TestTheDaemonBeginsWhatIsDue: closed dates and a hold of the fleet keep it
// from beginning, and without them it begins by itself, once.
func TestTheDaemonBeginsWhatIsDue(t *testing.T) {
	t.Parallel()
	site := upkeeptest.WordPress(t, upkeeptest.Small())
	p := upkeeptest.Adopt(t, site, upkeeptest.Offers()[:2]...)
	promise(t, p)
	must(t, p, "fleet", "pause", "--because", "a test")
	daemon(t, p)
	held := func() *web.SiteTurn {
		return &upkeeptest.JSON[web.Schedule](t, p, "schedule", "show", "--site", "shop").Sites[0]
	}
	if turn := held(); len(turn.Turns) != 2 || len(turn.Reasons) != 1 || turn.Reasons[0].Code != "fleet_held" {
		t.Fatalf("%+v", turn)
	}
	if out, code := p.Run(t, "site", "update", "shop", "--yes"); code == 0 || !strings.Contains(out, "held") {
		t.Errorf("by hand, held: exit %d: %s", code, out)
	}
	if iv := p.Intervention(t); iv != nil {
		t.Fatalf("began while held: %+v", iv)
	}
	must(t, p, "fleet", "resume")
	upkeeptest.Eventually(t, 3*time.Minute, "the daemon to begin", func() bool { return p.Intervention(t) != nil })
	p.Settle(t)
	iv := p.Last(t)
	if iv.State != upkeep.Done || iv.Requester != "schedule" || len(iv.Outcomes) != 2 || iv.Before == 0 || iv.After == 0 {
		t.Errorf("%s by %s with %+v", iv.State, iv.Requester, iv.Outcomes)
	}
	upkeeptest.Works(t, site)
	upkeeptest.Eventually(t, time.Minute, "the inventory to be taken anew", func() bool { return held().Reasons[0].Code == "nothing_ready" })
	status := upkeeptest.JSON[web.FleetStatus](t, p, "fleet", "status")
	if status.Day[upkeep.Done] != 1 || status.Running != 0 || status.Pending != 0 {
		t.Errorf("%+v", status)
	}
	if out := must(t, p, "ledger", "list", "--format", "json"); !strings.Contains(out, "in_window") {
		t.Errorf("the ledger does not say why it began: %s", out)
	}
}

// TestKilledDaemonsBeginNothingTwice kills the daemon at several moments after
// a site's time has come: the next one goes on, and of all there is one
// intervention.
func TestKilledDaemonsBeginNothingTwice(t *testing.T) {
	for _, state := range []upkeep.State{"", upkeep.Planned, upkeep.Preparing, upkeep.Applying} {
		t.Run("killed "+string(state), func(t *testing.T) {
			t.Parallel()
			site := upkeeptest.WordPress(t, upkeeptest.Small())
			p := upkeeptest.Adopt(t, site, upkeeptest.Offers()[:2]...)
			before := upkeeptest.StateOf(t, site)
			promise(t, p)
			first := daemon(t, p)
			upkeeptest.Eventually(t, 3*time.Minute, "the moment to kill", func() bool {
				now := p.Now(t)
				if state == "" { // as soon as its jobs run: before, in or after its first look
					return len(upkeeptest.Processes("agent\x00run", p.AgentDir())) > 0 || now != ""
				}
				return now == state || now != "" && state == upkeep.Planned || now.Ended()
			})
			upkeeptest.Kill(t, first.Process.Pid)
			_ = first.Wait() // killed
			daemon(t, p)
			upkeeptest.Eventually(t, 4*time.Minute, "the intervention to end", func() bool { return p.Now(t).Ended() })
			upkeeptest.Intact(t, p, site, before)
			if all := upkeeptest.JSON[[]upkeep.Intervention](t, p, "intervention", "list"); len(all) != 1 {
				t.Errorf("%d interventions", len(all))
			}
		})
	}
}
