package catalogue_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/catalogue"
)

func open(t *testing.T, language catalogue.Language) *catalogue.Texts {
	t.Helper()
	texts, err := catalogue.Open(language)
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

// raw returns the text with its parameters as they are named.
func raw(texts *catalogue.Texts, key, count string) string {
	pairs := []any{"count", count}
	for _, name := range names() {
		pairs = append(pairs, name, "{"+name+"}")
	}
	return texts.Text(key, pairs...)
}

// names are all parameters that texts may name.
func names() []string {
	return strings.Fields(`address all application argument at back backup because branch bytes check checks client code command component components database differences digest
		dir failed files finding first flag from go gone got have head held hint host id kept last locale moment most names new note one other page pages plan
		publishers rate root rows scope security seq since site sites slug source span state status subject table target title to trial type
		uncovered until updates uri value version want wave what when where who why word`)
}

var param = regexp.MustCompile(`\{[a-z]+\}`)

func TestLanguagesAgree(t *testing.T) {
	fr, en := open(t, catalogue.French), open(t, catalogue.English)
	if !slices.Equal(fr.Keys(), en.Keys()) {
		t.Fatalf("keys differ: %q", difference(fr.Keys(), en.Keys()))
	}
	for _, key := range fr.Keys() {
		for _, count := range []string{"{count}", "1", "5"} {
			inFrench, inEnglish := param.FindAllString(raw(fr, key, count), -1), param.FindAllString(raw(en, key, count), -1)
			slices.Sort(inFrench)
			slices.Sort(inEnglish)
			if !slices.Equal(inFrench, inEnglish) {
				t.Errorf("%s: parameters %q in French, %q in English", key, inFrench, inEnglish)
			}
		}
		if text := raw(fr, key, "5"); text == key && key != "version" || text == "" {
			t.Errorf("%s: names a parameter that this test does not know, or is empty", key)
		}
	}
}

func difference(a, b []string) []string {
	var only []string
	for _, key := range append(slices.Clone(a), b...) {
		if !slices.Contains(a, key) || !slices.Contains(b, key) {
			only = append(only, key)
		}
	}
	return only
}

// TestTypography: French sets a space that does not break before : ; ! ? and
// inside guillemets; apostrophes are curved in both languages.
func TestTypography(t *testing.T) {
	bad := regexp.MustCompile(`[ ][:;!?»%]|«[ ]|[^\s\x{a0}\x{202f}:/\]\[0-9(][;!?]|\p{L}:(\s|$)`)
	straight := regexp.MustCompile(`\p{L}'\p{L}`)
	fr, en := open(t, catalogue.French), open(t, catalogue.English)
	for _, key := range fr.Keys() {
		if text := raw(fr, key, "5"); bad.MatchString(text) || straight.MatchString(text) {
			t.Errorf("%s: %q", key, text)
		}
		if text := raw(en, key, "5"); straight.MatchString(text) || strings.ContainsAny(text, "\u00a0\u202f") && !strings.Contains(text, "5") {
			t.Errorf("%s: %q", key, text)
		}
	}
}

// families are the prefixes of keys that are built from codes.
func families() []string {
	return strings.Fields(`state status moment result disposition cms change unit progress event check reason because finding task ledger requirement scope consent standing cut canary storage role proof owned owned_why owned_state`)
}

// TestKeysAreUsedAndThere reads the sources of the programs: a key in a call
// has a text, and a text has a call. Texts of codes are checked against the
// constants instead.
func TestKeysAreUsedAndThere(t *testing.T) {
	texts := open(t, catalogue.French)
	used := map[string]bool{}
	for _, dir := range []string{"../../cmd/upkeep", "../../cmd/upkeep/application", "../../cmd/upkeep/console", "../../cmd/upkeep/host", "../../cmd/upkeep/app", "../../cmd/upkeep/show", "../../cmd/upkeep/planning", "../../cmd/upkeep/records", "../../cmd/upkeep/vault", "../../cmd/upkeep/people", "../terminal", "../demo/tour", "../web"} {
		for _, lit := range literals(t, dir, regexp.MustCompile(`\.go$`)) {
			used[lit] = true
		}
	}
	for _, key := range inPages(t) {
		used[key] = true
	}
	isKey := regexp.MustCompile(`^[a-z]+(\.[a-z_]+)+$`)
	for lit := range used {
		first, _, _ := strings.Cut(lit, ".")
		if isKey.MatchString(lit) && slices.ContainsFunc(texts.Keys(), func(k string) bool { return strings.HasPrefix(k, first+".") }) &&
			!texts.Has(lit) && !texts.Has("cmd."+lit+".short") && !slices.Contains([]string{"upkeep.sock", "upkeep.example", "memory.json", "self.html"}, lit) {
			t.Errorf("key %s has no text", lit)
		}
	}
	for _, key := range texts.Keys() {
		first, _, _ := strings.Cut(key, ".")
		name := strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(key, "cmd."), ".short"), ".long")
		if !used[key] && !slices.Contains(families(), first) && !(first == "cmd" && used[name]) {
			t.Errorf("text %s is not used", key)
		}
	}
}

