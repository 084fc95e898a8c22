package upkeep_test

import (
	"go/ast"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"upkeep"
	"upkeep/internal/catalogue"
)

// page returns a page of the documentation.
func page(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// pages are the paths of all pages.
func pages(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("doc/*.md")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	return append(paths, "README.md", "CHANGELOG.md", "CONTRIBUTING.md")
}

// rows returns the cells of the table whose header begins with the given
// titles.
func rows(t *testing.T, text string, titles ...string) [][]string {
	t.Helper()
	var table [][]string
	inside := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			inside = false
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case len(cells) >= len(titles) && slices.Equal(cells[:len(titles)], titles):
			inside = true
		case inside && !strings.HasPrefix(cells[0], "---"):
			table = append(table, cells)
		}
	}
	if len(table) == 0 {
		t.Fatalf("no table that begins with %q", titles)
	}
	return table
}

func TestInterventionPage(t *testing.T) {
	text := page(t, "doc/intervention.md")
	var drawn, listed [][2]upkeep.State
	for _, m := range regexp.MustCompile(`(?m)^ +(\w+) --> (\w+)$`).FindAllStringSubmatch(text, -1) {
		drawn = append(drawn, [2]upkeep.State{upkeep.State(m[1]), upkeep.State(m[2])})
	}
	for _, row := range rows(t, text, "from", "to", "when") {
		listed = append(listed, [2]upkeep.State{upkeep.State(row[0]), upkeep.State(row[1])})
		if row[2] == "" {
			t.Errorf("%s to %s: the page does not say when", row[0], row[1])
		}
	}
	want := upkeep.Transitions()
	for name, got := range map[string][][2]upkeep.State{"drawing": drawn, "table": listed} {
		for _, pair := range want {
			if !slices.Contains(got, pair) {
				t.Errorf("the %s lacks %s to %s", name, pair[0], pair[1])
			}
		}
		for _, pair := range got {
			if !slices.Contains(want, pair) {
				t.Errorf("the %s has %s to %s, which is refused", name, pair[0], pair[1])
			}
		}
		if len(got) != len(want) {
			t.Errorf("the %s has %d transitions, want each of %d once", name, len(got), len(want))
		}
	}
}

// declared returns every exported name by package, "upkeep.Site", and every
// name of ours, exported or not, lower case, with where it is. Drivers and
// the demo speak the language of the CMS and are left out of the latter.
func declared(t *testing.T) (exported map[string]bool, all map[string]string) {
	t.Helper()
	exported, all = map[string]bool{}, map[string]string{}
	_, files := sources(t)
	for _, s := range files {
		own := !within(s.dir, "internal/cms", "internal/demo", "internal/upkeeptest")
		note := func(name *ast.Ident) {
			exported[s.file.Name.Name+"."+name.Name] = true
			if own {
				all[strings.ToLower(name.Name)] = s.path
			}
		}
		for _, decl := range s.file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				note(d.Name)
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch sp := spec.(type) {
					case *ast.TypeSpec:
						note(sp.Name)
					case *ast.ValueSpec:
						for _, name := range sp.Names {
							note(name)
						}
					}
				}
			}
		}
	}
	return exported, all
}

// tables returns the names of the tables in the migrations.
func tables(t *testing.T) map[string]bool {
	t.Helper()
	paths, err := filepath.Glob("internal/store/migration/*/*.sql")
	more, _ := filepath.Glob("internal/store/migration/*.sql") // the pattern is valid
	if paths = append(paths, more...); err != nil || len(paths) == 0 {
		t.Fatalf("no migrations: %v", err)
	}
	names := map[string]bool{}
	for _, path := range paths {
		for _, m := range regexp.MustCompile(`CREATE TABLE (\w+)`).FindAllStringSubmatch(page(t, path), -1) {
			names[m[1]] = true
		}
	}
	return names
}

// french returns all French texts in one, lower case, with plain spaces and
// apostrophes.
func french(t *testing.T) string {
	t.Helper()
	texts, err := catalogue.Open(catalogue.French)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, key := range texts.Keys() {
		all.WriteString(texts.Text(key, "count", 1) + "\n" + texts.Text(key, "count", 2) + "\n")
	}
	return strings.ToLower(strings.NewReplacer("\u00a0", " ", "\u202f", " ").Replace(all.String()))
}

func TestGlossary(t *testing.T) {
	exported, all := declared(t)
	sql, texts, commands := tables(t), french(t), commandNames(t)
	words := map[string]bool{}
	for _, row := range rows(t, page(t, "doc/glossary.md"), "word", "sentence", "Go name") {
		if len(row) != 7 {
			t.Fatalf("%s: %d cells, want 7", row[0], len(row))
		}
		word, name, table, command, fr := row[0], strings.Trim(row[2], "`"), strings.Trim(row[3], "`"), strings.Trim(row[4], "`"), row[5]
		if words[word] {
			t.Errorf("%s: there twice", word)
		}
		words[word] = true
		if !exported[name] {
			t.Errorf("%s: no Go name %s", word, name)
		}
		if table != "–" && !sql[table] {
			t.Errorf("%s: no table %s", word, table)
		}
		if command != "–" && !commands[strings.TrimPrefix(command, "upkeep ")] {
			t.Errorf("%s: no command %s", word, command)
		}
		if !strings.HasPrefix(fr, "(") && !strings.Contains(texts, strings.ToLower(fr)) {
			t.Errorf("%s: no French text has %q; put it in parentheses or use it", word, fr)
		}
		for other := range strings.SplitSeq(row[6], ", ") {
			where, used := all[strings.ToLower(other)]
			if used || sql[other] || commands[other] {
				t.Errorf("%s: %q is used (%s): say %s, or take it off the list", word, other, where, word)
			}
		}
	}
}

