package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"upkeep"
	"upkeep/cmd/upkeep/console"
	"upkeep/internal/catalogue"
	"upkeep/internal/demo/fixtures"
	"upkeep/internal/upkeeptest"
	"upkeep/internal/web"
)

// What the tour's shop has.
const (
	shopName = "shop"
	title    = "Atelier Lumen"
	culprit  = fixtures.LeadForm // breaks
	licensed = fixtures.Notes    // without a licence
	modified = fixtures.LoneWolf // changed by hand
)

// program is the command built from this tree. The agents and the mirror are
// the program itself again, which a test binary cannot be.
type program struct {
	t    *testing.T
	path string
	root string // of the repository, where the WordPress packages are
	dir  string // of the demonstration
}

func buildProgram(t *testing.T) *program {
	t.Helper()
	root, err := upkeeptest.Repository()
	if err != nil {
		t.Fatal(err)
	}
	base, err := os.MkdirTemp(roomy(), "upkeep-demo-test-")
	if err == nil {
		err = os.Chmod(base, 0o755) // the sites' account passes through
	}
	if err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, path: filepath.Join(t.TempDir(), "upkeep"), root: root, dir: filepath.Join(base, "demo")}
	build := exec.Command("go", "build", "-o", p.path, "./cmd/upkeep")
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Cleanup(func() {
		_ = p.command("demo", "--dir", p.dir, "--clean").Run() // a test that failed half-way
		if err := os.RemoveAll(base); err != nil {
			t.Error(err)
		}
	})
	return p
}

// roomy is where demonstrations go fastest: into memory where there is room,
// since a site is thousands of files; "" is the usual place.
func roomy() string {
	const memory = "/dev/shm"
	var fs unix.Statfs_t
	if err := unix.Statfs(memory, &fs); err == nil && int64(fs.Bavail)*fs.Bsize >= 4<<30 {
		return memory
	}
	return ""
}

func (p *program) command(args ...string) *exec.Cmd {
	cmd := exec.Command(p.path, append([]string{"--lang", "en"}, args...)...)
	cmd.Dir = p.root
	cmd.Env = append(os.Environ(), "UPKEEP_STATE="+filepath.Join(p.dir, "state"))
	return cmd
}

