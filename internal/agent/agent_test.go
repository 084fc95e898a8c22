package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/restic/chunker"

	"upkeep"
	"upkeep/internal/agent/journal"
	"upkeep/internal/agent/wire"
	"upkeep/internal/cms"
	"upkeep/internal/vault"
)

// plain is a driver of a CMS that has files and nothing else: a gate of one
// new file, ones that take another's place, and modes of folders; an update that
// swaps the plugin "shop", whose migration is migrate.
type plain struct {
	migrate  func(ctx context.Context, root string) error
	database *cms.Database
}

func (plain) CMS() upkeep.CMS { return "plain" }

func (p plain) Detect(_ context.Context, _ cms.Host, root string) (*cms.Layout, error) {
	return &cms.Layout{CMS: "plain", Root: root, Areas: []cms.Area{{Name: "site", Dir: root}}, Database: p.database}, nil
}

func (plain) Inventory(context.Context, cms.Host, *cms.Layout) (*upkeep.Inventory, error) {
	return &upkeep.Inventory{}, nil
}

func (plain) Integrity(context.Context, cms.Host, *cms.Layout, map[string]upkeep.Original) ([]upkeep.Finding, error) {
	return nil, nil
}

func (plain) Stage(context.Context, cms.Host, *cms.Layout, upkeep.Update, string) (*cms.Staged, error) {
	return nil, errors.New("not used")
}

func (plain) Gate(_ context.Context, _ cms.Host, l *cms.Layout, _ string) (*cms.Gate, error) {
	return &cms.Gate{
		Files: []cms.GateFile{
			{Path: filepath.Join(l.Root, ".maintenance"), Content: []byte("closed"), Mode: 0o444},
			{Path: filepath.Join(l.Root, "config/settings.php"), Content: []byte("closed"), Mode: 0o444},
		},
		Modes: []cms.GateMode{
			{Path: filepath.Join(l.Root, "plugins/shop/install.php")}, {Path: filepath.Join(l.Root, "late")},
			{Path: filepath.Join(l.Root, "config"), Mode: 0o555, Opens: true}, // as its owner has it
			{Path: filepath.Join(l.Root, "plugins"), Mode: 0o555}, {Path: l.Root, Mode: 0o555},
		},
	}, nil
}

func (plain) Apply(ctx context.Context, w cms.Work, l *cms.Layout, staged []cms.Staged) error {
	for _, s := range staged {
		for _, move := range s.Moves {
			if err := w.Swap(ctx, move.To, filepath.Join(s.Dir, move.From)); err != nil {
				return err
			}
		}
		for _, drop := range s.Drop {
			if err := w.Remove(ctx, drop); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p plain) Migrate(ctx context.Context, _ cms.Work, l *cms.Layout, _ []cms.Staged) error {
	if p.migrate == nil {
		return nil
	}
	return p.migrate(ctx, l.Root)
}

func (plain) ReadBack(context.Context, cms.Host, *cms.Layout, *upkeep.Inventory, []cms.Staged) ([]upkeep.Check, error) {
	return nil, nil
}

// shelf keeps blobs in memory.
type shelf struct {
	mu    sync.Mutex
	blobs map[vault.ID][]byte
}

func (s *shelf) Missing(_ context.Context, _ vault.BlobType, ids []vault.ID) ([]vault.ID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(ids), func(id vault.ID) bool { return s.blobs[id] != nil }), nil
}

func (s *shelf) Save(_ context.Context, _ vault.BlobType, id vault.ID, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blobs[id] = append([]byte{}, data...)
	return nil
}

func (s *shelf) Load(_ context.Context, _ vault.BlobType, id vault.ID) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if data, ok := s.blobs[id]; ok {
		return data, nil
	}
	return nil, upkeep.Errorf(upkeep.CodeNotFound, "no blob %s", id)
}

// clock is a time that stands still.
type clock struct {
	mu   sync.Mutex
	now  time.Time
	dies func() bool // whether who asks is killed
}

