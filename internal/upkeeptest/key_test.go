package upkeeptest_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upkeep"
	"upkeep/internal/demo/portal"
	"upkeep/internal/upkeeptest"
)

// A vendor's key brings the package, and is in nothing that anybody reads.
func TestKeysAreUsedAndNotTold(t *testing.T) {
	t.Parallel()
	const key = "5f1c0ffee0123456789abcdef5ec2e75"
	tree := filepath.Join(t.TempDir(), "joomla")
	if err := portal.Miniature(tree, "5.0.0"); err != nil {
		t.Fatal(err)
	}
	site := upkeeptest.Joomla(t, tree, false)
	if _, err := site.SQL(t.Context(), "UPDATE jos_update_sites SET extra_query = 'dlid="+key+"'"); err != nil {
		t.Fatal(err)
	}
	p := upkeeptest.AdoptJoomla(t, site, func(m *portal.Mirror) error {
		m.Add(portal.Release{Element: portal.Tally, Version: "1.1"})
		m.Charge("another")
		return nil
	})
	var said strings.Builder
	run := func(args ...string) int {
		out, code := p.Run(t, args...)
		said.WriteString(strings.Join(args, " ") + "\n" + out)
		return code
	}
	if code := run("site", "update", "shop", "--yes"); code == 0 {
		t.Error("a package came without its key")
	}
	p.Portal.Add(portal.Release{Element: portal.Tally, Version: "1.2"})
	p.Portal.Charge(key)
	worker := p.Command(t, "site", "update", "shop", "--yes")
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- worker.Wait() }()
	for waiting := true; waiting; {
		select {
		case err := <-ended:
			if waiting = false; err != nil {
				t.Errorf("with its key: %v", err)
			}
		default:
			if told := processesWith(t, key); told != "" {
				t.Fatalf("the key is in the list of processes: %s", told)
			}
		}
	}
	if got := upkeeptest.Outcomes(p.Last(t), upkeep.Applied); len(got) != 1 {
		t.Errorf("applied %v", got)
	}
	for _, args := range []string{"site show shop", "site inventory shop", "update list shop", "intervention show 2", "intervention log 2", "intervention log 1", "ledger list", "backup list shop"} {
		if code := run(append(strings.Fields(args), "--format", "json")...); code != 0 {
			t.Errorf("%s: exit %d", args, code)
		}
	}
	if strings.Contains(said.String(), key) {
		t.Errorf("an answer tells the key:\n%s", said.String())
	}
	for _, file := range recorded(t, p) {
		if text, err := os.ReadFile(file); err != nil || bytes.Contains(text, []byte(key)) {
			t.Errorf("%s holds the key, %v", file, err)
		}
	}
}

// processesWith returns the command line or the environment of a process that
// holds a text, "" when none does.
func processesWith(t *testing.T, text string) string {
	t.Helper()
	entries, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		for _, name := range []string{"cmdline", "environ"} {
			if said, err := os.ReadFile(filepath.Join(entry, name)); err == nil && bytes.Contains(said, []byte(text)) {
				return string(said)
			}
		}
	}
	return ""
}

// recorded are the files of a program's state, and the logs and journals of its
// agents.
func recorded(t *testing.T, p *upkeeptest.Program) []string {
	t.Helper()
	var files []string
	for _, dir := range []string{p.State, p.AgentDir()} {
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return err
			}
			if ext := filepath.Ext(path); dir == p.State || ext == ".log" || ext == ".jsonl" {
				files = append(files, path)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(files) < 5 {
		t.Fatalf("only %v", files)
	}
	return files
}
