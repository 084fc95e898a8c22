package scan_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/agent/scan"
	"upkeep/internal/cms/known"
)

// TestMain is also the process that a scan sends through folders.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "walk" {
		if err := scan.Serve(context.Background(), os.Stdin, os.Stdout, known.Drivers()); err != nil {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func plant(t *testing.T, files map[string]string) string {
	t.Helper()
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		path := filepath.Join(base, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return base
}

const settings = "<?php define('DB_HOST', 'localhost'); define('DB_NAME', 'WHICH'); define('DB_USER', 'u'); define('DB_PASSWORD', 'p');"

func scanner(base string) *scan.Scanner {
	return &scan.Scanner{Base: base, Command: []string{"/proc/self/exe", "walk"}, As: func(uint32) (*syscall.Credential, error) { return nil, nil }}
}

// Where nobody is asked for folders, applications are found by the web server's
// configuration and by where panels put them, with their addresses.
func TestPlacesAndAddresses(t *testing.T) {
	base := plant(t, map[string]string{
		"etc/nginx/nginx.conf":     "http { server { listen 443 ssl; server_name app.test; root /opt/app/public; }\nserver { listen 80; server_name app.test; root /opt/app/public; } }",
		"opt/app/public/index.php": "<?php require '../vendor/autoload.php';", "opt/app/vendor/autoload.php": "<?php",
		"opt/app/.env": "DB_CONNECTION=mysql\nDB_HOST=localhost\nDB_DATABASE=app\nDB_USERNAME=u\nDB_PASSWORD=p\n",
		// A library with a configuration, and an application with a database.
		"opt/app/vendor/lib/index.php": "<?php", "opt/app/vendor/lib/config.php": "<?php define('X', 1);",
		"opt/app/public/stats/index.php": "<?php", "opt/app/public/stats/config.php": strings.ReplaceAll(settings, "WHICH", "stats"),
		"home/u/domains/da.test/public_html/index.php": "<?php", "home/u/domains/da.test/public_html/config.php": strings.ReplaceAll(settings, "WHICH", "da"),
		"srv/plain/readme.txt": "nothing to be run",
	})
	found, err := scanner(base).Scan(t.Context(), scan.Request{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range found.Discoveries {
		got = append(got, strings.Join([]string{strings.TrimPrefix(d.Root, base), d.Database, strings.Join(d.URLs, " "), strings.TrimPrefix(d.Within, base)}, "|"))
	}
	want := []string{
		"/home/u/domains/da.test/public_html|da|http://da.test|",
		"/opt/app|app|https://app.test|",
		"/opt/app/public/stats|stats|https://app.test/stats|/opt/app",
	}
	if !slices.Equal(got, want) {
		t.Errorf("found\n%q, want\n%q", got, want)
	}
}

// What was known is looked at however deep it is, and is missing only when it
// was looked for.
func TestKnownRootsAreLookedAt(t *testing.T) {
	deep := strings.Repeat("d/", 40)
	base := plant(t, map[string]string{deep + "app/index.php": "<?php", deep + "app/config.php": strings.ReplaceAll(settings, "WHICH", "deep")})
	root, gone := filepath.Join(base, deep, "app"), filepath.Join(base, "gone")
	req := scan.Request{Paths: []string{base}}
	if found, err := scanner("").Scan(t.Context(), req); err != nil || len(found.Discoveries) != 0 || len(found.Cut) != 1 || found.Cut[0].Why != upkeep.CutDeep {
		t.Fatalf("%+v, %v", found, err)
	}
	req.Known = []string{gone, root}
	found, err := scanner("").Scan(t.Context(), req)
	if err != nil || len(found.Discoveries) != 1 || found.Discoveries[0].Root != root || !slices.Equal(found.Missing, []string{gone}) {
		t.Errorf("%+v, %v", found, err)
	}
}

// A walk whose time is over says so, and of what was not seen nothing is said
// to be missing.
func TestTimeEnds(t *testing.T) {
	base := plant(t, map[string]string{"app/index.php": "<?php", "app/config.php": settings})
	answer := scan.Walk(t.Context(), scan.Job{Starts: []scan.Start{{Dir: base}}, Deadline: time.Now().Add(-time.Second), Alone: true}, known.Drivers())
	if want := []upkeep.Cut{{Path: base, Why: upkeep.CutTime}}; !slices.Equal(answer.Cut, want) || len(answer.Discoveries) != 0 {
		t.Errorf("%+v", answer)
	}
}

// An account's process that dies, or tells nonsense, or without end, costs that
// account only.
func TestProcessesThatDie(t *testing.T) {
	base := plant(t, map[string]string{"app/index.php": "<?php", "app/config.php": settings})
	for _, command := range [][]string{{"/bin/false"}, {"/bin/echo", "no answer"}, {"/nowhere"}, {"yes"}} {
		s := scanner("")
		s.Command = command
		root := filepath.Join(base, "app")
		found, err := s.Scan(t.Context(), scan.Request{Paths: []string{base}, Known: []string{root}})
		if err != nil || len(found.Missing) != 0 || !slices.Contains(found.Cut, upkeep.Cut{Path: base, Why: upkeep.CutUnreadable}) {
			t.Errorf("%q: %+v, %v", command, found, err)
		}
	}
}
