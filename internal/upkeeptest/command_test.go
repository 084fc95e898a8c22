package upkeeptest_test

import (
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/demo"
	"upkeep/internal/upkeeptest"
	"upkeep/internal/web"
)

// closed reports whether visitors are refused.
func closed(t *testing.T, site *demo.Site) bool {
	t.Helper()
	page, err := upkeeptest.Get(t.Context(), site, "/")
	return err == nil && page.Status == http.StatusServiceUnavailable
}

// fails runs a command that must end with a status, in one line that holds
// words and no more than a hint besides.
func fails(t *testing.T, p *upkeeptest.Program, status int, words string, args ...string) {
	t.Helper()
	out, code := p.Run(t, args...)
	if code != status {
		t.Errorf("upkeep %s: exit %d, want %d\n%s", strings.Join(args, " "), code, status, out)
	}
	if !strings.Contains(out, words) {
		t.Errorf("upkeep %s does not say %q:\n%s", strings.Join(args, " "), words, out)
	}
	if lines := strings.Count(strings.TrimSpace(out), "\n") + 1; lines > 2 || !strings.HasPrefix(out, "upkeep: ") {
		t.Errorf("upkeep %s says more than one line and a hint:\n%s", strings.Join(args, " "), out)
	}
}

func TestFreezeByHand(t *testing.T) {
	t.Parallel()
	site := upkeeptest.WordPress(t, upkeeptest.Small())
	p := upkeeptest.Adopt(t, site, upkeeptest.Offers()[:2]...)
	before := upkeeptest.StateOf(t, site)

	state := upkeeptest.JSON[web.GateState](t, p, "site", "freeze", "shop", "--yes")
	if !state.Frozen || state.Until.Sub(state.Since) != 15*time.Minute || !closed(t, site) {
		t.Errorf("%+v", state)
	}
	if now := upkeeptest.JSON[web.Site](t, p, "site", "show", "shop"); now.Status != web.Frozen {
		t.Errorf("shown as %s", now.Status)
	}
	fails(t, p, 1, "site shop is frozen", "site", "freeze", "shop", "--yes")
	fails(t, p, 1, "frozen", "site", "remove", "shop", "--yes")
	if !closed(t, site) {
		t.Error("open again")
	}
	if state := upkeeptest.JSON[web.GateState](t, p, "site", "thaw", "shop"); state.Frozen || !upkeeptest.Open(t, site) {
		t.Errorf("%+v", state)
	}
	upkeeptest.Same(t, before, site, upkeeptest.Volatile...)
	if out, code := p.Run(t, "site", "thaw", "shop"); code != 0 {
		t.Errorf("a second thaw: exit %d: %s", code, out)
	}

	// Nobody thaws: the deadline does, and the next freeze starts afresh.
	upkeeptest.JSON[web.GateState](t, p, "site", "freeze", "shop", "--yes", "--for", "2s")
	upkeeptest.Eventually(t, 20*time.Second, "the deadline to thaw", func() bool { return upkeeptest.Open(t, site) })
	upkeeptest.Same(t, before, site, upkeeptest.Volatile...)
	upkeeptest.JSON[web.GateState](t, p, "site", "freeze", "shop", "--yes")
	if !closed(t, site) {
		t.Error("not frozen")
	}
	// An update of a site that is closed by hand has to wait.
	out, code := p.Run(t, "site", "update", "shop", "--yes", "--only", "lone-wolf")
	if code != 1 || !strings.Contains(out, "site thaw") {
		t.Errorf("exit %d: %s", code, out)
	}
	upkeeptest.JSON[web.GateState](t, p, "site", "thaw", "shop")
	if out, code := p.Run(t, "site", "update", "shop", "--yes", "--only", "lone-wolf"); code != 0 {
		t.Errorf("exit %d: %s", code, out)
	}
	upkeeptest.Works(t, site)
}

func TestFreezeDuringInterventionIsRefused(t *testing.T) {
	t.Parallel()
	site := upkeeptest.WordPress(t, upkeeptest.Small())
	p := upkeeptest.Adopt(t, site, upkeeptest.Offers()[:2]...)
	worker := p.Command(t, "site", "update", "shop", "--yes")
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	p.WaitState(t, upkeep.Securing)
	fails(t, p, 1, "intervention 1", "site", "freeze", "shop", "--yes")
	fails(t, p, 1, "intervention 1", "site", "remove", "shop", "--yes")
	if err := worker.Wait(); err != nil {
		t.Error(err)
	}
	if iv := p.Last(t); iv.State != upkeep.Done {
		t.Errorf("ended %s: %v", iv.State, iv.Error)
	}
	upkeeptest.Works(t, site)
}

