// Package hosts_test has sites on hosts that are reached by SSH, with a real
// OpenSSH server on loopback, and cuts what leads there.
package hosts_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/demo"
	"upkeep/internal/upkeeptest"
	"upkeep/internal/web"
)

func TestMain(m *testing.M) { upkeeptest.Main(m) }

func TestGoodUpdateOnAHost(t *testing.T) {
	t.Parallel()
	site := upkeeptest.WordPress(t, demo.Spec{})
	host := upkeeptest.NewHost(t, upkeeptest.AsSudoer)
	p := upkeeptest.AdoptOn(t, site, host, []string{"--sudo"}, upkeeptest.Basics("1.1")...)
	if out, code := p.Run(t, "site", "update", "shop", "--yes"); code != 0 {
		t.Fatalf("exit %d\n%s", code, out)
	}
	iv := p.Last(t)
	if iv.State != upkeep.Done || iv.Before == 0 || iv.After == 0 || iv.Verdict == nil || !iv.Verdict.OK() {
		t.Errorf("ended %s, backups %d and %d, verdict %+v", iv.State, iv.Before, iv.After, iv.Verdict)
	}
	upkeeptest.Works(t, site)
	if _, err := os.Stat(filepath.Join(p.State+"-agents", "1")); err == nil {
		t.Error("an agent was started on this machine")
	}
	if len(upkeeptest.Processes("agent\x00run", p.AgentDir())) == 0 {
		t.Error("no agent runs on the host")
	}
	if shown := upkeeptest.JSON[web.Site](t, p, "site", "show", "shop"); shown.HostName != "web1" {
		t.Errorf("is on host %q", shown.HostName)
	}
}

// A host is known by its key, and what is there is removed with it.
func TestHostFromFirstToLast(t *testing.T) {
	t.Parallel()
	h := upkeeptest.NewHost(t, upkeeptest.AsRoot)
	p := upkeeptest.NewProgram(t)
	if err := os.MkdirAll(p.State, 0o700); err != nil {
		t.Fatal(err)
	}
	upkeeptest.Configure(t, p, "ssh_config", h.Config)
	out, code := p.Run(t, "host", "add", h.URL(), "--name", "web1", "--fingerprint", "SHA256:AAAA")
	if code == 0 || !strings.Contains(out, h.Fingerprint(t)) || !strings.Contains(out, "not confirmed") {
		t.Errorf("with another fingerprint: exit %d: %s", code, out)
	}
	if out, code := p.Run(t, "host", "add", h.URL(), "--name", "web1"); code != 2 {
		t.Errorf("with nobody to confirm: exit %d: %s", code, out)
	}
	host := p.AdoptHost(t, h)
	if len(host.Keys) != 1 || host.Keys[0].Fingerprint != h.Fingerprint(t) {
		t.Errorf("pinned %+v", host.Keys)
	}
	place := upkeeptest.Place(t, h, host)
	brought := glob(t, filepath.Join(place, "bin", "*"))
	if len(brought) != 1 || !strings.HasPrefix(filepath.Base(brought[0]), "upkeep-") {
		t.Errorf("brought %q", brought)
	}
	carried := h.Carried()
	check := upkeeptest.JSON[web.HostCheck](t, p, "host", "check", "web1")
	if !check.Root || check.Account != "root" || check.PHP == "" || check.Free == 0 {
		t.Errorf("%+v", check)
	}
	if again := h.Carried() - carried; again > 1<<20 {
		t.Errorf("the second contact took %d bytes: what is there was brought again", again)
	}
	list := upkeeptest.JSON[[]web.Host](t, p, "host", "list")
	if len(list) != 1 || list[0].Name != "web1" {
		t.Errorf("%+v", list)
	}
	h.Rekey(t)
	for _, words := range [][]string{{"host", "check", "web1"}, {"site", "add", "--host", "web1", "/srv"}, {"host", "remove", "web1", "--yes"}} {
		if out, code := p.Run(t, words...); code == 0 || !strings.Contains(out, "has changed") || !strings.Contains(out, h.Fingerprint(t)) {
			t.Errorf("%q with another key: exit %d: %s", words, code, out)
		}
	}
	if out, code := p.Run(t, "host", "remove", "web1", "--forget", "--yes"); code != 0 {
		t.Errorf("forget: exit %d: %s", code, out)
	}
	if len(glob(t, place)) != 1 {
		t.Error("a host that is only forgotten was cleared")
	}
	again := p.AdoptHost(t, h)
	if out, code := p.Run(t, "host", "remove", "web1", "--yes"); code != 0 {
		t.Fatalf("remove: exit %d: %s", code, out)
	}
	if left := glob(t, upkeeptest.Place(t, h, again)); len(left) > 0 {
		t.Errorf("left on the host: %q", left)
	}
	entries, code := p.Run(t, "ledger", "list", "--format", "json")
	var ledger []web.LedgerEntry
	if code != 0 || json.Unmarshal([]byte(entries), &ledger) != nil || len(ledger) != 4 {
		t.Errorf("exit %d: %s", code, entries)
	}
}

