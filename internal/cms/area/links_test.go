package area_test

import (
	"os"
	"path/filepath"
	"testing"

	"upkeep/internal/cms/area"
)

// Links leads where filepath.EvalSymlinks does.
func TestLinksLeadWhereTheyLead(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "a/b/c"), 0o700); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"way": "a", "a/up": "../a/b", "self": ".", "gone": "nowhere", "around": "around", "a/b/abs": dir} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	var links area.Links
	for _, path := range []string{"", "a", "a/b/c", "way", "way/b", "way/up/c", "self/self/a", "gone", "gone/a", "around", "a/b/abs/way", "none", "none/a"} {
		path = filepath.Join(dir, path)
		want, wantErr := filepath.EvalSymlinks(path)
		for range 2 {
			if got, err := links.Resolve(path); got != want || (err == nil) != (wantErr == nil) {
				t.Errorf("%s leads to %q, %v; want %q, %v", path, got, err, want, wantErr)
			}
		}
	}
}
