package upkeeptest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/cms/php"
	"upkeep/internal/demo"
	"upkeep/internal/demo/fixtures"
	"upkeep/internal/demo/mirror"
	"upkeep/internal/demo/portal"
	"upkeep/internal/demo/project"
	"upkeep/internal/demo/wiki"
	"upkeep/internal/demo/wikimedia"
	"upkeep/internal/store"
)

// Program is upkeep itself, as an operator runs it, with a state folder of its
// own and a mirror of the WordPress update API.
type Program struct {
	State     string            // folder
	Database  string            // address of a PostgreSQL that has the records; "": they are in the folder
	Mirror    *mirror.Mirror    // of a WordPress
	Wiki      *wiki.Mirror      // of a DokuWiki
	Wikimedia *wikimedia.Mirror // of a MediaWiki
	Portal    *portal.Mirror    // of a Joomla
	Drupal    *project.Mirror   // of a Drupal
	folder    string            // of ours on the host that the site is on, "" for this machine
	site      *demo.Site
	db        *store.DB
}

// binary builds the command once per process, in the folder of its world.
var binary = sync.OnceValues(func() (string, error) {
	root, err := Repository()
	if err != nil {
		return "", err
	}
	path := filepath.Join(worldDir(os.Getpid()), "bin", "upkeep")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-o", path, "./cmd/upkeep")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Join(err, errors.New(string(out)))
	}
	return path, nil
})

// Adopt returns the program with site added under the name "shop". The mirror
// offers the given releases besides the cores in the world's packages.
func Adopt(t testing.TB, site *demo.Site, offers ...fixtures.Release) *Program {
	t.Helper()
	return AdoptWith(t, site, nil, offers...)
}

// AdoptWith is Adopt with further flags of site add, such as "--majors".
func AdoptWith(t testing.TB, site *demo.Site, flags []string, offers ...fixtures.Release) *Program {
	t.Helper()
	p := newProgram(t, site)
	p.startMirror(t, offers)
	p.add(t, flags)
	return p
}

// AdoptOn is Adopt for a site on a host.
func AdoptOn(t testing.TB, site *demo.Site, h *Host, flags []string, offers ...fixtures.Release) *Program {
	t.Helper()
	p := newProgram(t, site)
	p.startMirror(t, offers)
	p.AdoptHost(t, h, flags...)
	p.add(t, []string{"--host", "web1"})
	return p
}

// AdoptAll returns the program with its records in a PostgreSQL and sites added
// under the names "s1", "s2" and so on.
func AdoptAll(t testing.TB, database string, sites []*demo.Site, offers ...fixtures.Release) *Program {
	t.Helper()
	p := newProgram(t, sites[0])
	p.Database = database
	p.startMirror(t, offers)
	for i, site := range sites {
		if out, code := p.Run(t, "site", "add", site.Root, "--name", fmt.Sprintf("s%d", i+1), "--url", site.URL); code != 0 {
			t.Fatalf("site add: exit %d: %s", code, out)
		}
	}
	return p
}

// NewProgram returns the program with nothing added, and no publisher to ask.
func NewProgram(t testing.TB) *Program {
	t.Helper()
	return newProgram(t, nil)
}

// AdoptKnown returns the program with a site added under the name "shop" that no
// publisher is asked about.
func AdoptKnown(t testing.TB, site *demo.Site) *Program {
	t.Helper()
	p := newProgram(t, site)
	p.add(t, nil)
	return p
}