// run runs a command and returns what it wrote to stdout, and its exit code.
func (p *program) run(args ...string) (string, int) {
	p.t.Helper()
	cmd := p.command(args...)
	var out, notice bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &notice
	err := cmd.Run()
	if exit, failed := errors.AsType[*exec.ExitError](err); failed {
		p.t.Logf("upkeep %s: %s\n%s%s", strings.Join(args, " "), exit, out.String(), notice.String())
	} else if err != nil {
		p.t.Fatal(err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

func read[T any](p *program, args ...string) (value T) {
	p.t.Helper()
	out, code := p.run(append(args, "--format", "json")...)
	if err := json.Unmarshal([]byte(out), &value); err != nil || code != 0 {
		p.t.Fatalf("upkeep %v: exit %d, %v: %s", args, code, err, out)
	}
	return value
}

// left returns the processes that the demonstration's folder appears in.
func (p *program) left() []int { return upkeeptest.Processes(p.dir) }

func TestDemonstration(t *testing.T) {
	p := buildProgram(t)
	began := time.Now()
	out, code := p.run("demo", "--dir", p.dir)
	t.Logf("demonstration in %v", time.Since(began))
	if code != 0 {
		t.Fatalf("exit %d", code)
	}
	rest := out
	for _, command := range []string{"site add", "site inventory shop", "update list shop", "site update shop", "site update shop",
		"backup list", "ledger verify", "restic -r", "restic -r", "site show shop", "demo --clean"} {
		_, after, found := strings.Cut(rest, command)
		if !found {
			t.Fatalf("%q is missing, or not in its place:\n%s", command, out)
		}
		rest = after
	}
	if got := strings.Count(out, "200 “"+title+"”"); got != 4 {
		t.Errorf("home page seen well %d times:\n%s", got, out)
	}
	p.checkRecords()
	p.checkRestic()

	// It may be run again, and interrupted.
	if status := p.interrupted(); status != console.ExitInterrupted {
		t.Errorf("interrupted: exit %d", status)
	}
	if left := p.left(); len(left) > 0 {
		t.Errorf("processes left by an interrupted demonstration: %v", left)
	}
	if _, code := p.run("demo", "--dir", p.dir, "--clean"); code != 0 {
		t.Errorf("clean: exit %d", code)
	}
	if _, err := os.Stat(p.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("folder left: %v", err)
	}
}

// checkRecords reads back what the two interventions did.
func (p *program) checkRecords() {
	t := p.t
	records := read[[]web.Record](p, "intervention", "list")
	if len(records) != 2 {
		t.Fatalf("%d interventions", len(records))
	}
	for i, want := range []upkeep.State{upkeep.Partial, upkeep.Done} {
		record := read[web.Record](p, "intervention", "show", records[i].ID.String())
		if record.State != want || !record.Verdict.OK() || record.Frozen(time.Now()) <= 0 {
			t.Errorf("intervention %s: %s, %+v", record.ID, record.State, record.Verdict)
		}
		for _, backup := range []*upkeep.Backup{record.BeforeBackup, record.AfterBackup} {
			if backup == nil || !backup.Complete || backup.Verified.IsZero() {
				t.Errorf("intervention %s: backup %+v", record.ID, backup)
			}
		}
		for _, outcome := range record.Outcomes {
			guilty := want == upkeep.Partial && outcome.Ref == fixtures.Plugin(culprit, "").Component()
			if guilty != (outcome.Result == upkeep.Guilty) || !guilty && outcome.Result != upkeep.Applied {
				t.Errorf("intervention %s: %+v", record.ID, outcome)
			}
		}
		if want == upkeep.Partial && (len(record.Tasks) != 1 || len(record.Holds) != 1 || !record.Identity.Proven()) {
			t.Errorf("tasks %+v, holds %+v, identity %+v", record.Tasks, record.Holds, record.Identity)
		}
		core := slices.ContainsFunc(record.Outcomes, func(o upkeep.Outcome) bool { return o.Ref == string(upkeep.Core) && o.From != o.To })
		if core != (want == upkeep.Done) {
			t.Errorf("intervention %s: core updated: %v", record.ID, core)
		}
	}
	var held []string
	for _, u := range read[[]upkeep.Update](p, "update", "list", shopName) {
		if u.Disposition == upkeep.Held {
			held = append(held, u.Component.Slug)
		}
	}
	slices.Sort(held)
	if want := []string{culprit, modified, licensed}; !slices.Equal(held, want) {
		t.Errorf("held %v, want %v", held, want)
	}
}

// checkRestic reads the newest backup as the demonstration tells operators to.
func (p *program) checkRestic() {
	t, state := p.t, filepath.Join(p.dir, "state")
	target := filepath.Join(p.dir, "restored")
	backups := read[[]web.Backup](p, "backup", "list", shopName)
	for _, args := range [][]string{{"check", "--read-data"}, {"restore", backups[0].Snapshot[:8], "--target", target}} {
		restic := exec.Command("restic", append([]string{"-r", filepath.Join(state, "vault"), "--no-cache",
			"--password-command", p.path + " --state " + state + " vault password"}, args...)...)
		if out, err := restic.CombinedOutput(); err != nil {
			t.Fatalf("restic %v: %v: %s", args, err, out)
		}
	}
	for file, want := range map[string]string{
		"site/wp-includes/version.php":                              "6.5.5",
		"site/wp-content/plugins/" + culprit + "/lead-form.php":     "Version: 1.1",
		"site/wp-content/plugins/guestbook-lite/guestbook-lite.php": "Version: 1.2",
		"site/wp-content/plugins/" + modified + ".php":              "Quick fix",
		"database/2-table-wp_posts.sql":                             "Article 12",
	} {
		text, err := os.ReadFile(filepath.Join(target, file))
		if err != nil || !bytes.Contains(text, []byte(want)) {
			t.Errorf("restored %s: no %q, %v", file, want, err)
		}
	}
}

// interrupted runs the demonstration again, interrupts it while the site is
// frozen, and returns how it exits.
func (p *program) interrupted() int {
	t := p.t
	texts, err := catalogue.Open(catalogue.English)
	if err != nil {
		t.Fatal(err)
	}
	cmd := p.command("demo", "--dir", p.dir)
	reader, writer := io.Pipe()
	cmd.Stdout, cmd.Stderr = writer, writer
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := make(chan string, 1)
	go func() {
		var all bytes.Buffer
		asked := false
		buffer := make([]byte, 4096)
		for {
			n, err := reader.Read(buffer)
			all.Write(buffer[:n])
			if !asked && strings.Contains(all.String(), "  "+texts.Code("state", string(upkeep.Securing), nil)+"\n") {
				asked = true
				_ = cmd.Process.Signal(syscall.SIGINT) // one that has ended is found out below
			}
			if err != nil {
				said <- all.String()
				return
			}
		}
	}()
	_ = cmd.Wait() // its status says more
	_ = writer.Close()
	t.Logf("interrupted:\n%s", <-said)
	return cmd.ProcessState.ExitCode()
}
