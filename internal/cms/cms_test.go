package cms_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"upkeep"
	"upkeep/internal/cms"
)

// A site may put anything in the place of a file that we read.
func TestReadBoundedTakesFilesOnly(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, size := range map[string]int{"small": 10, "large": 11} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for name, want := range map[string]upkeep.Code{"small": "", "large": upkeep.CodeRefused, "pipe": upkeep.CodeRefused, ".": upkeep.CodeRefused} {
		content, err := cms.ReadBounded(root, name, 10)
		if upkeep.CodeOf(err) != want || want == "" && len(content) != 10 {
			t.Errorf("%s: %d bytes, %v", name, len(content), err)
		}
	}
}

// A key goes to the addresses that name it, and to no other.
func TestUnlocked(t *testing.T) {
	l := &cms.Layout{Keys: map[string]string{"1": "dlid=abc&amp;x=1", "2": "?key=k"}}
	for _, test := range []struct{ address, key, want string }{
		{"https://v.example/p.zip", "1", "https://v.example/p.zip?dlid=abc&x=1"},
		{"https://v.example/p?a=1", "2", "https://v.example/p?a=1&key=k"},
		{"https://v.example/p.zip", "", "https://v.example/p.zip"},
		{"https://v.example/p.zip", "3", "https://v.example/p.zip"},
		{"", "1", ""},
	} {
		if got := l.Unlocked(upkeep.Release{Package: test.address, Key: test.key}).Package; got != test.want {
			t.Errorf("%q with %q is %q, want %q", test.address, test.key, got, test.want)
		}
	}
}