func (c *clock) Now() time.Time {
	if c.dies != nil && c.dies() {
		panic(errKilled)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// bench is a site, the folder of its agents, and a vault.
type bench struct {
	root, dir string
	clock     *clock
	shelf     *shelf
	driver    plain
}

func newBench(t *testing.T) *bench {
	t.Helper()
	top := t.TempDir()
	b := &bench{
		root: filepath.Join(top, "www"), dir: filepath.Join(top, "agent"),
		clock: &clock{now: time.Now()}, shelf: &shelf{blobs: map[vault.ID][]byte{}},
	}
	for name, content := range map[string]string{
		"index.php": "<?php", "plugins/shop/shop.php": "version 1", "plugins/shop/install.php": "install 1", "uploads/cat.jpg": "cat",
		"config/settings.php": "<?php // own",
	} {
		put(t, filepath.Join(b.root, name), content)
	}
	if err := os.Mkdir(b.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	old := time.Unix(1e9, 123)
	for _, name := range []string{"plugins/shop", "plugins", "uploads", "config", "."} {
		if err := os.Chtimes(filepath.Join(b.root, name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(b.root, "config"), 0o555); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { openUp(t, top) })
	return b
}

// openUp lets the test's folder be removed.
func openUp(t *testing.T, top string) {
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			err = os.Chmod(path, 0o700)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func put(t *testing.T, path, content string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) agent(t *testing.T) *Agent {
	t.Helper()
	a, err := New(Config{
		Dir: b.dir, Root: b.root, Drivers: cms.Drivers{b.driver}, Now: b.clock.Now,
		Log: slog.New(slog.NewTextHandler(testWriter{t}, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

// connect gives a the vault.
func (b *bench) connect(t *testing.T, a *Agent) {
	t.Helper()
	here, there := net.Pipe()
	go func() { _ = wire.Serve(t.Context(), there, b.shelf) }() // ends with the test
	a.mu.Lock()
	a.blobs = wire.NewClient(here)
	a.mu.Unlock()
}

// quiet is the call of nobody.
func quiet() *call {
	out := httptest.NewRecorder()
	return &call{out: json.NewEncoder(out), flusher: out}
}

// state describes everything below the root.
func (b *bench) state(t *testing.T) string {
	t.Helper()
	var lines []string
	err := filepath.WalkDir(b.root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		line := fmt.Sprintf("%s %v %d", strings.TrimPrefix(path, b.root), info.Mode(), info.ModTime().UnixNano())
		if info.Mode().IsRegular() {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			line += " " + string(content)
		}
		lines = append(lines, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (b *bench) open(t *testing.T, a *Agent, intervention upkeep.InterventionID) *session {
	t.Helper()
	layout := must[*cms.Layout](t)(b.driver.Detect(t.Context(), nil, b.root))
	must[Nothing](t)(a.opOpen(t.Context(), quiet(), OpenRequest{
		Intervention: intervention, Layout: layout, Token: "0123456789abcdef",
		MaxFrozen: upkeep.Duration(10 * time.Minute), Silence: upkeep.Duration(time.Minute),
	}))
	return must[*session](t)(a.current())
}

// frozen opens, freezes and secures.
func (b *bench) frozen(t *testing.T, a *Agent) *session {
	t.Helper()
	s := b.open(t, a, 1)
	must[*Frozen](t)(a.opFreeze(t.Context(), quiet(), FreezeRequest{}))
	b.connect(t, a)
	pol := must[chunker.Pol](t)(chunker.DerivePolynomial(strings.NewReader(strings.Repeat("upkeep", 1000))))
	must[*ReadResult](t)(a.opRead(t.Context(), quiet(), ReadRequest{Secure: true, Polynomial: uint64(pol)}))
	return s
}

// staged puts the new version of the shop beside the site.
func (b *bench) staged(t *testing.T, s *session) {
	t.Helper()
	dir := filepath.Join(s.workFor(b.root), "staged-1")
	put(t, filepath.Join(dir, "shop/shop.php"), "version 2")
	put(t, filepath.Join(dir, "shop/install.php"), "install 2")
	s.staged["plugin:shop"] = cms.Staged{
		Dir:   dir,
		Moves: []cms.Move{{From: "shop", To: filepath.Join(b.root, "plugins/shop")}},
		Drop:  []string{filepath.Join(b.root, "uploads/cat.jpg")},
	}
}

func (b *bench) apply(t *testing.T, a *Agent) error {
	t.Helper()
	_, err := a.opApply(t.Context(), quiet(), ApplyRequest{Refs: []string{"plugin:shop"}})
	return err
}

func (b *bench) gone(t *testing.T) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(filepath.Dir(b.root), ".upkeep-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left beside the site: %v %v", left, err)
	}
	for _, name := range []string{JournalName, "reserve", "dump", "manifest"} {
		if _, err := os.Lstat(filepath.Join(b.dir, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("left in the agent's folder: %s, %v", name, err)
		}
	}
}

func TestWholeWayBack(t *testing.T) {
	b := newBench(t)
	before := b.state(t)
	a := b.agent(t)
	s := b.frozen(t, a)
	b.staged(t, s)
	for range 2 { // a culprit search applies again what it took back
		if err := b.apply(t, a); err != nil {
			t.Fatal(err)
		}
		if content := must[[]byte](t)(os.ReadFile(filepath.Join(b.root, "plugins/shop/shop.php"))); string(content) != "version 2" {
			t.Fatalf("applied: %s", content)
		}
		if identity := must[*upkeep.Identity](t)(a.opUndo(t.Context(), quiet(), Nothing{})); !identity.Proven() {
			t.Fatalf("undone: %v", identity.Differences)
		}
	}
	must[Nothing](t)(a.opThaw(t.Context(), quiet(), Nothing{}))
	must[Nothing](t)(a.opClose(t.Context(), quiet(), Nothing{}))
	if after := b.state(t); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	b.gone(t)
}

func TestWholeWayForth(t *testing.T) {
	b := newBench(t)
	a := b.agent(t)
	b.staged(t, b.frozen(t, a))
	if err := b.apply(t, a); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		must[Nothing](t)(a.opCommit(t.Context(), quiet(), Nothing{}))
	}
	if err := b.apply(t, a); upkeep.CodeOf(err) != upkeep.CodeConflict {
		t.Errorf("apply after commit: %v", err)
	}
	for range 2 {
		must[Nothing](t)(a.opThaw(t.Context(), quiet(), Nothing{}))
	}
	for range 2 {
		must[Nothing](t)(a.opClose(t.Context(), quiet(), Nothing{}))
	}
	if state := b.state(t); !strings.Contains(state, "version 2") || !strings.Contains(state, "install 2") || strings.Contains(state, "maintenance") {
		t.Error(state)
	}
	b.gone(t)
}

// crash leaves a's journal and folders as a killed process would.
func crash(t *testing.T, s *session) {
	t.Helper()
	if err := errors.Join(s.journal.Close(), s.hold.Close()); err != nil {
		t.Fatal(err)
	}
}

// recovered runs a new agent's guard until the site is thawed.
func (b *bench) recovered(t *testing.T, a *Agent) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := a.current(); err != nil {
		if err := a.recover(ctx); err != nil {
			t.Fatal(err)
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- a.guard(ctx) }()
	defer func() { cancel(); <-ended }()
	deadline := time.Now().Add(10 * time.Second)
	for {
		if s, err := a.current(); err == nil && !s.unfinished() {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the site stays frozen")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// Whatever was written to the journal last, and wherever the act that it
// announces was cut, a later agent gives the site back as it was.
func TestKilledAnywhere(t *testing.T) {
	whole := newBench(t)
	a := whole.agent(t)
	s := whole.frozen(t, a)
	whole.staged(t, s)
	if err := whole.apply(t, a); err != nil {
		t.Fatal(err)
	}
	entries := s.journal.Entries()
	for last := 2; last <= len(entries); last++ {
		for done := range 3 { // none, the first, or both moves of the last exchange
			t.Run(fmt.Sprintf("%d %s %d", last, entries[last-1].Op, done), func(t *testing.T) { killedAt(t, last, done) })
		}
	}
}

// killedAt stops where the journal has last entries, with done moves of the
// last one made.
func killedAt(t *testing.T, last, done int) {
	b := newBench(t)
	before := b.state(t)
	a := b.agent(t)
	s := b.open(t, a, 1)
	b.staged(t, s)
	b.connect(t, a)
	b.clock.dies = func() bool { return len(s.journal.Entries()) >= last }
	runUntilKilled(t, func() {
		_, err := a.opFreeze(t.Context(), quiet(), FreezeRequest{})
		if err == nil {
			_, err = a.opRead(t.Context(), quiet(), ReadRequest{Secure: true, Polynomial: 0x3DA3358B4DC173})
		}
		if err == nil {
			err = b.apply(t, a)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	b.clock.dies = nil
	entries := s.journal.Entries()
	b.takeMoves(t, entries[len(entries)-1], done)
	crash(t, s)
	next := b.agent(t)
	b.recovered(t, next)
	status := must[*Status](t)(next.opStatus(t.Context(), quiet(), StatusRequest{}))
	if status.Identity != nil && !status.Identity.Proven() {
		t.Errorf("differs: %v", status.Identity.Differences)
	}
	if status.Alone != "recovered" && last > 2 {
		t.Errorf("alone: %q", status.Alone)
	}
	must[Nothing](t)(next.opClose(t.Context(), quiet(), Nothing{}))
	if after := b.state(t); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	b.gone(t)
}

var errKilled = errors.New("killed")

func runUntilKilled(t *testing.T, work func()) {
	defer func() {
		if cause := recover(); cause != nil && cause != errKilled {
			panic(cause)
		}
	}()
	work()
}

// takeMoves makes it so that only done of the moves of e were made.
func (b *bench) takeMoves(t *testing.T, e journal.Entry, done int) {
	t.Helper()
	openUp := func(path string) func() {
		info := must[fs.FileInfo](t)(os.Stat(path))
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
		return func() { _ = os.Chmod(path, info.Mode()) } // it is checked by the comparison
	}
	switch e.Op {
	case journal.Mode:
		if done == 0 {
			openUp(e.Target)
		}
	case journal.Aside, journal.Gate:
		defer openUp(filepath.Dir(e.Target))()
		if done < 2 && e.Source != "" {
			if err := os.Rename(e.Target, e.Source); err != nil {
				t.Fatal(err)
			}
		}
		if done < 1 && e.Kept != "" {
			if err := os.Rename(e.Kept, e.Target); err != nil {
				t.Fatal(err)
			}
		}
	}
}