// A login without sudo works on what belongs to it, and on nothing else.
func TestLoginWorksOnItsOwn(t *testing.T) {
	t.Parallel()
	site := upkeeptest.WordPress(t, upkeeptest.Small())
	h := upkeeptest.NewHost(t, upkeeptest.AsOwner)
	p := upkeeptest.NewProgram(t)
	p.AdoptHost(t, h)
	add := []string{"site", "add", "--host", "web1", site.Root, "--name", "shop", "--url", site.URL}
	if out, code := p.Run(t, add...); code == 0 || !strings.Contains(out, "belongs to another account") {
		t.Fatalf("another's site: exit %d: %s", code, out)
	}
	if out, err := exec.CommandContext(t.Context(), "chown", "-R", h.Login+":", site.Root).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := exec.CommandContext(t.Context(), "chmod", "-R", "a+rX", site.Root).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, code := p.Run(t, add...); code != 0 {
		t.Fatalf("its own: exit %d: %s", code, out)
	}
	upkeeptest.BackUp(t, p)
	for _, pid := range upkeeptest.Processes("agent\x00run", p.AgentDir()) {
		info, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid)))
		if err != nil {
			t.Fatal(err)
		}
		if uid := strconv.Itoa(int(info.Sys().(*syscall.Stat_t).Uid)); accountOf(t, uid) != h.Login {
			t.Errorf("the agent runs as account %s", uid)
		}
	}
}

func accountOf(t *testing.T, uid string) string {
	t.Helper()
	account, err := user.LookupId(uid)
	if err != nil {
		t.Fatal(err)
	}
	return account.Username
}

// A site that was frozen by hand is known to be without asking its host, and
// is opened again after the host has rebooted, whichever command comes first.
func TestFrozenByHandOnAHostThatReboots(t *testing.T) {
	t.Parallel()
	site := upkeeptest.WordPress(t, upkeeptest.Small())
	h := upkeeptest.NewHost(t, upkeeptest.AsRoot)
	p := upkeeptest.AdoptOn(t, site, h, nil)
	if out, code := p.Run(t, "site", "freeze", "shop", "--yes", "--for", "10m"); code != 0 {
		t.Fatalf("exit %d: %s", code, out)
	}
	h.Cut(true)
	if shown := upkeeptest.JSON[web.Site](t, p, "site", "show", "shop"); shown.Status != web.Frozen || upkeeptest.Open(t, site) {
		t.Errorf("is %s, open %v", shown.Status, upkeeptest.Open(t, site))
	}
	for _, pid := range upkeeptest.Processes("agent", p.AgentDir()) {
		upkeeptest.Kill(t, pid)
	}
	h.Cut(false)
	upkeeptest.Eventually(t, time.Minute, "the site to be open again", func() bool {
		p.Run(t, "host", "check", "web1") // long enough for what else the program does
		return upkeeptest.Open(t, site)
	})
	upkeeptest.Eventually(t, time.Minute, "that to be known", func() bool {
		p.Run(t, "host", "check", "web1")
		return upkeeptest.JSON[web.Site](t, p, "site", "show", "shop").Status == web.Live
	})
	upkeeptest.Works(t, site)
	// A host that is lost for good keeps nobody from forgetting it.
	h.Cut(true)
	for _, words := range [][]string{{"site", "remove", "shop", "--yes"}, {"host", "remove", "web1", "--forget", "--yes"}} {
		if out, code := p.Run(t, words...); code != 0 {
			t.Errorf("%q: exit %d: %s", words, code, out)
		}
	}
}

