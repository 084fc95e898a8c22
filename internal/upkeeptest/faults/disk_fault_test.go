package faults_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"upkeep"
	"upkeep/internal/demo"
	"upkeep/internal/upkeeptest"
	"upkeep/internal/web"
)

// space is what these small disks have at first: enough for everything.
const space = 192 << 20

// onSmallDisk adopts a site with a folder of the program, "agents" or
// "vault", on a small disk, which it returns too.
func onSmallDisk(t *testing.T, folder string) (*demo.Site, *upkeeptest.Program, string) {
	t.Helper()
	site := upkeeptest.WordPress(t, upkeeptest.Small())
	p := upkeeptest.Adopt(t, site, upkeeptest.Offers()...)
	disk := upkeeptest.SmallDisk(t, space)
	upkeeptest.Configure(t, p, folder, filepath.Join(disk, folder))
	t.Cleanup(func() {
		for _, pid := range upkeeptest.Processes("agent", disk) {
			upkeeptest.Kill(t, pid)
		}
	})
	return site, p, disk
}

// untouched asserts that an intervention ended without a change, that the site is
// as it was and open, that no backups are claimed that are not there, and
// that people are told of the full disk and what to do.
func untouched(t *testing.T, p *upkeeptest.Program, site *demo.Site, before *upkeeptest.State, ignore ...string) {
	t.Helper()
	iv := p.Last(t)
	t.Logf("ended %s, error %v", iv.State, iv.Error)
	if iv.State != upkeep.Failed && iv.State != upkeep.Undone || iv.After != 0 {
		t.Errorf("ended %s with backups %d and %d", iv.State, iv.Before, iv.After)
	}
	code, hint := upkeep.Code(""), ""
	if iv.Error != nil {
		code, hint = iv.Error.Code, iv.Error.Hint
	}
	for _, check := range iv.Failed {
		if strings.Contains(check.Got, "space") {
			code, hint = upkeep.CodeNoSpace, "in the check"
		}
	}
	if code != upkeep.CodeNoSpace || hint == "" {
		t.Errorf("error %v, failed %v", iv.Error, iv.Failed)
	}
	for _, b := range upkeeptest.JSON[[]web.Backup](t, p, "backup", "list", "shop") {
		if check := upkeeptest.JSON[web.BackupCheck](t, p, "backup", "verify", b.ID.String(), "--deep"); !check.OK || !b.Complete {
			t.Errorf("%+v %+v", b, check)
		}
	}
	upkeeptest.Same(t, before, site, append(ignore, upkeeptest.Volatile...)...)
	upkeeptest.Works(t, site)
}

func TestAgentsDiskFull(t *testing.T) {
	t.Run("from the start", func(t *testing.T) {
		t.Parallel()
		site, p, disk := onSmallDisk(t, "agents")
		p.Run(t, "site", "inventory", "shop") // the agent is there
		before := upkeeptest.StateOf(t, site)
		upkeeptest.FillDisk(t, disk, 4<<20)
		if out, code := p.Run(t, "site", "update", "shop", "--yes"); code != 1 {
			t.Errorf("exit %d: %s", code, out)
		}
		if iv := p.Last(t); iv.State != upkeep.Failed || !iv.FrozenAt.IsZero() {
			t.Errorf("ended %s, frozen %v", iv.State, iv.FrozenAt)
		}
		untouched(t, p, site, before)
	})
	for _, state := range []upkeep.State{upkeep.Securing, upkeep.Applying} {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()
			site, p, disk := onSmallDisk(t, "agents")
			before := upkeeptest.StateOf(t, site)
			worker := p.Command(t, "site", "update", "shop", "--yes")
			if err := worker.Start(); err != nil {
				t.Fatal(err)
			}
			p.WaitState(t, state)
			upkeeptest.FillDisk(t, disk, 0)
			_ = worker.Wait() // what it came to is read below
			p.Settle(t)
			if state == upkeep.Securing {
				untouched(t, p, site, before)
				return
			}
			iv := p.Last(t)
			t.Logf("ended %s, error %v, failed %v", iv.State, iv.Error, iv.Failed)
			if iv.State == upkeep.Partial || iv.State == upkeep.Done {
				return // what was left was enough
			}
			upkeeptest.Same(t, before, site, upkeeptest.Volatile...)
			upkeeptest.Works(t, site)
		})
	}
}

