package upkeeptest

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"upkeep/internal/demo"
)

// State is everything a site is, as find, sha256sum and mariadb-dump see it:
// a line for each path and each line of the dump. It shares no code with what
// it judges.
type State struct {
	Files    []string // "path<NUL>type mode user group links size mtime →target digest", sorted
	Database []string // lines of the dump, one row each, in its order
}

// StateOf reads a site's state: every path below its folder but the servers'
// logs, and its whole database.
func StateOf(t testing.TB, site *demo.Site) *State {
	t.Helper()
	// Folders' own sizes depend on their history and mean nothing.
	listing := run(t, site.Dir, "find", ".", "-path", "./log", "-prune", "-o",
		"(", "-type", "d", "-printf", `%p\001%y %m %U %G %T@\000`, ")", "-o",
		"-printf", `%p\001%y %m %U %G %n %s %T@ %l\000`)
	sums := run(t, site.Dir, "find", ".", "-path", "./log", "-prune", "-o", "-type", "f", "-exec", "sha256sum", "-z", "--", "{}", "+")
	digest := make(map[string]string)
	for line := range strings.SplitSeq(sums, "\x00") {
		if sum, path, ok := strings.Cut(line, "  "); ok {
			digest[path] = sum
		}
	}
	s := &State{}
	for line := range strings.SplitSeq(listing, "\x00") {
		if path, rest, ok := strings.Cut(line, "\x01"); ok {
			s.Files = append(s.Files, path+"\x00"+rest+" "+digest[path])
		}
	}
	slices.Sort(s.Files)
	if site.Database == nil {
		return s
	}
	if site.Database.Engine == "sqlite" {
		name, err := filepath.Rel(site.Dir, site.Database.File)
		if err != nil {
			t.Fatal(err)
		}
		s.Files = slices.DeleteFunc(s.Files, func(line string) bool { return strings.HasPrefix(line, "./"+name) })
		s.Database = strings.Split(run(t, "/", "sqlite3", site.Database.File, ".dump"), "\n")
		slices.Sort(s.Database)
		return s
	}
	if site.Database.Engine == "postgresql" {
		// Rows have no order there, and those that were changed come last.
		dump := run(t, "/", "pg_dump", "-h", site.Database.Socket, "-U", "admin", "--inserts", "--rows-per-insert=1", site.Database.Name)
		s.Database = slices.DeleteFunc(strings.Split(dump, "\n"), func(line string) bool { return strings.HasPrefix(line, "\\") }) // marks by chance
		slices.Sort(s.Database)
		return s
	}
	dump := run(t, "/", "mariadb-dump", "--no-defaults", "--socket="+site.Database.Socket, "--default-character-set=utf8mb4",
		"--single-transaction", "--hex-blob", "--skip-dump-date", "--skip-extended-insert", "--order-by-primary",
		"--routines", "--triggers", "--events", site.Database.Name)
	s.Database = strings.Split(dump, "\n")
	return s
}

// Diff returns what differs between two states, "" when nothing does. Lines
// of only the first begin with "-", of only the second with "+". A line that
// contains one of ignore does not count.
func (s *State) Diff(other *State, ignore ...string) string {
	var b strings.Builder
	for _, pair := range [][2][]string{{s.Files, other.Files}, {s.Database, other.Database}} {
		for _, line := range only(pair[0], pair[1], ignore) {
			fmt.Fprintf(&b, "- %.400q\n", line)
		}
		for _, line := range only(pair[1], pair[0], ignore) {
			fmt.Fprintf(&b, "+ %.400q\n", line)
		}
	}
	return b.String()
}

// Same fails the test unless the site is in the state.
func Same(t testing.TB, want *State, site *demo.Site, ignore ...string) {
	t.Helper()
	if diff := want.Diff(StateOf(t, site), ignore...); diff != "" {
		t.Errorf("%s is not as it was:\n%s", site.Name, diff)
	}
}

// only returns the lines that a has more often than b.
func only(a, b, ignore []string) []string {
	left := make(map[string]int)
	for _, line := range b {
		left[line]++
	}
	var lines []string
	for _, line := range a {
		if left[line]--; left[line] < 0 && !slices.ContainsFunc(ignore, func(part string) bool { return strings.Contains(line, part) }) {
			lines = append(lines, line)
		}
	}
	return lines
}

func run(t testing.TB, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	var out, errout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errout
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v: %s", name, err, errout.String())
	}
	return out.String()
}