// newProgram returns the program with an empty state.
func newProgram(t testing.TB, site *demo.Site) *Program {
	t.Helper()
	dir, err := os.MkdirTemp("", "upkeep-state-")
	if err != nil {
		t.Fatal(err)
	}
	p := &Program{State: filepath.Join(dir, "state"), site: site}
	t.Cleanup(func() { p.cleanUp(t, dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return p
}

// add adds the site under the name "shop".
func (p *Program) add(t testing.TB, flags []string) {
	t.Helper()
	site := p.site
	root := site.Root
	if site.Spec.Layout == demo.Bedrock {
		root = filepath.Dir(site.DocumentRoot) // the project is the site
	}
	add := append([]string{"site", "add", root, "--name", "shop", "--url", site.URL, "--format", "json"}, flags...)
	if out, code := p.Run(t, add...); code != 0 {
		t.Fatalf("site add: exit %d: %s", code, out)
	}
}

func (p *Program) startMirror(t testing.TB, offers []fixtures.Release) {
	t.Helper()
	set, err := World(t).Packages()
	if err != nil {
		t.Fatal(err)
	}
	p.Mirror, err = mirror.New(mirror.Options{Compare: func(a, b upkeep.Version) int { return php.CompareVersions(string(a), string(b)) }})
	if err != nil {
		t.Fatal(err)
	}
	for _, core := range set.Cores {
		if err := p.Mirror.Add(core.Zip); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	// What is installed now is published too, so that it can be compared.
	for _, release := range append(offers, p.site.Spec.Extensions...) {
		if release.Kind != upkeep.Plugin && release.Kind != upkeep.Theme {
			continue
		}
		path, err := release.WriteZip(dir)
		if err == nil {
			err = p.Mirror.Add(path)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	server := httptest.NewServer(p.Mirror)
	t.Cleanup(server.Close)
	p.configure(t, server, "wordpress", map[string]string{"api": server.URL, "downloads": server.URL})
}

// configure has the program ask a publisher of the test's own.
func (p *Program) configure(t testing.TB, server *httptest.Server, publisher string, addresses map[string]string) {
	t.Helper()
	config, err := json.Marshal(map[string]any{
		publisher: addresses,
		"trusted": []string{strings.TrimPrefix(server.URL, "http://")},
	})
	if err == nil {
		err = os.MkdirAll(p.State, 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(p.State, "config.json"), config, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Command returns the command without starting it.
func (p *Program) Command(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), path, args...)
	cmd.Env = append(os.Environ(), "UPKEEP_STATE="+p.State, "LC_ALL=en_US.UTF-8", "NO_COLOR=1", "UPKEEP_DATABASE_URL="+p.Database)
	return cmd
}

// Run runs a command to its end and returns what it printed and its exit code.
func (p *Program) Run(t testing.TB, args ...string) (string, int) {
	t.Helper()
	cmd := p.Command(t, args...)
	var out, notice bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &notice
	err := cmd.Run()
	if exit, failed := errors.AsType[*exec.ExitError](err); failed {
		t.Logf("upkeep %s: exit %d\n%s", strings.Join(args, " "), exit.ExitCode(), notice.String())
		return out.String() + notice.String(), exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), 0
}

// JSON runs a command that must succeed with --format json, and decodes what
// it printed.
func JSON[T any](t testing.TB, p *Program, args ...string) T {
	t.Helper()
	var value T
	out, code := p.Run(t, append(args, "--format", "json")...)
	if code != 0 {
		t.Fatalf("upkeep %s: exit %d: %s", strings.Join(args, " "), code, out)
	}
	if err := json.Unmarshal([]byte(out), &value); err != nil {
		t.Fatalf("upkeep %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return value
}

// Last returns the newest intervention.
func (p *Program) Last(t testing.TB) *upkeep.Intervention {
	t.Helper()
	list := JSON[[]upkeep.Intervention](t, p, "intervention", "list")
	if len(list) == 0 {
		t.Fatal("no intervention")
	}
	return &list[0]
}

// AgentDir is the folder of the site's agent.
func (p *Program) AgentDir() string {
	if p.folder != "" {
		return filepath.Join(p.folder, "agents", "1")
	}
	return filepath.Join(p.State+"-agents", "1")
}

// Log returns what the control plane and the agent logged.
func (p *Program) Log() string {
	var all strings.Builder
	for _, path := range []string{filepath.Join(p.State, "upkeep.log"), filepath.Join(p.AgentDir(), "agent.log")} {
		text, err := os.ReadFile(path)
		if err == nil {
			all.WriteString("== " + path + "\n" + string(text))
		}
	}
	return all.String()
}

// cleanUp ends the agents and removes the state.
func (p *Program) cleanUp(t testing.TB, dir string) {
	if t.Failed() {
		t.Log(p.Log())
	}
	for _, pid := range Processes("agent", p.State+"-agents") {
		_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended by itself
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Errorf("remove state: %v", err)
	}
}

// Processes returns the processes whose command line holds all words.
func Processes(words ...string) []int {
	var pids []int
	found, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is valid
next:
	for _, path := range found {
		line, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		for _, word := range words {
			if !strings.Contains(string(line), word) {
				continue next
			}
		}
		var pid int
		for _, digit := range filepath.Base(filepath.Dir(path)) {
			pid = pid*10 + int(digit-'0')
		}
		pids = append(pids, pid)
	}
	return pids
}

// Children returns the processes that a process has started.
func Children(pid int) []int {
	var pids []int
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) // the pattern is valid
	for _, list := range lists {
		text, _ := os.ReadFile(list) // a thread that has ended has none
		for word := range strings.FieldsSeq(string(text)) {
			if child, err := strconv.Atoi(word); err == nil {
				pids = append(pids, child)
			}
		}
	}
	return pids
}

// records opens the program's records beside it.
func (p *Program) records(t testing.TB) *store.DB {
	t.Helper()
	if p.db == nil {
		db, err := store.Open(context.WithoutCancel(t.Context()), store.Config{Path: filepath.Join(p.State, "upkeep.db"), URL: p.Database})
		if err != nil {
			t.Fatal(err)
		}
		p.db = db
		t.Cleanup(func() { _ = db.Close() }) // it was only read
	}
	return p.db
}

// Intervention returns the newest intervention as recorded, nil when there is
// none yet. It asks the records, not the program.
func (p *Program) Intervention(t testing.TB) *upkeep.Intervention {
	t.Helper()
	list, err := p.records(t).Interventions(context.WithoutCancel(t.Context()), upkeep.InterventionFilter{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		return nil
	}
	return list[0]
}

// Now returns the state of the newest intervention, "" when there is none yet.
func (p *Program) Now(t testing.TB) upkeep.State {
	t.Helper()
	if iv := p.Intervention(t); iv != nil {
		return iv.State
	}
	return ""
}

// WaitState waits until the newest intervention is in a state, or has ended
// without it, which fails the test.
func (p *Program) WaitState(t testing.TB, state upkeep.State) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		before := p.written()
		now := p.Now(t)
		if now == state {
			return
		}
		if now.Ended() || time.Now().After(deadline) {
			t.Fatalf("is %q, never was %q", now, state)
		}
		// Some states are over in milliseconds; asking all the time would take
		// the processor from what is waited for.
		for looked := 0; looked < 3 && p.written() == before; looked++ {
			time.Sleep(time.Millisecond)
		}
	}
}

// written tells whether something was written to the records since.
func (p *Program) written() (w struct {
	size int64
	at   time.Time
}) {
	if info, err := os.Stat(filepath.Join(p.State, "upkeep.db-wal")); err == nil {
		w.size, w.at = info.Size(), info.ModTime()
	}
	return w
}

// Settle runs harmless commands, as an operator might, until the newest
// intervention has ended.
func (p *Program) Settle(t testing.TB) {
	t.Helper()
	var last time.Time
	Eventually(t, 3*time.Minute, "the intervention to end", func() bool {
		if !p.Now(t).Ended() && time.Since(last) > time.Second {
			p.Run(t, "site", "list")
			last = time.Now()
		}
		return p.Now(t).Ended()
	})
}
