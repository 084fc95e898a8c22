package agent

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/agent/journal"
	"upkeep/internal/agent/wire"
	"upkeep/internal/cms"
)

// applied is a site with an update in place that is neither kept nor undone.
func applied(t *testing.T, b *bench) (*Agent, *session) {
	t.Helper()
	a := b.agent(t)
	s := b.frozen(t, a)
	b.staged(t, s)
	if err := b.apply(t, a); err != nil {
		t.Fatal(err)
	}
	return a, s
}

func (b *bench) same(t *testing.T, before string) {
	t.Helper()
	if after := b.state(t); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

func TestSilenceAndDeadline(t *testing.T) {
	for _, c := range []struct {
		name string
		pass time.Duration
		why  string
	}{{"still in time", 50 * time.Second, ""}, {"silent", 61 * time.Second, "silence"}, {"late", 11 * time.Minute, "silence"}} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			a, _ := applied(t, b)
			b.clock.pass(c.pass)
			if why := a.overdue(); why != c.why {
				t.Errorf("overdue: %q", why)
			}
		})
	}
	t.Run("late although there is life", func(t *testing.T) {
		b := newBench(t)
		before := b.state(t)
		a, _ := applied(t, b)
		b.clock.pass(11 * time.Minute)
		a.sign()
		if why := a.overdue(); why != "deadline" {
			t.Fatalf("overdue: %q", why)
		}
		b.recovered(t, a)
		if err := b.apply(t, a); upkeep.CodeOf(err) != upkeep.CodeInterrupted {
			t.Errorf("apply after the agent took it back: %v", err)
		}
		if _, err := a.opCommit(t.Context(), quiet(), Nothing{}); upkeep.CodeOf(err) != upkeep.CodeInterrupted {
			t.Errorf("commit after the agent took it back: %v", err)
		}
		if _, err := a.opRead(t.Context(), quiet(), ReadRequest{Secure: true}); upkeep.CodeOf(err) != upkeep.CodeInterrupted {
			t.Errorf("a live site as the frozen one: %v", err)
		}
		must[Nothing](t)(a.opClose(t.Context(), quiet(), Nothing{}))
		b.same(t, before)
	})
}

// What the agent did alone is still known to the agent that comes after it.
func TestWhyIsRemembered(t *testing.T) {
	b := newBench(t)
	a, s := applied(t, b)
	b.clock.pass(61 * time.Second)
	b.recovered(t, a)
	crash(t, s)
	next := b.agent(t)
	must[*session](t)(next.resume(t.Context()))
	if status := must[*Status](t)(next.opStatus(t.Context(), quiet(), StatusRequest{})); status.Alone != "silence" || status.Frozen || !status.Undone {
		t.Errorf("%+v", status)
	}
}

// A control plane that was stopped keeps its connections open and reads
// nothing: what waits for it must not keep the site frozen.
func TestStoppedControlPlane(t *testing.T) {
	b := newBench(t)
	before := b.state(t)
	a := b.agent(t)
	b.open(t, a, 1)
	must[*Frozen](t)(a.opFreeze(t.Context(), quiet(), FreezeRequest{}))
	here, there := net.Pipe()
	defer there.Close()
	a.mu.Lock()
	a.blobs = wire.NewClient(here)
	a.mu.Unlock()
	ended := make(chan error, 1)
	go func() {
		ctx, end := a.begin(t.Context())
		defer end()
		_, err := a.opRead(ctx, quiet(), ReadRequest{Secure: true, Polynomial: 0x3DA3358B4DC173})
		ended <- err
	}()
	one := make([]byte, 1)
	if _, err := io.ReadFull(there, one); err != nil { // it has begun to ask
		t.Fatal(err)
	}
	b.clock.pass(11 * time.Minute)
	b.recovered(t, a)
	if err := <-ended; err == nil {
		t.Error("a backup without a vault")
	}
	must[Nothing](t)(a.opClose(t.Context(), quiet(), Nothing{}))
	b.same(t, before)
}

