package phplog

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestChecks(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	put := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(path("quiet"), "PHP Fatal error: an old one\n")
	put(path("long"), strings.Repeat("x", 1<<20)+"\n[now] PHP Fatal error: Uncaught Error in shop.php\n")
	put(path("begun anew"), "Uncaught TypeError\n")
	if err := errors.Join(syscall.Mkfifo(path("pipe"), 0o600), os.Symlink("long", path("link"))); err != nil {
		t.Fatal(err)
	}
	checks := Checks(map[string]int64{path("quiet"): 28, path("long"): 10, path("begun anew"): 5000, path("pipe"): 0, path("link"): 0, path("none"): 0})
	want := map[string]string{"begun anew": "Uncaught TypeError", "long": "[now] PHP Fatal error: Uncaught Error in shop.php", "pipe": "", "quiet": ""}
	for _, check := range checks {
		name := filepath.Base(check.Subject)
		if got, known := want[name]; !known || check.Got != got || check.OK != (got == "") {
			t.Errorf("%s: %+v", name, check)
		}
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("not looked at: %v", want)
	}
}