// A backup of a site on a host goes back there: in place, and into a folder.
func TestRestoreOnAHost(t *testing.T) {
	t.Parallel()
	site := upkeeptest.WordPress(t, upkeeptest.Small())
	h := upkeeptest.NewHost(t, upkeeptest.AsSudoer)
	p := upkeeptest.AdoptOn(t, site, h, []string{"--sudo"})
	before := upkeeptest.StateOf(t, site)
	backup := upkeeptest.BackUp(t, p)
	damaged := filepath.Join(site.Root, "wp-load.php")
	if err := os.WriteFile(damaged, []byte("<?php // nothing"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, code := p.Run(t, "backup", "restore", backup.ID.String(), "--in-place", "--yes"); code != 0 {
		t.Fatalf("in place: exit %d: %s", code, out)
	}
	upkeeptest.Same(t, before, site, upkeeptest.Volatile...)
	upkeeptest.Works(t, site)
	dir := filepath.Join("/var/tmp", filepath.Base(p.AgentDir())+"-"+filepath.Base(h.Dir))
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // there or not
	if out, code := p.Run(t, "backup", "restore", backup.ID.String(), "--dir", dir); code != 0 {
		t.Fatalf("into a folder: exit %d: %s", code, out)
	}
	if len(glob(t, filepath.Join(dir, "*", "wp-load.php"))) != 1 {
		t.Errorf("restored %q", glob(t, filepath.Join(dir, "*")))
	}
}

// After an upgrade here the new program replaces the old one there, and an
// agent of it that has nothing to do.
func TestUpgradeInPlace(t *testing.T) {
	t.Parallel()
	site := upkeeptest.WordPress(t, upkeeptest.Small())
	h := upkeeptest.NewHost(t, upkeeptest.AsRoot)
	p := upkeeptest.AdoptOn(t, site, h, nil)
	root, err := upkeeptest.Repository()
	if err != nil {
		t.Fatal(err)
	}
	newer := filepath.Join(t.TempDir(), "upkeep")
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags", "-X main.version=99.0.0", "-o", newer, "./cmd/upkeep")
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	bin := filepath.Join(filepath.Dir(filepath.Dir(p.AgentDir())), "bin")
	if out, code := p.Run(t, "site", "inventory", "shop"); code != 0 {
		t.Fatalf("exit %d: %s", code, out)
	}
	before, agents := glob(t, filepath.Join(bin, "*")), upkeeptest.Processes("agent\x00run", p.AgentDir())
	command := p.Command(t, "site", "inventory", "shop")
	command.Path, command.Args[0] = newer, newer
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	after := glob(t, filepath.Join(bin, "*"))
	if len(before) != 1 || len(after) != 1 || before[0] == after[0] {
		t.Errorf("there were %q, there are %q", before, after)
	}
	for _, pid := range upkeeptest.Processes("agent\x00run", p.AgentDir()) {
		if program, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "exe")); err == nil && program != after[0] {
			t.Errorf("an agent runs from %s", program)
		}
		if slices.Contains(agents, pid) {
			t.Errorf("agent %d is still there", pid)
		}
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return found
}
