package inventory

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestCacheSurvivesSaveAndLoad(t *testing.T) {
	c, d := NewCache(), NewCache()
	key := fileKey{1, 2, 3, 4, 5}
	c.remember(key, "plugin", map[string]string{"Name": "A"})
	c.rememberPHP("/srv", "8.2.1", time.Unix(1000, 0))
	path := filepath.Join(t.TempDir(), "headers")
	if err := d.Load(path); err != nil {
		t.Fatalf("before anything was saved: %v", err)
	}
	if err := c.Save(path); err != nil {
		t.Fatal(err)
	}
	if err := d.Load(path); err != nil {
		t.Fatal(err)
	}
	if headers, ok := d.headers(key, "plugin"); !ok || headers["Name"] != "A" {
		t.Errorf("got %v %v", headers, ok)
	}
	if _, ok := d.headers(key, "theme"); ok {
		t.Error("headers of another sort")
	}
	if version, ok := d.phpVersion("/srv", time.Unix(1000+80000, 0)); !ok || version != "8.2.1" {
		t.Errorf("php %q %v", version, ok)
	}
	if _, ok := d.phpVersion("/srv", time.Unix(1000+90000, 0)); ok {
		t.Error("the interpreter's version is believed for ever")
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Load(path); err == nil {
		t.Error("a damaged cache was loaded")
	}
}

func TestKeyOfTrustsOnlySettledFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.php")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(file, old, old); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	// An old modification time may have been set; the change time cannot.
	if _, steady := keyOf(info, time.Now()); steady {
		t.Error("a file changed just now counts as settled")
	}
	if _, steady := keyOf(info, time.Now().Add(time.Minute)); !steady {
		t.Error("a file left alone for a minute does not count as settled")
	}
}
