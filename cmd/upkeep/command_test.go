package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"upkeep"
	"upkeep/cmd/upkeep/console"
	"upkeep/internal/catalogue"
	"upkeep/internal/terminal"
)

// newTestEnv returns an env that writes to buffers and opens a fresh
// application in memory.
func newTestEnv(t *testing.T, args ...string) (e *console.Env, stdout, stderr *bytes.Buffer, state string) {
	t.Helper()
	state = filepath.Join(t.TempDir(), "state")
	stdout, stderr = new(bytes.Buffer), new(bytes.Buffer)
	return &console.Env{
		Args: args, Stdin: strings.NewReader(""), Stdout: stdout, Stderr: stderr,
		Getenv: func(name string) string {
			return map[string]string{"LC_ALL": "en_GB.UTF-8", "UPKEEP_STATE": state}[name]
		},
		Signals: make(chan os.Signal), Clock: time.Now, Version: "test",
		App: console.Application{Open: openMemory, Serve: serveMemory},
	}, stdout, stderr, state
}

// leaves are the commands that do something, without "upkeep".
func leaves(t *testing.T) []*cobra.Command {
	t.Helper()
	e, _, _, _ := newTestEnv(t)
	texts, err := catalogue.Open(catalogue.English)
	if err != nil {
		t.Fatal(err)
	}
	e.Texts = texts
	e.Out = terminal.Open(e.Stdout, texts, e.Getenv, e.Clock)
	var found []*cobra.Command
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		if !cmd.HasSubCommands() && cmd.Name() != "" {
			found = append(found, cmd)
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(newRootCommand(e))
	return found
}

// TestBadInputOfEveryCommand gives each command what it cannot take: one
// line, a hint, status 2 or 1, nothing on stdout, and nothing changed.
func TestBadInputOfEveryCommand(t *testing.T) {
	tried := 0
	for _, cmd := range leaves(t) {
		path := strings.Fields(cmd.CommandPath())[1:]
		needed := strings.Count(cmd.Use, "<")
		good := make([]string, needed)
		for i := range good {
			good[i] = "1"
		}
		variants := [][]string{
			append(append([]string{}, good...), "--no-such-flag"),
			append(append([]string{}, good...), "--format", "yaml"),
			append(append([]string{}, good...), "--lang", "klingon"),
		}
		if needed > 0 {
			variants = append(variants, nil, append([]string{""}, good[1:]...))
		}
		if !strings.Contains(cmd.Use, "...") {
			variants = append(variants, append(append([]string{}, good...), "one", "too", "many"))
		}
		switch {
		case strings.Contains(cmd.Use, "<site>"):
			for _, name := range []string{"nowhere", "..", "a/b", "x\ny", strings.Repeat("é", 300)} {
				variants = append(variants, []string{name})
			}
		case strings.Contains(cmd.Use, "<id>"):
			for _, id := range []string{"0", "x", "99", "9999999999999999999999"} {
				variants = append(variants, []string{id})
			}
		}
		for _, args := range variants {
			tried++
			checkBadInput(t, append(append([]string{}, path...), args...))
		}
	}
	for _, line := range []string{
		"nonsense", "site nonsense", "-x", "--server", "--server nonsense site list",
		"site add /nonexistent", "site add . --name Bad_Name --url https://x", "site freeze shop.example --for soon --yes",
		"site freeze shop.example --for -1m --yes", "site freeze shop.example --for 100h --yes", "intervention list --in nowhere",
		"intervention list --limit -1", "intervention log 1 --follow --format json", "ledger list --after -1", "ledger list --limit x",
		"backup prune shop.example --keep-last -1", "backup restore 31 --in-place --dir x --yes", "backup restore 31 --in-place --database x --yes",
		"backup diff 31 x", "backup diff 31 99", "completion powershell", "demo --dir /", "demo --dir=", "serve --listen nonsense", "update list nowhere",
		"site update shop.example --only nonsense --yes", "site update shop.example", "site remove shop.example", "intervention cancel 1 --yes",
	} {
		tried++
		checkBadInput(t, strings.Fields(line))
	}
	if tried < 200 {
		t.Errorf("only %d bad inputs tried: the walk is broken", tried)
	}
}

func checkBadInput(t *testing.T, args []string) {
	t.Helper()
	e, stdout, stderr, state := newTestEnv(t, args...)
	status := e.Run(t.Context(), newRootCommand)
	lines := strings.Split(strings.TrimRight(stderr.String(), "\n"), "\n")
	if status != console.ExitUsage && status != console.ExitFailed {
		t.Errorf("%q: status %d", args, status)
	}
	if !strings.HasPrefix(lines[0], "upkeep: ") || len(lines) > 2 || len(lines) == 2 && !strings.HasPrefix(lines[1], "  hint: ") {
		t.Errorf("%q: stderr is not one line and perhaps a hint:\n%s", args, stderr)
	}
	if strings.Contains(lines[0], "internal error") || strings.Contains(lines[0], "upkeep: upkeep") {
		t.Errorf("%q: %s", args, lines[0])
	}
	if changes, err := os.ReadFile(filepath.Join(state, "changes")); err == nil {
		t.Errorf("%q changed something: %s", args, changes)
	}
	// What a question is about may stand on stdout before it.
	if stdout.Len() > 0 && !strings.Contains(lines[0], "nobody can be asked") {
		t.Errorf("%q: stdout %q", args, stdout)
	}
}

// TestHelpOfEveryCommand: every command says in both languages what it does
// and how it exits.
func TestHelpOfEveryCommand(t *testing.T) {
	for _, cmd := range leaves(t) {
		for lang, status := range map[string]string{"en": "Exit status: 0", "fr": "Code de sortie\u00a0: 0"} {
			args := append(strings.Fields(cmd.CommandPath())[1:], "--help", "--lang", lang)
			e, stdout, stderr, _ := newTestEnv(t, args...)
			if got := e.Run(t.Context(), newRootCommand); got != console.ExitDone || stderr.Len() > 0 {
				t.Errorf("%q: status %d, stderr %q", args, got, stderr)
			}
			help := strings.Join(strings.Fields(strings.ReplaceAll(stdout.String(), "\u00a0", "\x00")), " ")
			if !strings.Contains(help, strings.ReplaceAll(status, "\u00a0", "\x00")) || strings.Contains(help, "cmd.") || strings.Contains(help, "flag.") {
				t.Errorf("%q: help\n%s", args, stdout)
			}
			for _, line := range strings.Split(stdout.String(), "\n") {
				if terminal.Columns(line) > console.HelpWidth {
					t.Errorf("%q: %d columns: %s", args, terminal.Columns(line), line)
				}
			}
		}
	}
}

func TestExitTable(t *testing.T) {
	for _, tc := range []struct {
		err    error
		status int
	}{
		{nil, 0},
		{errors.New("disk on fire"), 1},
		{upkeep.Errorf(upkeep.CodeNotFound, "no site"), 1},
		{upkeep.Errorf(upkeep.CodeInvalid, "bad"), 2},
		{console.Outcome{Status: console.ExitPartial}, 3},
		{console.Outcome{Status: console.ExitUndone}, 4},
		{upkeep.Errorf(upkeep.CodeInterrupted, "stop"), 130},
		{context.Canceled, 130},
	} {
		e, _, stderr, _ := newTestEnv(t)
		texts, err := catalogue.Open(catalogue.English)
		if err != nil {
			t.Fatal(err)
		}
		e.Texts = texts
		if got := e.Exit(tc.err); got != tc.status {
			t.Errorf("%v: status %d, want %d", tc.err, got, tc.status)
		}
		if strings.Count(stderr.String(), "\n") > 1 {
			t.Errorf("%v: %q", tc.err, stderr)
		}
	}
	for state, status := range map[upkeep.State]int{
		upkeep.Done: 0, upkeep.Partial: 3, upkeep.Undone: 4, upkeep.Failed: 1, upkeep.Cancelled: 1, upkeep.Incident: 1,
	} {
		if got := console.ExitOfState(state); got != status {
			t.Errorf("%s: status %d, want %d", state, got, status)
		}
	}
}

// interrupted runs a command on an application that waits, and sends it an
// interrupt for each text, when that appears on stderr.
func interrupted(t *testing.T, end string, texts []string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	t.Setenv("UPKEEP_TEST_END", end)
	e, out, _, _ := newTestEnv(t, args...)
	signals := make(chan os.Signal, len(texts))
	e.Signals = signals
	var errs watchedStderr
	errs.texts, errs.send = texts, func() { signals <- os.Interrupt }
	e.Stderr = &errs
	// A command that hears no interrupt would wait for ever.
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	status = e.Run(ctx, newRootCommand)
	return status, out.String(), errs.buffer.String()
}

// watchedStderr sends once for each of texts, in order, as it appears.
type watchedStderr struct {
	buffer bytes.Buffer
	texts  []string
	send   func()
}

func (w *watchedStderr) Write(p []byte) (int, error) {
	n, err := w.buffer.Write(p)
	for len(w.texts) > 0 && strings.Contains(string(p), w.texts[0]) {
		w.texts = w.texts[1:]
		w.send()
	}
	return n, err
}

func TestInterruptAsksTheServerToStop(t *testing.T) {
	status, stdout, stderr := interrupted(t, "waits", []string{"applying"}, "site", "update", "shop.example", "--yes")
	if status != console.ExitInterrupted {
		t.Errorf("status %d", status)
	}
	for _, want := range []string{"stop asked for", "a person asked to stop", "upkeep: interrupted; the intervention ended: undone"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("stderr lacks %q:\n%s", want, stderr)
		}
	}
	if !strings.Contains(stdout, "identical to the original, proven") {
		t.Errorf("no record:\n%s", stdout)
	}
}

