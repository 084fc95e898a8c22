package wordpress_test

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upkeep"
	"upkeep/internal/agent/place"
	"upkeep/internal/cms"
	"upkeep/internal/cms/wordpress"
	"upkeep/internal/demo/packages"
)

func sums(content string) (md5Sum, sha string) {
	a, b := md5.Sum([]byte(content)), sha256.Sum256([]byte(content))
	return hex.EncodeToString(a[:]), hex.EncodeToString(b[:])
}

// published is what a publisher would say of files; soft ones are named.
func published(files map[string]string, soft ...string) upkeep.Original {
	o := upkeep.Original{Files: map[string][]string{}, Soft: soft}
	for name, content := range files {
		short, long := sums(content)
		o.Files[name] = []string{strings.Repeat("0", 32), short, long}
	}
	return o
}

func integrity(t *testing.T, dir string, originals map[string]upkeep.Original) []upkeep.Finding {
	t.Helper()
	l := &cms.Layout{Root: dir, Dirs: map[string]string{
		"core": dir, "plugins": filepath.Join(dir, "wp-content/plugins"), "themes": filepath.Join(dir, "wp-content/themes"),
	}}
	findings, err := wordpress.New().Integrity(t.Context(), &lender{places: place.New(dir)}, l, originals)
	if err != nil {
		t.Fatal(err)
	}
	return findings
}

func TestIntegrity(t *testing.T) {
	core := map[string]string{
		"wp-load.php": "load", "wp-includes/a.php": "a", "wp-includes/b.js": "b", "wp-admin/c.php": "c", "readme.html": "r",
		"wp-content/themes/x/style.css": "not compared", "index.php": "i",
	}
	plugin := map[string]string{"main.php": "m", "readme.txt": "r", "lib/x.php": "x"}
	for name, c := range map[string]struct {
		change map[string]string // content, or "-" to delete
		want   string
		detail string
	}{
		"intact":           {nil, "", ""},
		"core modified":    {map[string]string{"wp-includes/a.php": "A", "wp-admin/c.php": "-"}, "modified core!", "modified 1, missing 1"},
		"core soft":        {map[string]string{"readme.html": "-"}, "modified core", "modified 0, missing 1"},
		"both":             {map[string]string{"readme.html": "-", "index.php": "I"}, "modified core, modified core!", ""},
		"unknown in core":  {map[string]string{"wp-includes/shell.php": "", "wp-includes/x.PHTML": "", "wp-includes/note.txt": "", "wp-x1.php": "", "wp-config.php": "", "other.php": ""}, "unknown_file core", "unknown 3"},
		"plugin modified":  {map[string]string{"wp-content/plugins/p/lib/x.php": "X"}, "modified plugin:p/main.php!", "modified 1, missing 0"},
		"plugin readme":    {map[string]string{"wp-content/plugins/p/readme.txt": "R"}, "modified plugin:p/main.php", ""},
		"plugin added":     {map[string]string{"wp-content/plugins/p/own.css": ""}, "unknown_file plugin:p/main.php", "unknown 1"},
		"single file":      {map[string]string{"wp-content/plugins/hello.php": "H"}, "modified plugin:hello.php!", ""},
		"link for a file":  {map[string]string{"wp-includes/b.js": "-> a.php"}, "modified core!", ""},
		"link out":         {map[string]string{"wp-includes": "-> /etc"}, "modified core!", "modified 2, missing 0"},
		"theme gone":       {map[string]string{"wp-content/themes/t": "-"}, "file_missing theme:t!", ""},
		"plugin linked in": {map[string]string{"wp-content/plugins/p": "-> ../kept", "wp-content/kept/main.php": "m", "wp-content/kept/readme.txt": "r"}, "modified plugin:p/main.php!", "modified 0, missing 1"},
	} {
		dir := tree(t)
		plant(t, dir, core)
		plant(t, filepath.Join(dir, "wp-content/plugins/p"), plugin)
		plant(t, dir, map[string]string{"wp-content/plugins/hello.php": "h", "wp-content/themes/t/style.css": "s"})
		for file, content := range c.change {
			path := filepath.Join(dir, file)
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
			if content != "-" {
				plant(t, dir, map[string]string{file: content})
			}
		}
		findings := integrity(t, dir, map[string]upkeep.Original{
			"core": published(core, "readme.html"), "plugin:p/main.php": published(plugin),
			"plugin:hello.php": published(map[string]string{"hello.php": "h", "readme.txt": "r"}), "theme:t": published(map[string]string{"style.css": "s", "../../../x": "y"}),
			"plugin:../../x/x.php": published(plugin), "language:de_DE": published(plugin),
		})
		if got := codes(findings); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		if c.detail != "" && (len(findings) == 0 || findings[0].Detail != c.detail) {
			t.Errorf("%s: %+v, want %s", name, findings, c.detail)
		}
	}
}

