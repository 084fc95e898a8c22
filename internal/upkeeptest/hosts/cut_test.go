package hosts_test

import (
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/upkeeptest"
)

// cuts are the ways in which the connection to a host ends. Each leaves it so
// that the site can be reached again.
var cuts = []struct {
	name  string
	short bool // soon over: the work goes on
	cut   func(t *testing.T, p *upkeeptest.Program, h *upkeeptest.Host)
}{
	{"session killed", true, func(t *testing.T, _ *upkeeptest.Program, h *upkeeptest.Host) { h.KillSessions(t) }},
	{"connection reset", true, func(t *testing.T, p *upkeeptest.Program, h *upkeeptest.Host) {
		h.Cut(true)
		time.AfterFunc(3*time.Second, func() { h.Cut(false) })
	}},
	{"nothing passes", false, func(t *testing.T, p *upkeeptest.Program, h *upkeeptest.Host) {
		h.Stall(true)
		defer func() { h.Stall(false); h.Cut(false) }()
		// Nobody comes back: the agent settles it by itself.
		upkeeptest.Eventually(t, time.Minute, "the agent to open the site alone", func() bool {
			return upkeeptest.Settled(t, p)
		})
	}},
}

// Whatever is cut, in whichever state, the site ends thawed and whole: as it
// was or updated, with both backups or none.
func TestCutAtEveryState(t *testing.T) {
	for i, state := range upkeeptest.Midway {
		for j, c := range cuts {
			if testing.Short() && (i+j)%len(cuts) != 0 { // in each state one of them; soak does all
				continue
			}
			t.Run(string(state)+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				site := upkeeptest.WordPress(t, upkeeptest.Small())
				h := upkeeptest.NewHost(t, upkeeptest.AsRoot)
				p := upkeeptest.AdoptOn(t, site, h, nil, upkeeptest.Offers()...)
				if !c.short {
					upkeeptest.Configure(t, p, "silence", "6s")
				}
				before := upkeeptest.StateOf(t, site)
				worker := p.Command(t, "site", "update", "shop", "--yes")
				if err := worker.Start(); err != nil {
					t.Fatal(err)
				}
				p.WaitState(t, state)
				if state == upkeep.Preparing {
					upkeeptest.Begun(t, p)
				}
				c.cut(t, p, h)
				_ = worker.Wait() // ends as it may: what counts is read below
				p.Settle(t)
				upkeeptest.Intact(t, p, site, before)
				if iv := p.Last(t); c.short && iv.State != upkeep.Partial {
					t.Errorf("ended %s although the connection came back: %v", iv.State, iv.Error)
				}
			})
		}
	}
}
