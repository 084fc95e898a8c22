package recall_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/cms/recall"
)

// reader counts how often a file had to be read.
type reader struct {
	files recall.Files[string]
	root  *recall.Folder
	read  int
}

func newReader(t *testing.T, dir string) *reader {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	folder, err := recall.Within(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { folder.Close() })
	return &reader{root: folder}
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

// A link may lead within the folder and not out of it, in a file's path as well.
func TestNoLinkLeadsOut(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"in/a", "out/a"} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"in/way": "../out", "in/file": "../out/a", "in/abs": "/etc/hostname", "in/self": ".", "in/b": "a"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	r := newReader(t, filepath.Join(dir, "in"))
	for _, name := range []string{"a", "b", "self/a", "self/self/b"} {
		if said := r.say(t, name); said != "in/a" {
			t.Errorf("%s says %q", name, said)
		}
	}
	for _, name := range []string{"way/a", "file", "abs", "../out/a"} {
		if said, err := r.files.Read(r.root, name, 100, func(text []byte) (string, error) { return string(text), nil }); err == nil {
			t.Errorf("%s says %q", name, said)
		}
	}
	var lists recall.Lists
	if _, err := lists.Read(r.root, "way"); err == nil {
		t.Error("listed a folder outside")
	}
}

// What a folder holds is remembered until a name comes or goes.
func TestListsAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	r := newReader(t, dir)
	var lists recall.Lists
	names := func(dir string) (all []string) {
		entries, err := lists.Read(r.root, dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			all = append(all, entry.Name)
		}
		return all
	}
	for _, name := range []string{"b", "a", "c"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if got := names("."); !slices.IsSorted(got) || !slices.Contains(got, name) {
			t.Errorf("holds %v", got)
		}
	}
}