func TestSecondInterruptLeavesItToTheAgent(t *testing.T) {
	status, stdout, stderr := interrupted(t, "stubborn", []string{"applying", "a person asked to stop"}, "site", "update", "shop.example", "--yes")
	if status != console.ExitInterrupted {
		t.Errorf("status %d", status)
	}
	if !strings.Contains(stderr, "upkeep: left to the agent: intervention 1 finishes or undoes alone\n  hint: See upkeep intervention show 1.") {
		t.Errorf("stderr:\n%s", stderr)
	}
	if strings.Contains(stdout, "Intervention 1") {
		t.Errorf("a record of what has not ended:\n%s", stdout)
	}
}

func TestInterruptEndsOtherWork(t *testing.T) {
	status, _, stderr := interrupted(t, "waits", []string{"backing up"}, "backup", "create", "shop.example")
	if status != console.ExitInterrupted || !strings.Contains(stderr, "upkeep: interrupted") {
		t.Errorf("status %d, stderr:\n%s", status, stderr)
	}
}

// TestFollowSurvivesAServerThatGoesAway cuts every connection to the news
// once; the record and the log come out whole.
func TestFollowSurvivesAServerThatGoesAway(t *testing.T) {
	e, stdout, stderr, _ := newTestEnv(t, "site", "update", "shop.example", "--yes")
	cuts := 0
	e.App.Open = func(ctx context.Context, place console.Place) (http.Handler, func() error, error) {
		api, closeApp, err := openMemory(ctx, place)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/follow") && cuts == 0 {
				cuts++
				w.WriteHeader(http.StatusOK)
				return
			}
			api.ServeHTTP(w, r)
		}), closeApp, err
	}
	if status := e.Run(t.Context(), newRootCommand); status != console.ExitDone || cuts != 1 {
		t.Errorf("status %d after %d cuts:\n%s%s", status, cuts, stdout, stderr)
	}
	if n := strings.Count(stderr.String(), "applying\n"); n != 1 {
		t.Errorf("%d lines for one event:\n%s", n, stderr)
	}
}