// Files that code of the site changed only the vault can bring back: it is
// waited for, but not longer than the freeze may last.
func TestVaultIsWaitedFor(t *testing.T) {
	scribble := func(_ context.Context, root string) error {
		return os.WriteFile(filepath.Join(root, "index.php"), []byte("changed by a migration"), 0o644)
	}
	setup := func(t *testing.T) (*bench, string, *Agent) {
		b := newBench(t)
		b.driver.migrate = scribble
		before := b.state(t)
		_, s := applied(t, b)
		crash(t, s)
		next := b.agent(t)
		if err := next.recover(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := next.standAlone(t.Context(), "recovered"); upkeep.CodeOf(err) != upkeep.CodeUnreachable {
			t.Fatalf("without a vault: %v", err)
		}
		if status := must[*Status](t)(next.opStatus(t.Context(), quiet(), StatusRequest{})); !status.Frozen || !status.Changed || status.Alone != "recovered" {
			t.Fatalf("%+v", status)
		}
		return b, before, next
	}
	t.Run("it comes", func(t *testing.T) {
		b, before, a := setup(t)
		b.connect(t, a)
		if identity := must[*upkeep.Identity](t)(a.opUndo(t.Context(), quiet(), Nothing{})); !identity.Proven() {
			t.Fatal(identity.Differences)
		}
		b.recovered(t, a)
		must[Nothing](t)(a.opClose(t.Context(), quiet(), Nothing{}))
		b.same(t, before)
	})
	t.Run("it breaks off", func(t *testing.T) {
		_, _, a := setup(t)
		here, there := net.Pipe()
		a.mu.Lock()
		a.blobs = wire.NewClient(here)
		a.mu.Unlock()
		go func() {
			_, _ = there.Read(make([]byte, 1)) // asked for the first time
			_ = there.Close()
		}()
		if _, err := a.standAlone(t.Context(), "recovered"); upkeep.CodeOf(err) != upkeep.CodeUnreachable {
			t.Errorf("with a vault that goes away: %v", err)
		}
		if status := must[*Status](t)(a.opStatus(t.Context(), quiet(), StatusRequest{})); !status.Frozen || !status.Changed {
			t.Errorf("%+v", status)
		}
	})
	t.Run("it does not come", func(t *testing.T) {
		b, _, a := setup(t)
		b.clock.pass(11 * time.Minute)
		b.recovered(t, a)
		status := must[*Status](t)(a.opStatus(t.Context(), quiet(), StatusRequest{}))
		if status.Frozen || status.Identity == nil || status.Identity.Proven() {
			t.Errorf("%+v", status)
		}
	})
}

// A journal of which a line cannot be read any more says too little for an
// undo, and enough to let visitors in: what it came to is for a person.
func TestDamagedJournalKeepsNobodyOut(t *testing.T) {
	b := newBench(t)
	_, s := applied(t, b)
	crash(t, s)
	path := filepath.Join(b.dir, JournalName)
	lines := bytes.SplitAfter(must[[]byte](t)(os.ReadFile(path)), []byte("\n"))
	for i := range lines {
		if bytes.Contains(lines[i], []byte(`"op":"aside"`)) {
			lines[i] = []byte("\x00\x00\n")
			break
		}
	}
	if err := os.WriteFile(path, bytes.Join(lines, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	next := b.agent(t)
	b.recovered(t, next)
	b.openedUnproven(t, next, "journal")
	must[Nothing](t)(next.opClose(t.Context(), quiet(), Nothing{}))
	b.gone(t)
}

// Somebody else's hands in the site while it is frozen keep nobody out of it.
func TestThawWhateverHappened(t *testing.T) {
	for name, harm := range map[string]func(b *bench, s *session) error{
		"gate removed":          func(b *bench, _ *session) error { return os.Remove(filepath.Join(b.root, ".maintenance")) },
		"gate replaced":         func(b *bench, _ *session) error { return replace(filepath.Join(b.root, ".maintenance"), "mine") },
		"gate is a folder":      func(b *bench, _ *session) error { return folder(filepath.Join(b.root, ".maintenance")) },
		"closed folder removed": func(b *bench, _ *session) error { return os.RemoveAll(filepath.Join(b.root, "plugins")) },
		"closed folder is a link out": func(b *bench, _ *session) error {
			return errors.Join(os.RemoveAll(filepath.Join(b.root, "plugins")), os.Symlink("/etc", filepath.Join(b.root, "plugins")))
		},
		"closed folder is a file": func(b *bench, _ *session) error {
			return errors.Join(os.RemoveAll(filepath.Join(b.root, "plugins")), os.WriteFile(filepath.Join(b.root, "plugins"), nil, 0o644))
		},
		"kept originals removed": func(b *bench, s *session) error { return os.RemoveAll(s.workFor(b.root)) },
		"kept originals elsewhere": func(b *bench, s *session) error {
			return errors.Join(os.RemoveAll(s.workFor(b.root)), os.Symlink("/etc", s.workFor(b.root)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			a := b.agent(t)
			s := b.frozen(t, a)
			if err := errors.Join(os.Chmod(b.root, 0o755), harm(b, s)); err != nil {
				t.Fatal(err)
			}
			must[Nothing](t)(a.opThaw(t.Context(), quiet(), Nothing{}))
			if s.frozen() {
				t.Error("still frozen")
			}
			if _, err := os.Lstat(filepath.Join(b.root, ".maintenance")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the gate: %v", err)
			}
			must[Nothing](t)(a.opClose(t.Context(), quiet(), Nothing{}))
			if info := must[fs.FileInfo](t)(os.Stat("/etc")); info.Mode().Perm() != 0o755 {
				t.Errorf("/etc has mode %v", info.Mode())
			}
		})
	}
}

func replace(path, content string) error {
	return errors.Join(os.Remove(path), os.WriteFile(path, []byte(content), 0o644))
}

func folder(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o755)) }

// A folder that only the update brings is closed with it, and is no hindrance
// when it is gone again.
func TestGateOfWhatAnUpdateBrings(t *testing.T) {
	b := newBench(t)
	before := b.state(t)
	a := b.agent(t)
	s := b.frozen(t, a)
	put(t, filepath.Join(s.workFor(b.root), "staged-1/late/file"), "new")
	s.staged["plugin:shop"] = cms.Staged{
		Dir: filepath.Join(s.workFor(b.root), "staged-1"), Moves: []cms.Move{{From: "late", To: filepath.Join(b.root, "late")}},
	}
	if err := b.apply(t, a); err != nil {
		t.Fatal(err)
	}
	if identity := must[*upkeep.Identity](t)(a.opUndo(t.Context(), quiet(), Nothing{})); !identity.Proven() {
		t.Error(identity.Differences)
	}
	must[Nothing](t)(a.opThaw(t.Context(), quiet(), Nothing{}))
	must[Nothing](t)(a.opClose(t.Context(), quiet(), Nothing{}))
	b.same(t, before)
}

func TestOpen(t *testing.T) {
	t.Run("another state folder works there", func(t *testing.T) {
		b := newBench(t)
		b.frozen(t, b.agent(t))
		other := *b
		other.dir = t.TempDir()
		layout := must[*cms.Layout](t)(b.driver.Detect(t.Context(), nil, b.root))
		_, err := other.agent(t).opOpen(t.Context(), quiet(), OpenRequest{Intervention: 7, Layout: layout})
		if upkeep.CodeOf(err) != upkeep.CodeConflict {
			t.Errorf("got %v", err)
		}
		if _, err := os.Lstat(filepath.Join(other.dir, JournalName)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a journal is left: %v", err)
		}
	})
	t.Run("a failure leaves nothing that the next meets", func(t *testing.T) {
		b := newBench(t)
		a := b.agent(t)
		layout := must[*cms.Layout](t)(b.driver.Detect(t.Context(), nil, b.root))
		bad := *layout
		bad.Areas = append([]cms.Area{}, layout.Areas[0], cms.Area{Name: "gone", Dir: filepath.Join(b.root, "no/such/folder")})
		if _, err := a.opOpen(t.Context(), quiet(), OpenRequest{Intervention: 1, Layout: &bad}); err == nil {
			t.Fatal("opened a folder that is not there")
		}
		b.gone(t)
		must[Nothing](t)(a.opOpen(t.Context(), quiet(), OpenRequest{Intervention: 2, Layout: layout}))
	})
	t.Run("no second while the first is frozen", func(t *testing.T) {
		b := newBench(t)
		a := b.agent(t)
		b.frozen(t, a)
		layout := must[*cms.Layout](t)(b.driver.Detect(t.Context(), nil, b.root))
		if _, err := a.opOpen(t.Context(), quiet(), OpenRequest{Intervention: 2, Layout: layout}); upkeep.CodeOf(err) != upkeep.CodeConflict {
			t.Errorf("got %v", err)
		}
	})
}

// A freeze by hand that ran out leaves nothing behind: nobody comes for it.
func TestFreezeByHandEndsByItself(t *testing.T) {
	b := newBench(t)
	before := b.state(t)
	a := b.agent(t)
	b.open(t, a, 0)
	must[*Frozen](t)(a.opFreeze(t.Context(), quiet(), FreezeRequest{}))
	b.clock.pass(11 * time.Minute)
	if _, err := a.standAlone(t.Context(), "deadline"); err != nil {
		t.Fatal(err)
	}
	b.same(t, before)
	b.gone(t)
	must[Nothing](t)(a.opThaw(t.Context(), quiet(), Nothing{}))
}

// A restore in place that does not come out identical is taken back behind
// the closed gate.
func TestRestoreInPlace(t *testing.T) {
	b := newBench(t)
	a := b.agent(t)
	b.open(t, a, 0)
	must[*Frozen](t)(a.opFreeze(t.Context(), quiet(), FreezeRequest{}))
	b.connect(t, a)
	first := must[*ReadResult](t)(a.opRead(t.Context(), quiet(), ReadRequest{Secure: true, Polynomial: 0x3DA3358B4DC173}))
	must[Nothing](t)(a.opThaw(t.Context(), quiet(), Nothing{}))
	must[Nothing](t)(a.opClose(t.Context(), quiet(), Nothing{}))
	wanted := b.state(t)

	put(t, filepath.Join(b.root, "index.php"), "hacked")
	put(t, filepath.Join(b.root, "new.php"), "backdoor")
	s := b.open(t, a, 0)
	must[*Frozen](t)(a.opFreeze(t.Context(), quiet(), FreezeRequest{}))
	must[*ReadResult](t)(a.opRead(t.Context(), quiet(), ReadRequest{Secure: true, Polynomial: 0x3DA3358B4DC173}))
	result := must[*RestoreResult](t)(a.opRestore(t.Context(), quiet(), RestoreRequest{Tree: first.Tree, Layout: s.layout, Polynomial: 0x3DA3358B4DC173}))
	if result.Identity == nil || !result.Identity.Proven() {
		t.Fatalf("%+v", result.Identity)
	}
	if journal.Last(s.journal.Entries(), journal.Commit) == nil {
		t.Error("not committed")
	}
	must[Nothing](t)(a.opThaw(t.Context(), quiet(), Nothing{}))
	must[Nothing](t)(a.opClose(t.Context(), quiet(), Nothing{}))
	b.same(t, wanted)
	b.gone(t)
}
