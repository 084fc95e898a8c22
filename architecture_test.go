package upkeep_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// source is one file of ours that is not a test.
type source struct {
	path  string // "internal/agent/host.go"
	dir   string // "internal/agent", "." for the root
	lines int
	file  *ast.File
}

// sources parses every file of the tree but tests.
func sources(t *testing.T) (*token.FileSet, []source) {
	t.Helper()
	fset := token.NewFileSet()
	var all []source
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() && path != "." && (strings.HasPrefix(name, ".") || slices.Contains([]string{"testdata", "bin", "dist", "demo"}, path)) {
			return fs.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(fset, path, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		all = append(all, source{path, filepath.Dir(path), strings.Count(string(text), "\n"), file})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return fset, all
}

// imports returns the paths a file imports.
func (s *source) imports() []string {
	var paths []string
	for _, spec := range s.file.Imports {
		paths = append(paths, strings.Trim(spec.Path.Value, `"`))
	}
	return paths
}

// within reports whether dir is one of the folders or below one.
func within(dir string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(folder string) bool { return dir == folder || strings.HasPrefix(dir, folder+"/") })
}

// siblings are the imports between our own packages that are allowed, beside
// the root's, which everyone may import, and those of cmd, which wires all.
func siblings() []struct{ from, to, why string } {
	return []struct{ from, to, why string }{
		{"internal", "person", "the vocabulary of people stands apart from the root's, for its size"},
		{"internal/people", "internal/people", "people's own parts"},
		{"internal/cms", "internal/cms", "drivers answer what cms asks, with its readers of PHP and archives and parts of their own"},
		{"internal/agent", "internal/cms", "the agent asks drivers, whichever they are"},
		{"internal/agent", "internal/agent", "the agent's own parts"},
		{"internal/agent", "internal/vault", "the host cuts and reads what the vault keeps"},
		{"internal/vault", "internal/vault", "archive writes trees into the vault; the parts of either"},
		{"internal/feed", "internal/feed", "publishers answer what feed asks"},
		{"internal/custody", "internal/agent", "custody is where the agent's and the vault's halves of a backup meet"},
		{"internal/custody", "internal/vault", "the same"},
		{"internal/custody", "internal/cms", "a site's layout travels between the two"},
		{"internal/custody", "internal/verify", "pages are looked at as part of proving a site"},
		{"internal/fleet", "internal/fleet", "the fleet's own parts"},
		{"internal/store", "internal/store", "the store's own parts"},
		{"internal/store", "internal/database", "records and queue are in databases of the same kinds"},
		{"internal/engine", "internal/database", "the same"},
		{"internal/store/standing", "internal/overview", "lists of all sites are read in these words"},
		{"internal/web", "internal/overview", "and shown in them"},
		{"internal/fleet", "internal/agent", "fleet puts together for the API what the parts know"},
		{"internal/fleet", "internal/custody", "the same"},
		{"internal/fleet", "internal/ledger", "the same"},
		{"internal/fleet", "internal/resolve", "the same"},
		{"internal/fleet", "internal/schedule", "the same"},
		{"internal/fleet", "internal/web", "fleet states which of web's interfaces it answers"},
		{"internal/web", "internal/web", "the API's own parts"},
		{"internal/web/console", "internal/catalogue", "pages are in the language of whoever reads them"},
		{"internal/web/console", "internal/terminal", "what is said to a terminal of reasons, events and checks, pages say in the same words"},
		{"internal/demo", "internal/demo", "the demo's own parts"},
		{"internal/demo", "internal/terminal", "the tour shows what it does"},
		{"internal/demo", "internal/cms", "a demo site says how its database is reached, in cms's words"},
		{"internal/upkeeptest", "internal", "tests may use anything"},
		{"tools", "internal/demo", "setup fetches what the demo installs"},
	}
}

func TestImportsFollowTheDesign(t *testing.T) {
	_, all := sources(t)
	for _, s := range all {
		for _, path := range s.imports() {
			own, ok := strings.CutPrefix(path, "upkeep/")
			switch {
			case s.dir == "." && strings.Contains(strings.Split(path, "/")[0], "."):
				t.Errorf("%s imports %s: the vocabulary imports the standard library only; move the code that needs it below internal", s.path, path)
			case !ok || within(s.dir, "cmd"):
			case within(own, "internal/upkeeptest"):
				t.Errorf("%s imports %s: that is for tests; move what it needs out of it", s.path, path)
			case !slices.ContainsFunc(siblings(), func(a struct{ from, to, why string }) bool { return within(s.dir, a.from) && within(own, a.to) }):
				t.Errorf("%s imports %s: packages do not know their siblings; declare a small interface where it is called and wire it in cmd/upkeep, or add a line with the reason to siblings in this test", s.path, path)
			}
		}
	}
}

// confined are packages of others that only some of ours may import.
func confined() map[string][]string {
	return map[string][]string{
		"os/exec":                        {"internal/agent", "internal/ssh", "internal/demo", "internal/upkeeptest", "tools"},                                                        // ssh asks ssh what its configuration says
		"database/sql":                   {"internal/database", "internal/store", "internal/agent", "internal/engine"},                                                               // engine lends its connections to River
		"net/http":                       {"cmd", "internal/web", "internal/feed", "internal/verify", "internal/demo", "internal/upkeeptest", "internal/agent", "internal/vault/s3"}, // the agent's protocol is HTTP over its own pipe
		"flag":                           {"cmd"},
		"github.com/spf13/cobra":         {"cmd"},
		"golang.org/x/crypto/ssh":        {"internal/ssh"},
		"github.com/pkg/sftp":            {"internal/vault/sftp"},
		"github.com/minio/minio-go":      {"internal/vault/s3"},
		"github.com/hashicorp/yamux":     {"internal/agent/post"},
		"github.com/riverqueue/river":    {"internal/engine"},
		"github.com/go-sql-driver/mysql": {"internal/agent"},
		"github.com/jackc/pgx":           {"internal/database", "internal/agent"},
		"modernc.org/sqlite":             {"internal/database", "internal/agent"},
		"testing":                        {"internal/upkeeptest"},
	}
}

func TestPowersAreConfined(t *testing.T) {
	fset, all := sources(t)
	for _, s := range all {
		for _, path := range s.imports() {
			for power, dirs := range confined() {
				if (path == power || strings.HasPrefix(path, power+"/")) && !within(s.dir, dirs...) {
					t.Errorf("%s imports %s: only %s may; ask one of them through an interface", s.path, path, strings.Join(dirs, ", "))
				}
			}
		}
		if within(s.dir, "cmd", "tools", "internal/upkeeptest") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := call.X.(*ast.Ident)
			if !ok || pkg.Name != "os" || !slices.Contains([]string{"Exit", "Getenv", "LookupEnv", "Environ", "Setenv", "Args"}, call.Sel.Name) {
				return true
			}
			at := fset.Position(call.Pos())
			if !slices.Contains(environment(), s.path+" "+call.Sel.Name) {
				t.Errorf("%s uses os.%s: only cmd sees flags, environment and exit; pass the value in a Config", at, call.Sel.Name)
			}
			return true
		})
	}
}

