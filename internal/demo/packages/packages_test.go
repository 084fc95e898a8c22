package packages_test

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upkeep"
	"upkeep/internal/demo/packages"
)

// What make setup fetched must be whole releases: what a site needs to run,
// nothing of what made them run in a browser, no link that leads elsewhere.
func TestReleasesAreWhole(t *testing.T) {
	set, err := packages.Open("../../../.cache/wordpress")
	if err != nil {
		t.Fatalf("%v\nmake setup fetches them", err)
	}
	if len(set.Cores) < 5 || set.Cores[0].Source != "debian" {
		t.Fatalf("cores %+v", set.Cores)
	}
	for _, core := range set.Cores {
		names := members(t, core.Zip)
		for _, must := range []string{"index.php", "wp-load.php", "wp-settings.php", "wp-admin/includes/update-core.php",
			"wp-includes/version.php", "wp-includes/ID3/getid3.php", "wp-includes/js/underscore.min.js",
			"wp-includes/js/jquery/jquery.min.js", "wp-includes/certificates/ca-bundle.crt"} {
			if len(names["wordpress/"+must]) == 0 {
				t.Errorf("%s lacks %s, or it is empty", core.Version, must)
			}
		}
		for name := range names {
			if strings.HasSuffix(name, "wp-config.php") || strings.Contains(name, "sqlite") || !strings.HasPrefix(name, "wordpress/") {
				t.Errorf("%s has %s", core.Version, name)
			}
		}
		if !bytes.Contains(names["wordpress/wp-includes/version.php"], []byte("'"+string(core.Version)+"'")) {
			t.Errorf("%s is not what version.php says", core.Version)
		}
	}
	for _, e := range set.Extensions {
		if _, err := os.Stat(e.Zip); err != nil || e.Version == "" || !strings.HasPrefix(filepath.Base(e.Zip), e.Slug) {
			t.Errorf("%+v: %v", e, err)
		}
	}
}

func members(t *testing.T, file string) map[string][]byte {
	t.Helper()
	archive, err := zip.OpenReader(file)
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	names := make(map[string][]byte)
	for _, entry := range archive.File {
		if !entry.Mode().IsRegular() {
			t.Errorf("%s: %s is no regular file", file, entry.Name)
		}
		in, err := entry.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(io.LimitReader(in, 4096))
		if err != nil {
			t.Fatal(err)
		}
		names[entry.Name] = text
	}
	return names
}

func TestOpenSaysWhatToDo(t *testing.T) {
	if _, err := packages.Open(t.TempDir()); upkeep.CodeOf(err) != upkeep.CodeNotFound || !strings.Contains(upkeep.HintOf(err), "make setup") {
		t.Errorf("%v, %q", err, upkeep.HintOf(err))
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "packages.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := packages.Open(dir); upkeep.CodeOf(err) != upkeep.CodeDamaged {
		t.Errorf("%v", err)
	}
}
