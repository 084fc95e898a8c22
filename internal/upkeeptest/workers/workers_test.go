// Package workers_test has several processes carry interventions out together,
// on one PostgreSQL, while they are killed one after another.
package workers_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/demo"
	"upkeep/internal/demo/fixtures"
	"upkeep/internal/upkeeptest"
	"upkeep/internal/upkeeptest/postgres"
)

var server postgres.Server

func TestMain(m *testing.M) {
	upkeeptest.Main(m)
	server.Close()
}

// crew are processes of upkeep, of which one after another is killed and
// replaced.
type crew struct {
	t *testing.T
	p *upkeeptest.Program

	mu      sync.Mutex
	members []*exec.Cmd
	killed  int
}

func (c *crew) start(flags ...string) *exec.Cmd {
	cmd := c.p.Command(c.t, append([]string{"serve"}, flags...)...)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have been killed
		_ = cmd.Wait()
		if strings.Contains(said.String(), postgres.Password) {
			c.t.Errorf("the password was said: %s", said.String())
		}
	})
	return cmd
}

// kill kills members, one every so often, until stop is closed.
func (c *crew) kill(every time.Duration, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(every):
		}
		c.mu.Lock()
		victim := rand.IntN(len(c.members))
		_ = c.members[victim].Process.Kill()
		_ = c.members[victim].Wait()
		c.members[victim] = c.start("--worker-only")
		c.killed++
		c.mu.Unlock()
	}
}

// TestKilledWorkersOnOneDatabase: each update is applied once, no site stays
// shut, and the ledger has all of it, whichever workers die on the way.
func TestKilledWorkersOnOneDatabase(t *testing.T) {
	sites, rounds, workers := 4, 1, []int{3}
	if !testing.Short() {
		sites, rounds, workers = 20, 5, []int{2, 3}
	}
	for _, n := range workers {
		t.Run(fmt.Sprintf("%d workers", n), func(t *testing.T) { together(t, n, sites, rounds) })
	}
}

func together(t *testing.T, workers, count, rounds int) {
	sites := make([]*demo.Site, count)
	for i := range sites {
		sites[i] = upkeeptest.WordPress(t, upkeeptest.Small())
	}
	address, exec := server.Database(t)
	p := upkeeptest.AdoptAll(t, address, sites)
	c := &crew{t: t, p: p}
	c.start("--web-only")
	for range workers {
		c.members = append(c.members, c.start("--worker-only"))
	}
	upkeeptest.Eventually(t, time.Minute, "the workers to run", func() bool {
		return strings.TrimSpace(exec(`SELECT count(*) FROM process`)) == fmt.Sprint(workers)
	})
	stop := make(chan struct{})
	var killer sync.WaitGroup
	killer.Go(func() { c.kill(4*time.Second, stop) })
	for round := range rounds {
		updateAll(t, p, sites, upkeep.Version(fmt.Sprintf("1.%d", round+1)))
	}
	close(stop)
	killer.Wait()
	t.Logf("%d interventions, %d of %d workers killed", rounds*count, c.killed, workers+c.killed)
	check(t, p, sites, rounds)
	noPassword(t, p)
}

// updateAll publishes a release and has it applied to all sites at once.
func updateAll(t *testing.T, p *upkeeptest.Program, sites []*demo.Site, version upkeep.Version) {
	t.Helper()
	file, err := fixtures.Plugin(fixtures.LoneWolf, version).WriteZip(t.TempDir())
	if err == nil {
		err = p.Mirror.Add(file)
	}
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for i := range sites {
		group.Go(func() {
			if out, code := p.Run(t, "site", "update", fmt.Sprintf("s%d", i+1), "--yes"); code != 0 {
				t.Errorf("s%d to %s: exit %d: %s", i+1, version, code, out)
			}
		})
	}
	group.Wait()
}

func check(t *testing.T, p *upkeeptest.Program, sites []*demo.Site, rounds int) {
	t.Helper()
	count := map[upkeep.SiteID]int{}
	list := upkeeptest.JSON[[]upkeep.Intervention](t, p, "intervention", "list", "--limit", "0")
	for _, iv := range list {
		count[iv.Site]++
		if iv.State != upkeep.Done || len(iv.Outcomes) != 1 || iv.Outcomes[0].Result != upkeep.Applied || iv.Before == 0 || iv.After == 0 {
			t.Errorf("intervention %s on site %s is %s: %+v", iv.ID, iv.Site, iv.State, iv.Outcomes)
		}
	}
	if len(list) != rounds*len(sites) {
		t.Errorf("%d interventions, want %d", len(list), rounds*len(sites))
	}
	for i, site := range sites {
		if count[upkeep.SiteID(i+1)] != rounds {
			t.Errorf("site %d had %d interventions", i+1, count[upkeep.SiteID(i+1)])
		}
		upkeeptest.Works(t, site)
		if _, err := os.Stat(filepath.Join(site.Root, ".maintenance")); err == nil {
			t.Errorf("site %d is shut", i+1)
		}
		source, err := os.ReadFile(filepath.Join(site.Root, "wp-content/plugins", fixtures.LoneWolf+".php"))
		if want := fmt.Sprintf("Version: 1.%d", rounds); err != nil || !strings.Contains(strings.Join(strings.Fields(string(source)), " "), want) {
			t.Errorf("site %d does not have %s: %v", i+1, want, err)
		}
	}
	if out, code := p.Run(t, "ledger", "verify"); code != 0 {
		t.Errorf("the ledger: exit %d: %s", code, out)
	}
	ended := map[any]bool{}
	for _, entry := range upkeeptest.JSON[[]upkeep.LedgerEntry](t, p, "ledger", "list", "--limit", "0") {
		if entry.Kind == "intervention_ended" {
			ended[entry.Facts["intervention"]] = true
		}
	}
	if len(ended) != rounds*len(sites) {
		t.Errorf("the ledger tells the end of %d interventions of %d", len(ended), rounds*len(sites))
	}
}

// noPassword looks for the database's password wherever others could.
func noPassword(t *testing.T, p *upkeeptest.Program) {
	t.Helper()
	if strings.Contains(p.Log(), postgres.Password) {
		t.Error("the password is in a log")
	}
	for _, pid := range upkeeptest.Processes("agent\x00run", p.State+"-agents") {
		for _, file := range []string{"cmdline", "environ"} {
			text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file)) // it may have ended
			if strings.Contains(string(text), postgres.Password) {
				t.Errorf("the password is in the %s of agent %d", file, pid)
			}
		}
	}
}
