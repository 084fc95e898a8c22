package upkeep_test

import (
	"encoding/json"
	"go/ast"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// carriers are the functions whose argument, counted from 0, is the format of
// what people read, or a phrase of it.
func carriers() map[string]int {
	return map[string]int{
		"upkeep.Errorf": 1, "upkeep.Wrap": 1, "upkeep.Causef": 0, "upkeep.Words": 0, "upkeep.Phrase": 0, "WithHint": 0, "errors.New": 0,
		"Usagef": 0, "console.Usagef": 0,
		"internal/cms/unpack refused": 1, "internal/cms/unpack t.refused": 1, "internal/cms/unpack bad": 0,
		". Errorf": 1, ". Words": 0, "parcel.Refused": 0, "internal/cms/parcel Refused": 0, "internal/cms/wordpress/parcel refused": 0, "internal/cms/php d.invalid": 0,
		"records.Single": 2, "internal/store/people missing": 1, "internal/store/people r.removed": 1, "internal/vault/archive w.problems.err": 0, "internal/vault/archive r.problems.err": 0,
	}
}

// passing are the functions that hand on the format of their caller, who is
// looked at instead, or a word that words says.
func passing() []string {
	return []string{
		"cmd/upkeep/console/exit.go", "internal/cms/unpack/unpack.go", "internal/cms/unpack/zipdir.go", "internal/cms/php/unserialize.go",
		"internal/cms/parcel/parcel.go", "internal/agent/guard.go", "internal/intervention/steps.go", "internal/intervention/search.go",
		"internal/agent/database/schema/describe.go",
	}
}

// words are what is said without a format of ours: why an agent acts alone,
// kinds of routines, the codes of checks and what the system says.
func words() []string {
	return append(strings.Fields("silence deadline recovered procedure function version schema active page log package_content bootstrap dropped leftover rows apply"),
		"no such file or directory", "file does not exist", "permission denied", "operation not permitted", "connection refused",
		"connection reset by peer", "broken pipe", "no space left on device", "disk quota exceeded", "read-only file system", "not a directory",
		"is a directory", "directory not empty", "file exists", "no route to host", "network is unreachable", "too many open files",
		"cannot allocate memory", "input/output error", "invalid argument", "address already in use", "i/o timeout", "connection timed out",
		"context canceled", "context deadline exceeded", "EOF", "unexpected EOF", "executable file not found in $PATH")
}

var (
	verb     = regexp.MustCompile(`%[-+# 0]*\d*(\.\d+)?[a-zA-Z]`)
	position = regexp.MustCompile(`%\[(\d)\]s`)
)

// TestErrorsAreSaidInFrench: every error and hint that people can read has a
// French entry under its English format, which takes the same arguments, and
// every entry is used. Fixtures and the tools of the tree speak to us alone.
func TestErrorsAreSaidInFrench(t *testing.T) {
	raw, err := os.ReadFile("internal/catalogue/fr/errors.json")
	if err != nil {
		t.Fatal(err)
	}
	var french map[string]string
	if err := json.Unmarshal(raw, &french); err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, word := range words() {
		used[word] = true
		if french[word] == "" {
			t.Errorf("%q has no entry in fr/errors.json", word)
		}
	}
	fset, all := sources(t)
	for i := range all {
		s := &all[i]
		if strings.HasSuffix(s.path, "_test.go") || within(s.dir, "tools", "internal/upkeeptest", "internal/demo/fixtures") {
			continue
		}
		for _, said := range said(fset, s) {
			format, at := said.format, s.path+":"+strconv.Itoa(said.line)
			used[format] = true
			switch translation, ok := french[format]; {
			case said.unknown && !slices.Contains(passing(), s.path) && s.dir != ".":
				t.Errorf("%s: the format is no literal: nobody can translate it; pass it as an argument", at)
			case said.unknown || !wordy(format):
			case !ok:
				t.Errorf("%s: %q has no entry in internal/catalogue/fr/errors.json", at, format)
			case !fits(format, translation):
				t.Errorf("%s: %q and %q take different arguments", at, format, translation)
			}
		}
	}
	for format := range french {
		if !used[format] {
			t.Errorf("fr/errors.json: %q is said nowhere any more", format)
		}
	}
}

// wordy reports whether a format has words, or a colon, to translate.
func wordy(format string) bool {
	return strings.ContainsFunc(verb.ReplaceAllString(format, ""), func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == ':' || r == ';'
	})
}

// fits reports whether a translation names each argument of the format.
func fits(format, translation string) bool {
	named := map[string]bool{}
	for _, m := range position.FindAllStringSubmatch(translation, -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil || n < 1 || n > len(verb.FindAllString(format, -1)) {
			return false
		}
		named[m[1]] = true
	}
	return len(named) == len(verb.FindAllString(format, -1)) && !strings.Contains(position.ReplaceAllString(translation, ""), "%")
}

// saying is a format, or phrase, in the sources.
type saying struct {
	format  string
	line    int
	unknown bool // no literal
}

// said returns the formats of a file.
func said(fset *token.FileSet, s *source) []saying {
	var found []saying
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CompositeLit: // a map of phrases
			if m, ok := n.Type.(*ast.MapType); ok && called(m.Value) == "upkeep.Phrase" {
				for _, e := range n.Elts {
					if pair, ok := e.(*ast.KeyValueExpr); ok {
						found = append(found, sayingOf(fset, pair.Value))
					}
				}
			}
		case *ast.CallExpr:
			name := called(n.Fun)
			if strings.HasSuffix(name, ".WithHint") || name == ".WithHint" {
				name = "WithHint"
			}
			at, ok := carriers()[name]
			if !ok {
				at, ok = carriers()[s.dir+" "+name]
			}
			if ok && len(n.Args) > at {
				found = append(found, sayingOf(fset, n.Args[at]))
			}
		}
		return true
	})
	return found
}

func sayingOf(fset *token.FileSet, e ast.Expr) saying {
	line := fset.Position(e.Pos()).Line
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return saying{line: line, unknown: true}
	}
	format, err := strconv.Unquote(lit.Value)
	return saying{format: format, line: line, unknown: err != nil}
}

// called is the dotted name of what is called, ".name" after a call.
func called(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return called(e.X) + "." + e.Sel.Name
	}
	return ""
}