func TestIntegrityLooksWhereAThemeIs(t *testing.T) {
	dir := tree(t)
	plant(t, dir, map[string]string{"wp-content/themes/t/style.css": "other", "wp-content/more/t/style.css": "s"})
	original := published(map[string]string{"style.css": "s"})
	original.Dir = filepath.Join(dir, "wp-content/more/t")
	if got := codes(integrity(t, dir, map[string]upkeep.Original{"theme:t": original})); got != "" {
		t.Errorf("found %s", got)
	}
}

func TestIntegrityTakesTheStrongestHash(t *testing.T) {
	dir := tree(t)
	plant(t, dir, map[string]string{"wp-load.php": "load", "wp-x.php": "x", "wp-y.php": "y"})
	short, long := sums("load")
	_, other := sums("other")
	findings := integrity(t, dir, map[string]upkeep.Original{"core": {Files: map[string][]string{
		"wp-load.php": {short, other}, "wp-x.php": nil, "wp-y.php": {strings.ToUpper(long)[:32]},
	}}})
	// A matching MD5 does not excuse a wrong SHA-256; no hash asks for presence.
	if codes(findings) != "modified core!" || len(findings[0].Paths) != 2 {
		t.Errorf("got %+v", findings)
	}
}

func TestIntegrityBoundsPathsAndStops(t *testing.T) {
	dir := tree(t)
	o := upkeep.Original{Files: map[string][]string{}}
	for i := range 100 {
		o.Files[filepath.Join("wp-admin", strings.Repeat("x", i+1)+".php")] = []string{strings.Repeat("0", 32)}
	}
	findings := integrity(t, dir, map[string]upkeep.Original{"core": o})
	if len(findings) != 1 || len(findings[0].Paths) != 20 || findings[0].Detail != "modified 0, missing 100" {
		t.Errorf("got %+v", findings)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l := &cms.Layout{Root: dir, Dirs: map[string]string{}}
	if _, err := wordpress.New().Integrity(ctx, &lender{places: place.New(dir)}, l, map[string]upkeep.Original{"core": o}); err == nil {
		t.Error("a cancelled examination gave an answer")
	}
}

func TestIntegrityOfRealWordPress(t *testing.T) {
	set, err := packages.Open("../../../.cache/wordpress")
	if err != nil {
		t.Fatalf("%v (%s)", err, upkeep.HintOf(err))
	}
	dir, err := filepath.EvalSymlinks(set.Newest().Tree)
	if err != nil {
		t.Fatal(err)
	}
	original := upkeep.Original{Files: map[string][]string{}}
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		sum := md5.Sum(content)
		rel, _ := filepath.Rel(dir, path)
		original.Files[rel] = []string{hex.EncodeToString(sum[:])}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if findings := integrity(t, dir, map[string]upkeep.Original{"core": original}); len(findings) != 0 {
		t.Errorf("intact: %+v", findings)
	}
	delete(original.Files, "wp-admin/about.php")
	original.Files["wp-login.php"] = []string{strings.Repeat("0", 32)}
	if got := codes(integrity(t, dir, map[string]upkeep.Original{"core": original})); got != "modified core!, unknown_file core" {
		t.Errorf("altered: %s", got)
	}
}