// maintain leaves the .maintenance of an update begun at some time.
func maintain(t *testing.T, site *demo.Site, begun time.Time) string {
	t.Helper()
	place(t, site, ".maintenance", "<?php $upgrading = "+upkeep.SiteID(begun.Unix()).String()+"; ?>")
	path := filepath.Join(site.Root, ".maintenance")
	if err := os.Chtimes(path, begun, begun); err != nil {
		t.Fatal(err)
	}
	return path
}

// WordPress itself leaves its gate behind when an update of its own dies. An
// old one lets visitors in and is no obstacle; a fresh one means that an
// update is under way, by somebody else.
func TestMaintenanceOfOthers(t *testing.T) {
	t.Parallel()
	site := upkeeptest.WordPress(t, upkeeptest.Small())
	p := upkeeptest.Adopt(t, site, upkeeptest.Offers()[:2]...)
	path := maintain(t, site, time.Now())
	before := upkeeptest.StateOf(t, site)
	out, code := p.Run(t, "site", "update", "shop", "--yes", "--only", "lone-wolf")
	if code != 1 || !strings.Contains(out, "update") {
		t.Errorf("exit %d: %s", code, out)
	}
	upkeeptest.Same(t, before, site, upkeeptest.Volatile...)

	maintain(t, site, time.Now().Add(-time.Hour))
	if out, code := p.Run(t, "site", "update", "shop", "--yes", "--only", "lone-wolf"); code != 0 {
		t.Errorf("exit %d: %s", code, out)
	}
	if iv := p.Last(t); iv.State != upkeep.Done {
		t.Errorf("ended %s: %v", iv.State, iv.Error)
	}
	if _, err := os.Stat(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	upkeeptest.Works(t, site)
}

func TestInterruptFinishesOrUndoes(t *testing.T) {
	for _, state := range []upkeep.State{upkeep.Preparing, upkeep.Applying, upkeep.Verifying} {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()
			site := upkeeptest.WordPress(t, upkeeptest.Small())
			p := upkeeptest.Adopt(t, site, upkeeptest.Offers()...)
			before := upkeeptest.StateOf(t, site)
			worker := p.Command(t, "site", "update", "shop", "--yes")
			var out strings.Builder
			worker.Stdout, worker.Stderr = &out, &out
			if err := worker.Start(); err != nil {
				t.Fatal(err)
			}
			p.WaitState(t, state)
			if err := worker.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			err := worker.Wait()
			exit, failed := errors.AsType[*exec.ExitError](err)
			if !failed || exit.ExitCode() != 130 {
				t.Errorf("ended with %v, want exit 130\n%s", err, out.String())
			}
			iv := p.Intervention(t)
			if !iv.State.Ended() {
				t.Errorf("is %s after the command ended", iv.State)
			}
			words := map[upkeep.State]string{upkeep.Cancelled: "cancelled", upkeep.Undone: "undone", upkeep.Partial: "partly", upkeep.Done: "done"}[iv.State]
			if last := out.String(); words == "" || !strings.Contains(last[strings.LastIndex(last, "upkeep: "):], words) {
				t.Errorf("ended %s, said:\n%s", iv.State, out.String())
			}
			upkeeptest.Intact(t, p, site, before)
		})
	}
}

func TestModifiedPluginIsHeld(t *testing.T) {
	t.Parallel()
	site := upkeeptest.WordPress(t, upkeeptest.Small())
	p := upkeeptest.Adopt(t, site, upkeeptest.Offers()[:2]...)
	path := filepath.Join(site.Content, "plugins", "event-diary", "event-diary.php")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	place(t, site, "wp-content/plugins/event-diary/event-diary.php", string(text)+"\n// by hand\n")
	before := upkeeptest.StateOf(t, site)
	const ref = "plugin:event-diary/event-diary.php"
	updates := upkeeptest.JSON[[]upkeep.Update](t, p, "update", "list", "shop")
	i := slices.IndexFunc(updates, func(u upkeep.Update) bool { return u.Ref() == ref })
	if i < 0 || updates[i].Disposition != upkeep.Held {
		t.Fatalf("not held: %+v", updates)
	}
	if list, _ := p.Run(t, "update", "list", "shop"); !strings.Contains(list, "event-diary.php") || !strings.Contains(list, "modified") {
		t.Errorf("the list does not say why:\n%s", list)
	}
	fails(t, p, 1, "event-diary", "site", "update", "shop", "--yes", "--only", "event-diary")
	upkeeptest.Same(t, before, site, upkeeptest.Volatile...)
	if out, code := p.Run(t, "site", "update", "shop", "--yes"); code != 0 && code != 3 {
		t.Errorf("exit %d: %s", code, out)
	}
	if now, err := os.ReadFile(path); err != nil || !strings.HasSuffix(string(now), "// by hand\n") {
		t.Errorf("overwritten: %v", err)
	}
	upkeeptest.Works(t, site)
}

