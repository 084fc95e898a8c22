package area

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// A repository above counts when it keeps the folder, not when it ignores it.
func TestTracked(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	top := t.TempDir()
	above := Tracked(top) // of the machine itself
	for _, file := range []string{"kept/index.php", "ignored/site/index.php", "own/.git/HEAD", ".gitignore"} {
		path := filepath.Join(top, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("/ignored/\n/own/\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	git := filepath.Join(top, ".git")
	for _, c := range []struct {
		version, dir string
		want         []string
	}{
		{"2", "kept", []string{git}},
		{"2", "ignored/site", nil},
		{"2", "own", []string{filepath.Join(top, "own", ".git")}},
		{"2", ".", []string{git}},
		{"4", "ignored/site", []string{git}}, // paths cannot be read out of it
	} {
		for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"update-index", "--index-version", c.version}} {
			if out, err := exec.Command("git", append([]string{"-C", top}, args...)...).CombinedOutput(); err != nil {
				t.Fatalf("%v: %v\n%s", args, err, out)
			}
		}
		if got := Tracked(filepath.Join(top, c.dir)); !slices.Equal(got, append(slices.Clone(c.want), above...)) {
			t.Errorf("%s, index %s: %v, want %v", c.dir, c.version, got, c.want)
		}
	}
	other := filepath.Join(t.TempDir(), "linked")
	if out, err := exec.Command("git", "-C", top, "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qm", "a").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := exec.Command("git", "-C", top, "worktree", "add", "-q", other, "-b", "b").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	site := filepath.Join(other, "ignored", "site")
	if err := os.MkdirAll(site, 0o755); err != nil {
		t.Fatal(err)
	}
	if got := Tracked(site); len(got) != len(above) {
		t.Errorf("ignored in a linked checkout: %v", got)
	}
}
