package journal_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/agent/journal"
)

func start(t *testing.T) (*journal.Journal, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "journal.jsonl")
	j, err := journal.Start(path, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return j, path
}

func write(t *testing.T, j *journal.Journal, e journal.Entry) journal.Entry {
	t.Helper()
	e, err := j.Write(e)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestResumeGoesOnWhereTheLastWholeLineEnded(t *testing.T) {
	j, path := start(t)
	write(t, j, journal.Entry{Op: journal.Open})
	write(t, j, journal.Entry{Op: journal.Aside, Target: "/site/a\nb\xff"})
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range whole {
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		again, err := journal.Resume(path, time.Now)
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		had := strings.Count(string(whole[:cut]), "\n")
		if e := write(t, again, journal.Entry{Op: journal.Thawed}); e.Seq != had+1 {
			t.Fatalf("cut at %d: next is %d, want %d", cut, e.Seq, had+1)
		}
		if entries, err := journal.Read(path); err != nil || len(entries) != had+1 {
			t.Fatalf("cut at %d: %d entries, %v", cut, len(entries), err)
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A file system may keep the end of the last line and lose what is before it.
func TestLastLineThatWasTornIsDropped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.jsonl")
	text := "{\"seq\":1,\"op\":\"open\"}\n" + strings.Repeat("\x00", 4000) + "\"kept\":\"/x\"}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	j, err := journal.Resume(path, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if e := write(t, j, journal.Entry{Op: journal.Thawed}); e.Seq != 2 {
		t.Errorf("next is %d", e.Seq)
	}
	if entries, err := journal.Read(path); err != nil || len(entries) != 2 {
		t.Errorf("%v %v", entries, err)
	}
}

func TestSalvageKeepsWhatReads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.jsonl")
	damaged := `{"seq":1,"op":"open"}` + "\n" + `{"seq":2,"op":"gate","target":"/a"}` + "\n\x00\x00\n" +
		`{"seq":4,"op":"gate","target":"/b"}` + "\n" + `{"seq":5,"op":"reverted","of":4}` + "\n"
	if err := os.WriteFile(path, []byte(damaged), 0o600); err != nil {
		t.Fatal(err)
	}
	j, err := journal.Salvage(path, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	write(t, j, journal.Entry{Op: journal.Thawed})
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	entries, err := journal.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if standing := journal.Standing(entries, journal.Gate); len(entries) != 5 || len(standing) != 1 || standing[0].Target != "/a" {
		t.Errorf("%+v", entries)
	}
	if kept, err := os.ReadFile(path + ".damaged"); err != nil || string(kept) != damaged {
		t.Errorf("the damaged one: %q %v", kept, err)
	}
	if err := os.WriteFile(path, []byte("\x00\n"+`{"seq":2,"op":"gate","target":"/a"}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := journal.Salvage(path, time.Now); upkeep.CodeOf(err) != upkeep.CodeDamaged {
		t.Errorf("without its beginning: %v", err)
	}
}

func TestDamageIsNotReadOver(t *testing.T) {
	for name, text := range map[string]string{
		"line that is no json": "{\"seq\":1,\"op\":\"open\"}\n{\"seq\":2,\"o\n{\"seq\":3,\"op\":\"thawed\"}\n",
		"missing line":         "{\"seq\":1,\"op\":\"open\"}\n{\"seq\":3,\"op\":\"thawed\"}\n",
		"line written twice":   "{\"seq\":1,\"op\":\"open\"}\n{\"seq\":1,\"op\":\"open\"}\n",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "journal.jsonl")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := journal.Resume(path, time.Now); upkeep.CodeOf(err) != upkeep.CodeDamaged {
				t.Fatalf("got %v", err)
			}
		})
	}
}

// A write that a full disk cut short must not spoil those that follow it.
func TestJournalSurvivesAWriteThatDidNotFit(t *testing.T) {
	j, path := start(t)
	write(t, j, journal.Entry{Op: journal.Open})
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	var had syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &had); err != nil {
		t.Fatal(err)
	}
	limit := syscall.Rlimit{Cur: uint64(info.Size()) + 10, Max: had.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	_, err = j.Write(journal.Entry{Op: journal.Gate, Target: "/site/.maintenance"})
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &had); err != nil {
		t.Fatal(err)
	}
	if err == nil {
		t.Fatal("a write past the limit succeeded")
	}
	write(t, j, journal.Entry{Op: journal.Thawed})
	entries, err := journal.Read(path)
	if err != nil || len(entries) != 2 || entries[1].Op != journal.Thawed {
		t.Fatalf("%v, %v", entries, err)
	}
}

func TestOneJournalAtATime(t *testing.T) {
	j, path := start(t)
	if _, err := journal.Start(path, time.Now); upkeep.CodeOf(err) != upkeep.CodeConflict {
		t.Fatalf("second start: %v", err)
	}
	if err := j.Finish(); err != nil {
		t.Fatal(err)
	}
	if _, err := journal.Resume(path, time.Now); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("after the end: %v", err)
	}
}

func TestStandingAndLast(t *testing.T) {
	j, _ := start(t)
	write(t, j, journal.Entry{Op: journal.Aside, Target: "a"})
	write(t, j, journal.Entry{Op: journal.Gate, Target: "b"})
	write(t, j, journal.Entry{Op: journal.Aside, Target: "c"})
	write(t, j, journal.Entry{Op: journal.Reverted, Of: 1})
	standing := journal.Standing(j.Entries(), journal.Aside, journal.Gate)
	if len(standing) != 2 || standing[0].Target != "b" || standing[1].Target != "c" {
		t.Fatalf("standing: %v", standing)
	}
	if last := journal.Last(j.Entries(), journal.Gate, journal.Aside); last.Target != "c" {
		t.Fatalf("last: %v", last)
	}
	if last := journal.Last(j.Entries(), journal.Commit); last != nil {
		t.Fatalf("last of none: %v", last)
	}
}