// commandNames returns the commands, "site add", from the catalogue, whose
// own test holds it to the program.
func commandNames(t *testing.T) map[string]bool {
	t.Helper()
	texts, err := catalogue.Open(catalogue.English)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, key := range texts.Keys() {
		if name, ok := strings.CutPrefix(key, "cmd."); ok && strings.HasSuffix(name, ".short") {
			names[strings.ReplaceAll(strings.TrimSuffix(name, ".short"), ".", " ")] = true
		}
	}
	return names
}

// TestPagesNameRealCommands reads every "upkeep …" in code: its words are a
// command and its flags exist.
func TestPagesNameRealCommands(t *testing.T) {
	commands := commandNames(t)
	_, files := sources(t)
	flags := map[string]bool{"help": true}
	for _, s := range files {
		if !within(s.dir, "cmd/upkeep") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok {
				flags[strings.Trim(lit.Value, `"`)] = true
			}
			return true
		})
	}
	code := regexp.MustCompile("(?s)```.*?```|`[^`\n]+`")
	call := regexp.MustCompile(`(?m)(?:^|[\s` + "`" + `(/'])upkeep((?: +--?[a-z][-a-z]*| +[^\s` + "`" + `|;&)'#]+)*)`)
	for _, path := range pages(t) {
		for _, block := range code.FindAllString(page(t, path), -1) {
			for _, m := range call.FindAllStringSubmatch(block, -1) {
				checkCall(t, path, strings.Fields(m[1]), commands, flags)
			}
		}
	}
}

func checkCall(t *testing.T, path string, words []string, commands, flags map[string]bool) {
	t.Helper()
	plain := regexp.MustCompile(`^[a-z]+$`)
	if len(words) > 0 && plain.MatchString(words[0]) && !commands[words[0]] {
		t.Errorf("%s: no command upkeep %s", path, words[0])
	}
	if len(words) > 1 && plain.MatchString(words[0]) && plain.MatchString(words[1]) && !commands[words[0]+" "+words[1]] {
		t.Errorf("%s: no command upkeep %s %s", path, words[0], words[1])
	}
	for _, word := range words {
		name, _, _ := strings.Cut(strings.TrimPrefix(word, "--"), "=")
		if strings.HasPrefix(word, "--") && !flags[name] {
			t.Errorf("%s: upkeep %s has no flag --%s", path, strings.Join(words, " "), name)
		}
	}
}

// TestPagesNameRealTests: a test or a file that a page names is there.
func TestPagesNameRealTests(t *testing.T) {
	there := map[string]bool{}
	declares := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != "." && (strings.HasPrefix(entry.Name(), ".") || slices.Contains([]string{"bin", "dist", "demo"}, path)):
			return fs.SkipDir
		case strings.HasSuffix(path, "_test.go"):
			for _, m := range declares.FindAllStringSubmatch(page(t, path), -1) {
				there[m[1]] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z]\\w+)`")
	link := regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	for _, path := range pages(t) {
		text := page(t, path)
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			if !there[m[1]] {
				t.Errorf("%s: no test %s", path, m[1])
			}
		}
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), m[1])); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", path, m[1])
			}
		}
	}
}

// TestPagesNameRealCode: `package.Name` in a page is declared in our package.
func TestPagesNameRealCode(t *testing.T) {
	exported, _ := declared(t)
	packages := map[string]bool{}
	for name := range exported {
		own, _, _ := strings.Cut(name, ".")
		packages[own] = true
	}
	named := regexp.MustCompile("`([a-z]+)\\.([A-Z]\\w+)[.()\\w]*`")
	for _, path := range pages(t) {
		for _, m := range named.FindAllStringSubmatch(page(t, path), -1) {
			if packages[m[1]] && !exported[m[1]+"."+m[2]] {
				t.Errorf("%s: no %s.%s", path, m[1], m[2])
			}
		}
	}
}

// TestOperationsNamesEverySetting: what config.json may say, the page shows.
func TestOperationsNamesEverySetting(t *testing.T) {
	text := page(t, "doc/operations.md")
	settings := regexp.MustCompile(`(?s)type settings struct \{.*?\n\}`).FindString(page(t, "cmd/upkeep/app/settings.go"))
	names := regexp.MustCompile(`json:"(\w+)"`).FindAllStringSubmatch(settings, -1)
	if len(names) == 0 {
		t.Fatal("no settings in cmd/upkeep/app/settings.go")
	}
	for _, m := range names {
		if !strings.Contains(text, `"`+m[1]+`":`) {
			t.Errorf("doc/operations.md does not show the setting %s", m[1])
		}
	}
}