// environment are the places outside cmd that read the environment for no
// other reason than to pass it on to a program that they start.
func environment() []string {
	return []string{"internal/agent/post/start.go Getenv", "internal/demo/mariadb.go Environ"}
}

// dialling are the packages that open connections by themselves, and whereto.
func dialling() map[string]string {
	return map[string]string{
		"internal/ssh":      "hosts",
		"internal/verify":   "where a site is, for others that its code serves by another name",
		"internal/agent":    "the site's database, agents",
		"internal/web":      "the API",
		"internal/feed":     "publishers",
		"internal/demo":     "its own servers",
		"internal/vault/s3": "the vault's storage",
	}
}

func TestFewDial(t *testing.T) {
	fset, all := sources(t)
	for _, s := range all {
		if within(s.dir, slices.Collect(maps.Keys(dialling()))...) || within(s.dir, "internal/upkeeptest") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := sel.X.(*ast.Ident)
			if ok && (pkg.Name == "net" || pkg.Name == "tls") && strings.HasPrefix(sel.Sel.Name, "Dial") {
				t.Errorf("%s uses %s.%s: only %v connect; ask one of them through an interface", fset.Position(n.Pos()), pkg.Name, sel.Sel.Name, dialling())
			}
			return true
		})
	}
}

func TestNamesSayWhatPackagesHold(t *testing.T) {
	_, all := sources(t)
	documented := make(map[string]bool)
	for _, s := range all {
		name := s.file.Name.Name
		if slices.Contains([]string{"util", "utils", "common", "helper", "helpers", "misc", "shared", "base", "core", "models", "types"}, name) {
			t.Errorf("%s: package %s: name it after what it does", s.path, name)
		}
		if doc := s.file.Doc.Text(); doc != "" {
			documented[s.dir] = true
			want := "Package " + name + " "
			if name == "main" {
				want = "Command " + filepath.Base(s.dir) + " "
			}
			if !strings.HasPrefix(doc, want) && len(doc) > 0 {
				t.Errorf("%s: the package comment begins %q, not %q", s.path, strings.SplitN(doc, "\n", 2)[0], want)
			}
		} else if _, ok := documented[s.dir]; !ok {
			documented[s.dir] = false
		}
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("%s has no package comment: say in one to three sentences what it does", dir)
		}
	}
}

func TestExportedNamesAreDocumented(t *testing.T) {
	fset, all := sources(t)
	for _, s := range all {
		if s.file.Name.Name == "main" {
			continue
		}
		for _, decl := range s.file.Decls {
			for _, name := range undocumented(decl) {
				t.Errorf("%s: %s has no doc comment that begins with its name: give what it takes, returns and which errors", fset.Position(name.Pos()), name.Name)
			}
		}
	}
}

