package recall_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/cms/recall"
)

// reader counts how often a file had to be read.
type reader struct {
	files recall.Files[string]
	root  *os.Root
	read  int
}

func newReader(t *testing.T, dir string) *reader {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return &reader{root: root}
}

func (r *reader) say(t *testing.T, name string) string {
	t.Helper()
	said, err := r.files.Read(r.root, name, 1<<20, func(text []byte) (string, error) {
		r.read++
		return string(text), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return said
}

// What was left alone is read once. This file was, since it was compiled.
func TestAFileThatStaysIsReadOnce(t *testing.T) {
	r := newReader(t, ".")
	for range 3 {
		if said := r.say(t, "recall_test.go"); !strings.HasPrefix(said, "package recall_test") {
			t.Fatalf("%.100q", said)
		}
	}
	if r.read != 1 {
		t.Errorf("read %d times", r.read)
	}
}

// What was written a moment ago may be written again within the same moment,
// and its owner may set its times.
func TestAFileThatChangedIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	r := newReader(t, dir)
	old := time.Now().Add(-time.Hour)
	for _, text := range []string{"one", "two"} {
		file := filepath.Join(dir, "a")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, old, old); err != nil {
			t.Fatal(err)
		}
		if said := r.say(t, "a"); said != text {
			t.Errorf("says %q, want %q", said, text)
		}
	}
	if _, err := r.files.Read(r.root, ".", 100, func([]byte) (string, error) { return "", nil }); upkeep.CodeOf(err) != upkeep.CodeRefused {
		t.Errorf("a folder: %v", err)
	}
}