// The site's own disk is full: nothing can be unpacked beside it.
func TestSitesDiskFull(t *testing.T) {
	t.Parallel()
	site := upkeeptest.WordPress(t, upkeeptest.Small())
	mountRoot(t, site)
	p := upkeeptest.Adopt(t, site, upkeeptest.Offers()...)
	before := upkeeptest.StateOf(t, site)
	release := upkeeptest.FillDisk(t, site.Root, 0)
	out, code := p.Run(t, "site", "update", "shop", "--yes")
	release()
	if code != 1 {
		t.Errorf("exit %d: %s", code, out)
	}
	if iv := p.Last(t); iv.State != upkeep.Failed || !iv.FrozenAt.IsZero() {
		t.Errorf("ended %s, frozen %v", iv.State, iv.FrozenAt)
	}
	untouched(t, p, site, before, "./public\x00d") // its time is that of the ballast
}

// mountRoot moves a site's root to a small disk of its own, mounted there.
func mountRoot(t *testing.T, site *demo.Site) {
	t.Helper()
	disk := upkeeptest.SmallDisk(t, space)
	if out, err := exec.CommandContext(t.Context(), "cp", "-a", site.Root+"/.", disk+"/").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := unix.Mount(disk, site.Root, "", unix.MS_BIND, ""); err != nil {
		t.Skipf("bind a folder: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(site.Root, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

func TestVaultsDiskFull(t *testing.T) {
	for _, state := range []upkeep.State{upkeep.Preparing, upkeep.Freezing} {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()
			site, p, disk := onSmallDisk(t, "vault")
			upkeeptest.BackUp(t, p)
			before := upkeeptest.StateOf(t, site)
			worker := p.Command(t, "site", "update", "shop", "--yes")
			if err := worker.Start(); err != nil {
				t.Fatal(err)
			}
			p.WaitState(t, state)
			release := upkeeptest.FillDisk(t, disk, 0)
			upkeeptest.Eventually(t, 2*time.Minute, "the site to be given back", func() bool {
				return p.Now(t) == upkeep.Concluding || p.Now(t).Ended()
			})
			release()
			_ = worker.Wait() // what it came to is read below
			p.Settle(t)
			if iv := p.Last(t); iv.State == upkeep.Partial && iv.Before != 0 && iv.After != 0 {
				return // the first backup had been made before the disk was full
			}
			untouched(t, p, site, before)
			if out, code := p.Run(t, "site", "update", "shop", "--yes", "--only", "lone-wolf"); code != 0 {
				t.Errorf("with space again: exit %d: %s", code, out)
			}
		})
	}
	// The site is open and updated, but without the second backup it is not
	// done: that is tried until it is made.
	t.Run("concluding", func(t *testing.T) {
		t.Parallel()
		site, p, disk := onSmallDisk(t, "vault")
		worker := p.Command(t, "site", "update", "shop", "--yes", "--only", "lone-wolf")
		if err := worker.Start(); err != nil {
			t.Fatal(err)
		}
		p.WaitState(t, upkeep.Applying)
		release := upkeeptest.FillDisk(t, disk, 0)
		p.WaitState(t, upkeep.Concluding)
		upkeeptest.Eventually(t, 30*time.Second, "the second backup to fail", func() bool { return strings.Contains(p.Log(), "state=concluding") })
		if !upkeeptest.Open(t, site) {
			t.Error("the site is not open")
		}
		release()
		if err := worker.Wait(); err != nil {
			t.Error(err)
		}
		if iv := p.Last(t); iv.State != upkeep.Done || iv.After == 0 {
			t.Errorf("ended %s, after %d", iv.State, iv.After)
		}
	})
}