// inPages returns the keys in the templates and sources of the pages.
func inPages(t *testing.T) (keys []string) {
	t.Helper()
	done := regexp.MustCompile(`(?:\b(?:Done|changed)\(.*, "|done=)([a-z_]+)"`) // what was done, as pages tell it
	quoted := regexp.MustCompile(`"([a-z]+(?:\.[a-z_]+)+)"`)
	fileName := regexp.MustCompile(`\.(html|css|js)$`)
	err := filepath.WalkDir("../web/console", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, "_test.go") || !slices.Contains([]string{".go", ".html"}, filepath.Ext(path)) {
			return err
		}
		source, err := os.ReadFile(path)
		for _, m := range quoted.FindAllSubmatch(source, -1) {
			if !fileName.Match(m[1]) {
				keys = append(keys, string(m[1]))
			}
		}
		for _, m := range done.FindAllSubmatch(source, -1) {
			keys = append(keys, "console.done."+string(m[1]))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	texts := open(t, catalogue.French)
	for _, key := range keys {
		if strings.HasPrefix(key, "console.") && !texts.Has(key) {
			t.Errorf("key %s has no text", key)
		}
	}
	return keys
}

// literals returns the string literals in the sources of a folder.
func literals(t *testing.T, dir string, match *regexp.Regexp) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") || !match.MatchString(name) {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, source, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if value, err := strconv.Unquote(lit.Value); err == nil {
					found = append(found, value)
				}
			}
			return true
		})
	}
	return found
}

// TestCodesHaveTexts: what the vocabulary and resolve can say, the catalogue
// can say in words.
func TestCodesHaveTexts(t *testing.T) {
	texts := open(t, catalogue.French)
	has := func(family, code string) {
		t.Helper()
		if !texts.Has(family + "." + code) {
			t.Errorf("code %s.%s has no text", family, code)
		}
	}
	for _, pair := range upkeep.Transitions() {
		has("state", string(pair[0]))
		has("state", string(pair[1]))
	}
	for _, m := range []upkeep.Moment{upkeep.Before, upkeep.After, upkeep.Manual} {
		has("moment", string(m))
	}
	for _, r := range []upkeep.Result{upkeep.Applied, upkeep.Guilty, upkeep.NotApplied} {
		has("result", string(r))
	}
	for _, d := range []upkeep.Disposition{upkeep.Ready, upkeep.Held, upkeep.Quote} {
		has("disposition", string(d))
	}
	snake := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	tasks := constants(t, "../schedule/reasons.go", "Task")
	for _, name := range []string{"../resolve/reasons.go", "../schedule/reasons.go", "../schedule/recommend.go"} {
		for _, code := range constants(t, name, "") {
			if snake.MatchString(code) && !slices.Contains(tasks, code) {
				has("reason", code)
			}
		}
	}
	for _, code := range tasks {
		has("task", code)
	}
	for _, code := range constants(t, "../schedule/history.go", "because") {
		has("because", code)
	}
	for _, why := range []upkeep.CutReason{upkeep.CutDeep, upkeep.CutCrowded, upkeep.CutTime, upkeep.CutUnreadable} {
		has("cut", string(why))
	}
	for _, scope := range upkeep.Scopes() {
		has("scope", string(scope))
	}
	for _, consent := range []upkeep.Consent{upkeep.OrdinaryConsent, upkeep.FullConsent} {
		has("consent", string(consent))
	}
	for prefix, family := range map[string]string{"Event": "event", "Task": "task", "Reason": "reason", "Kind": "ledger"} {
		for _, code := range constants(t, "../intervention/steps.go", prefix) {
			has(family, code)
		}
	}
	for _, name := range []string{"../fleet/site.go", "../fleet/plan.go"} {
		for _, code := range constants(t, name, "kind") {
			has("ledger", code)
		}
	}
	for _, name := range []string{
		"../cms/wordpress/readback/readback.go", "../cms/dokuwiki/readback.go", "../cms/parcel/arrived.go", "../cms/parcel/unchanged.go",
	} {
		for _, code := range constants(t, name, "check") {
			has("check", code)
		}
	}
	for _, unit := range []string{"updates", "pages", "blobs"} {
		has("unit", unit)
	}
}