// undocumented returns the exported names of a declaration whose comment is
// missing or does not begin with the name. A group's comment serves its
// constants and variables.
func undocumented(decl ast.Decl) []*ast.Ident {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && exportedReceiver(d) && !begins(d.Doc, d.Name.Name) {
			return []*ast.Ident{d.Name}
		}
	case *ast.GenDecl:
		var names []*ast.Ident
		for _, spec := range d.Specs {
			switch sp := spec.(type) {
			case *ast.TypeSpec:
				if sp.Name.IsExported() && !begins(sp.Doc, sp.Name.Name) && !begins(d.Doc, sp.Name.Name) {
					names = append(names, sp.Name)
				}
			case *ast.ValueSpec:
				if sp.Names[0].IsExported() && d.Doc == nil && sp.Doc == nil && sp.Comment == nil {
					names = append(names, sp.Names[0])
				}
			}
		}
		return names
	}
	return nil
}

func begins(doc *ast.CommentGroup, name string) bool {
	text := doc.Text()
	for _, article := range []string{"", "A ", "An ", "The "} {
		if rest, ok := strings.CutPrefix(text, article+name); ok && (rest == "" || !isWord(rest[0])) {
			return true
		}
	}
	return false
}

func isWord(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	kind := d.Recv.List[0].Type
	for {
		switch k := kind.(type) {
		case *ast.StarExpr:
			kind = k.X
		case *ast.IndexExpr:
			kind = k.X
		case *ast.Ident:
			return k.IsExported()
		default:
			return false
		}
	}
}

// TestNoHiddenState holds that nothing runs before main and that package
// variables are what they were declared as: sentinels, tables, compiled
// expressions, embedded files. None is assigned, none can be changed through
// a method that locks or stores.
func TestNoHiddenState(t *testing.T) {
	fset, all := sources(t)
	variables := make(map[string]bool) // "dir name"
	for _, s := range all {
		for _, decl := range s.file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.Name == "init" {
					t.Errorf("%s: init runs unasked; call it from where it is needed", fset.Position(d.Pos()))
				}
			case *ast.GenDecl:
				if d.Tok == token.VAR {
					checkVariables(t, fset, s.dir, d, variables)
				}
			}
		}
	}
	for _, s := range all {
		ast.Inspect(s.file, func(n ast.Node) bool {
			if fn, ok := n.(*ast.FuncDecl); ok && fn.Body != nil {
				checkAssignments(t, fset, s.dir, fn, variables)
				return false
			}
			return true
		})
	}
}

func checkVariables(t *testing.T, fset *token.FileSet, dir string, d *ast.GenDecl, variables map[string]bool) {
	t.Helper()
	embedded := strings.Contains(commentText(d.Doc), "//go:embed")
	for _, spec := range d.Specs {
		v := spec.(*ast.ValueSpec)
		for _, name := range v.Names {
			if name.Name == "_" {
				continue
			}
			variables[dir+" "+name.Name] = true
			if len(v.Values) == 0 && !embedded && !strings.Contains(commentText(v.Doc), "//go:embed") {
				t.Errorf("%s: %s is declared without a value, so something must set it: make it a field", fset.Position(name.Pos()), name.Name)
			}
		}
	}
}

func commentText(doc *ast.CommentGroup) string {
	var b strings.Builder
	if doc != nil {
		for _, c := range doc.List {
			b.WriteString(c.Text + "\n")
		}
	}
	return b.String()
}

// checkAssignments reports statements of fn that assign to a package variable
// or to a part of one. A local name that hides the variable is not one.
func checkAssignments(t *testing.T, fset *token.FileSet, dir string, fn *ast.FuncDecl, variables map[string]bool) {
	t.Helper()
	local := localNames(fn)
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		var targets []ast.Expr
		switch st := n.(type) {
		case *ast.AssignStmt:
			if st.Tok != token.DEFINE {
				targets = st.Lhs
			}
		case *ast.IncDecStmt:
			targets = []ast.Expr{st.X}
		}
		for _, target := range targets {
			if name := rootName(target); variables[dir+" "+name] && !local[name] {
				t.Errorf("%s changes the package variable %s: make it a field", fset.Position(n.Pos()), name)
			}
		}
		return true
	})
}

func localNames(fn *ast.FuncDecl) map[string]bool {
	names := make(map[string]bool)
	ast.Inspect(fn, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.Field:
			for _, name := range x.Names {
				names[name.Name] = true
			}
		case *ast.AssignStmt:
			if x.Tok == token.DEFINE {
				for _, lhs := range x.Lhs {
					names[rootName(lhs)] = true
				}
			}
		case *ast.ValueSpec:
			for _, name := range x.Names {
				names[name.Name] = true
			}
		case *ast.RangeStmt:
			if x.Tok == token.DEFINE {
				names[rootName(x.Key)] = true
				names[rootName(x.Value)] = true
			}
		}
		return true
	})
	return names
}

// rootName returns the variable that an expression is a part of.
func rootName(e ast.Expr) string {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x.Name
		case *ast.IndexExpr:
			e = x.X
		case *ast.SelectorExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return fmt.Sprintf("%T", e)
		}
	}
}
