// Package faults_test kills what a site and its update stand on, fills disks
// and sends packages that lie. It has servers of its own, beside those of the
// tests that need them alive.
package faults_test

import (
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/upkeeptest"
)

func TestMain(m *testing.M) { upkeeptest.Main(m) }

func TestKillAtEveryState(t *testing.T) {
	for i, state := range upkeeptest.Midway {
		for j, victim := range upkeeptest.Victims {
			if testing.Short() && j == len(upkeeptest.Victims)-1 && i%4 != 0 { // both at once: soak does that in each
				continue
			}
			t.Run(string(state)+"/"+victim.Name, func(t *testing.T) {
				t.Parallel()
				site := upkeeptest.WordPress(t, upkeeptest.Small())
				p := upkeeptest.Adopt(t, site, upkeeptest.Offers()...)
				before := upkeeptest.StateOf(t, site)
				worker := p.Command(t, "site", "update", "shop", "--yes")
				if err := worker.Start(); err != nil {
					t.Fatal(err)
				}
				p.WaitState(t, state)
				if state == upkeep.Preparing {
					upkeeptest.Begun(t, p)
				}
				victim.Kill(t, p, worker)
				_ = worker.Wait() // killed, or ending as it may: what counts is read below
				p.Settle(t)
				upkeeptest.Intact(t, p, site, before)
			})
		}
	}
}

// servers are what the site stands on: killed, in whichever state, they come
// back, and the site ends whole.
var servers = []struct {
	name string
	kill func(t *testing.T, p *upkeeptest.Program, state upkeep.State)
}{
	{"database", func(t *testing.T, p *upkeeptest.Program, state upkeep.State) {
		db := upkeeptest.World(t).MariaDB
		if err := db.Kill(t.Context()); err != nil {
			t.Fatal(err)
		}
		// It stays where there is no other way than through.
		upkeeptest.Eventually(t, time.Minute, "the loss to be noticed", func() bool {
			now := p.Now(t)
			return now != state || now == upkeep.Undoing || now == upkeep.Concluding
		})
		if err := db.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}},
	{"php", func(t *testing.T, p *upkeeptest.Program, _ upkeep.State) {
		if err := upkeeptest.World(t).PHP.KillWorkers(); err != nil {
			t.Fatal(err)
		}
		for _, agent := range upkeeptest.Processes("agent\x00run", p.AgentDir()) {
			for _, script := range upkeeptest.Children(agent) {
				upkeeptest.Kill(t, script)
			}
		}
	}},
}

func TestKilledServersComeBack(t *testing.T) {
	for i, state := range upkeeptest.Midway {
		for j, server := range servers {
			if testing.Short() && (i+j)%2 == 1 { // in each state one of them; soak kills both
				continue
			}
			t.Run(string(state)+"/"+server.name, func(t *testing.T) {
				site := upkeeptest.WordPress(t, upkeeptest.Small())
				p := upkeeptest.Adopt(t, site, upkeeptest.Offers()...)
				before := upkeeptest.StateOf(t, site)
				worker := p.Command(t, "site", "update", "shop", "--yes")
				if err := worker.Start(); err != nil {
					t.Fatal(err)
				}
				p.WaitState(t, state)
				server.kill(t, p, state)
				_ = worker.Wait() // what counts is read below
				p.Settle(t)
				upkeeptest.Intact(t, p, site, before)
			})
		}
	}
}