func TestBadInputChangesNothing(t *testing.T) {
	t.Parallel()
	site := upkeeptest.WordPress(t, upkeeptest.Small())
	p := upkeeptest.Adopt(t, site, upkeeptest.Offers()[:2]...)
	before := upkeeptest.StateOf(t, site)
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	empty, roots := filepath.Join(dir, "empty"), filepath.Join(dir, "roots")
	for _, path := range []string{empty, roots} {
		if err := os.Mkdir(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	uid, gid := upkeeptest.World(t).Account()
	if err := os.Chown(empty, uid, gid); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		status int
		words  string
		args   []string
	}{
		{1, "nosuch", []string{"site", "show", "nosuch"}},
		{1, "nosuch", []string{"site", "update", "nosuch", "--yes"}},
		{1, "nosuch", []string{"site", "freeze", "nosuch", "--yes"}},
		{1, "nosuch", []string{"update", "list", "nosuch"}},
		{1, "nosuch", []string{"site", "update", "shop", "--yes", "--only", "nosuch"}},
		{1, "nosuch", []string{"site", "update", "shop", "--yes", "--except", "nosuch"}},
		{1, "99", []string{"backup", "restore", "99", "--in-place", "--yes"}},
		{1, "99", []string{"backup", "verify", "99"}},
		{1, "99", []string{"backup", "diff", "99"}},
		{1, "99", []string{"intervention", "show", "99"}},
		{1, "99", []string{"intervention", "cancel", "99"}},
		{1, empty, []string{"site", "add", empty, "--name", "two"}},
		{1, dir, []string{"site", "add", filepath.Join(dir, "absent"), "--name", "two"}},
		{2, "wp-load.php", []string{"site", "add", filepath.Join(site.Root, "wp-load.php"), "--name", "two"}},
		{1, "shop", []string{"site", "add", site.Root, "--name", "two"}},
		{1, "shop", []string{"site", "add", site.Root, "--name", "shop"}},
		{1, "already site shop", []string{"site", "add", site.Root, "--name", "two", "--dry-run"}},
		{1, "already site shop", []string{"site", "add", filepath.Dir(site.Root), "--name", "two"}},
		{1, "upkeep intervention list", []string{"intervention", "log", "99"}},
		{1, "upkeep backup list", []string{"backup", "show", "99"}},
	} {
		fails(t, p, c.status, c.words, c.args...)
	}
	if os.Geteuid() == 0 {
		fails(t, p, 2, "belongs to root", "site", "add", roots, "--name", "two")
	}
	if sites := upkeeptest.JSON[[]web.Site](t, p, "site", "list"); len(sites) != 1 {
		t.Errorf("%d sites", len(sites))
	}
	entries := upkeeptest.JSON[[]upkeep.LedgerEntry](t, p, "ledger", "list")
	for _, args := range [][]string{
		{"site", "update", "shop", "--dry-run"}, {"site", "freeze", "shop", "--dry-run"}, {"site", "remove", "shop", "--dry-run"},
		{"backup", "prune", "shop", "--dry-run"},
	} {
		if out, code := p.Run(t, args...); code != 0 {
			t.Errorf("upkeep %s: exit %d: %s", strings.Join(args, " "), code, out)
		}
	}
	if now := upkeeptest.JSON[[]upkeep.LedgerEntry](t, p, "ledger", "list"); len(now) != len(entries) {
		t.Errorf("the ledger has %d entries more", len(now)-len(entries))
	}
	if p.Intervention(t) != nil {
		t.Error("there is an intervention")
	}
	upkeeptest.Same(t, before, site, upkeeptest.Volatile...)
}
