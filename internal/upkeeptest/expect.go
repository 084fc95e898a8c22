package upkeeptest

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
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
	"upkeep/internal/web"
)

// Small is a site that is quick to work on: three plugins and a theme.
func Small() demo.Spec {
	return demo.Spec{Extensions: []fixtures.Release{
		fixtures.MustUse(fixtures.OpenComments, "1.0"), fixtures.Theme(fixtures.Paper, "1.0"),
		fixtures.Plugin(fixtures.Guestbook, "1.0"), fixtures.Plugin(fixtures.Diary, "1.0"), fixtures.Plugin(fixtures.LoneWolf, "1.0"),
	}}
}

// Offers are good releases of two plugins and one that breaks the site, so
// that an intervention goes through every state.
func Offers() []fixtures.Release {
	return []fixtures.Release{
		fixtures.Plugin(fixtures.Diary, "1.1"), fixtures.Plugin(fixtures.LoneWolf, "1.1"),
		fixtures.Plugin(fixtures.Guestbook, "1.1").With(fixtures.HalfMigrate),
	}
}

// Midway lists the states in which something can die.
var Midway = []upkeep.State{
	upkeep.Preparing, upkeep.Freezing, upkeep.Securing, upkeep.Applying,
	upkeep.Verifying, upkeep.Undoing, upkeep.Thawing, upkeep.Concluding,
}

// Victim is what a test kills.
type Victim struct {
	Name string
	Kill func(t testing.TB, p *Program, worker *exec.Cmd)
}

// Victims are the processes of an intervention.
var Victims = []Victim{
	{"worker", func(t testing.TB, _ *Program, worker *exec.Cmd) { Kill(t, worker.Process.Pid) }},
	{"agent", func(t testing.TB, p *Program, _ *exec.Cmd) {
		for _, pid := range Processes("agent\x00run", p.AgentDir()) {
			Kill(t, pid)
		}
	}},
	{"all", func(t testing.TB, p *Program, worker *exec.Cmd) {
		for _, pid := range Processes("agent", p.AgentDir()) {
			Kill(t, pid)
		}
		Kill(t, worker.Process.Pid)
	}},
}

// Kill sends SIGKILL to a process, which may have ended already.
func Kill(t testing.TB, pid int) {
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Fatal(err)
	}
}

// Begun waits until there is something to leave behind.
func Begun(t testing.TB, p *Program) {
	t.Helper()
	Eventually(t, time.Minute, "the journal to be opened", func() bool {
		_, err := os.Stat(filepath.Join(p.AgentDir(), "journal.jsonl"))
		return err == nil
	})
}

// Intact asserts what must hold after anything: an end that is not an
// incident, a site that works, both backups or nothing changed, nothing left.
func Intact(t testing.TB, p *Program, site *demo.Site, before *State) {
	t.Helper()
	iv := p.Last(t)
	t.Logf("ended %s, error %v", iv.State, iv.Error)
	switch iv.State {
	case upkeep.Done, upkeep.Partial:
		if iv.Before == 0 || iv.After == 0 {
			t.Errorf("ended %s with backups %d and %d", iv.State, iv.Before, iv.After)
		}
	case upkeep.Undone, upkeep.Failed, upkeep.Cancelled:
		Same(t, before, site, Volatile...)
	default:
		t.Errorf("ended %s", iv.State)
	}
	Works(t, site)
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

// Volatile are what visits to a site change whenever they come: scheduled
// events and their lock, and the counter of the rows that hold them.
var Volatile = []string{"_transient", "cron", "AUTO_INCREMENT=", "/data/cache", "/data/locks", "`jos_session`", "/administrator/cache",
	"INTO `cache` ", "INTO `cache_", "INTO `cachetags` ", "INTO `watchdog` ", "/files/php/",
	"/wikicache.sqlite", "/wiki_l10n_cache.sqlite", "./sqlite\x00d ", "./sqlite/locks", "`objectcache`", "`l10n_cache`",
	"INTO public.jos_session ", "INTO public.cache_", "INTO public.cachetags ", "INTO public.watchdog ", "watchdog_wid_seq",
	"INTO cache_", "INTO cachetags ", "INTO watchdog ", "INTO sqlite_sequence ", "/default/files\x00d ", "INTO mediawiki.objectcache ", "INTO mediawiki.l10n_cache "}

// Outcomes returns the refs that ended with a result.
func Outcomes(iv *upkeep.Intervention, result upkeep.Result) []string {
	var refs []string
	for _, o := range iv.Outcomes {
		if o.Result == result {
			refs = append(refs, o.Ref)
		}
	}
	return refs
}

// Configure changes what the program's config.json says.
func Configure(t testing.TB, p *Program, key string, value any) {
	t.Helper()
	path := filepath.Join(p.State, "config.json")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = []byte("{}"), nil
	}
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string]any{}
	if err := json.Unmarshal(text, &settings); err != nil {
		t.Fatal(err)
	}
	settings[key] = value
	if text, err = json.Marshal(settings); err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Open reports whether visitors are served.
func Open(t testing.TB, site *demo.Site) bool {
	t.Helper()
	page, err := Get(t.Context(), site, "/")
	return err == nil && page.Status == http.StatusOK
}

// BackUp makes a backup of the live site.
func BackUp(t testing.TB, p *Program) *web.Backup {
	t.Helper()
	backup := JSON[web.Backup](t, p, "backup", "create", "shop")
	if !backup.Complete || backup.Verified.IsZero() || backup.Files == 0 || backup.Tables == 0 {
		t.Fatalf("%+v", backup)
	}
	return &backup
}

// Shown is the record of the latest intervention.
func Shown(t testing.TB, p *Program) *web.Record {
	t.Helper()
	record := JSON[web.Record](t, p, "intervention", "show", p.Last(t).ID.String())
	return &record
}

// Settled reports whether no site is closed any more as its agent sees it:
// there is no journal, or its last word is that the gate is open, or it never
// began to close.
func Settled(t testing.TB, p *Program) bool {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(p.AgentDir(), "journal.jsonl"))
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	if err != nil {
		t.Fatal(err)
	}
	closed := false
	for line := range strings.Lines(string(text)) {
		switch {
		case strings.Contains(line, `"op":"gate"`), strings.Contains(line, `"op":"mode"`):
			closed = true
		case strings.Contains(line, `"op":"thawed"`):
			closed = false
		}
	}
	return !closed
}