// constants returns the values of a file's string constants whose names begin
// with prefix.
func constants(t *testing.T, name, prefix string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, prefix) || len(spec.Values) == 0 {
			return true
		}
		if lit, ok := spec.Values[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if value, err := strconv.Unquote(lit.Value); err == nil {
				values = append(values, value)
			}
		}
		return true
	})
	return values
}

func TestPluralsAndFallbacks(t *testing.T) {
	fr, en := open(t, catalogue.French), open(t, catalogue.English)
	for _, tc := range []struct{ got, want string }{
		{en.Text("record.files", "count", 0), "0 files"},
		{en.Text("record.files", "count", 1), "1 file"},
		{en.Text("record.files", "count", 4182), "4,182 files"},
		{fr.Text("record.files", "count", 0), "0 fichier"},
		{fr.Text("record.files", "count", 1), "1 fichier"},
		{fr.Text("record.files", "count", 12345678), "12\u202f345\u202f678 fichiers"},
		{fr.Text("no.such.key"), "no.such.key"},
		{fr.Code("reason", "from_the_future", nil), "from_the_future"},
		{fr.Code("reason", "from_the_future", map[string]string{"b": "2", "a": "{x}"}), "from_the_future (a={x}, b=2)"},
		{fr.Code("reason", "requires_php", map[string]string{"want": "8.3"}), "requires_php (want=8.3)"},
		{en.Code("reason", "requires_php", map[string]string{"want": "{have}", "have": "8.2"}), "needs PHP {have}, the site has 8.2"},
		{en.Bytes(999), "999\u00a0B"}, {en.Bytes(1000), "1.0\u00a0kB"}, {en.Bytes(999_600), "1.0\u00a0MB"}, {fr.Bytes(1_370_000_000), "1,4\u00a0Go"},
		{fr.Span(1500 * time.Millisecond), "1,5\u00a0s"}, {en.Span(59_700 * time.Millisecond), "1\u00a0min\u00a000\u00a0s"},
		{en.Span(3*time.Hour + 12*time.Minute), "3\u00a0h\u00a012\u00a0min"}, {en.Span(-time.Second), "0.0\u00a0s"}, {en.Number(-1234567), "-1,234,567"},
	} {
		if tc.got != tc.want {
			t.Errorf("got %q, want %q", tc.got, tc.want)
		}
	}
}

func TestDetect(t *testing.T) {
	for _, tc := range []struct {
		env  map[string]string
		want catalogue.Language
	}{
		{nil, catalogue.French},
		{map[string]string{"LANG": "fr_BE.UTF-8"}, catalogue.French},
		{map[string]string{"LANG": "C.UTF-8"}, catalogue.English},
		{map[string]string{"LANG": "fr_FR", "LC_ALL": "en_US"}, catalogue.English},
		{map[string]string{"LANG": "en_US", "LC_MESSAGES": "FR"}, catalogue.French},
	} {
		if got := catalogue.Detect(func(name string) string { return tc.env[name] }); got != tc.want {
			t.Errorf("%v: %s", tc.env, got)
		}
	}
	if _, err := catalogue.Open("klingon"); upkeep.CodeOf(err) != upkeep.CodeInvalid {
		t.Errorf("klingon: %v", err)
	}
}
