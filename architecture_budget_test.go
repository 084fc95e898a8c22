package upkeep_test

import (
	"go/ast"
	"slices"
	"testing"
)

// The budgets. Those with two figures hold for 95 of 100 and for all.
const (
	functionLines, functionHard = 58, 95
	nestingDepth                = 3
	fileLines, fileHard         = 480, 700
	packageLines                = 2100
	parameters                  = 5
	interfaceMethods            = 5
)

// larger are the packages, functions and interfaces that may pass their budget, how far,
// and why. A figure here may only go down.
func larger() map[string]struct {
	limit int
	why   string
} {
	return map[string]struct {
		limit int
		why   string
	}{
		"internal/cms Driver":              {9, "one answer for each step of the transaction; a driver is one thing"},
		"cmd/upkeep runSiteInventory":      {6, "commands run as run(ctx, env, client, arguments, options, format)"},
		"internal/cms/wordpress/visit Run": {6, "a script's name and text go together with who runs it where"},
		"internal/agent":                   {3745, "the transaction on the host is one state, whose steps must see each other"},
		"internal/vault":                   {2850, "one published format: its packs, index, locks and pruning share the repository's state"},
	}
}

// allowed returns a thing's limit: its own, or the budget.
func allowed(name string, budget int) int {
	if own, ok := larger()[name]; ok {
		return own.limit
	}
	return budget
}

func TestFunctionBudgets(t *testing.T) {
	fset, all := sources(t)
	var lengths, depths []int
	for _, s := range all {
		for _, decl := range s.file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			length := fset.Position(fn.End()).Line - fset.Position(fn.Pos()).Line + 1
			lengths, depths = append(lengths, length), append(depths, depth(fn.Body))
			if length > functionHard {
				t.Errorf("%s: %s has %d lines, at most %d: give its steps names", fset.Position(fn.Pos()), fn.Name.Name, length, functionHard)
			}
			limit := allowed(s.dir+" "+fn.Name.Name, parameters)
			if n := fn.Type.Params.NumFields(); n > limit {
				t.Errorf("%s: %s takes %d parameters, at most %d: pass a struct", fset.Position(fn.Pos()), fn.Name.Name, n, limit)
			}
		}
	}
	if got := percentile(lengths, 95); got > functionLines {
		t.Errorf("one function in twenty has over %d lines (p95 is %d): split the longest", functionLines, got)
	}
	if got := percentile(depths, 95); got > nestingDepth {
		t.Errorf("one function in twenty nests deeper than %d (p95 is %d): return early, name the inner part", nestingDepth, got)
	}
}

func TestFileAndPackageBudgets(t *testing.T) {
	_, all := sources(t)
	var lengths []int
	packages := make(map[string]int)
	for _, s := range all {
		lengths = append(lengths, s.lines)
		packages[s.dir] += s.lines
		if s.lines > fileHard {
			t.Errorf("%s has %d lines, at most %d: split it by what it speaks of", s.path, s.lines, fileHard)
		}
	}
	if got := percentile(lengths, 95); got > fileLines {
		t.Errorf("one file in twenty has over %d lines (p95 is %d): split the longest", fileLines, got)
	}
	for dir, lines := range packages {
		if limit := allowed(dir, packageLines); lines > limit {
			t.Errorf("%s has %d lines, at most %d: find the part that could be a package of its own", dir, lines, limit)
		}
	}
}

func TestInterfacesAreSmall(t *testing.T) {
	fset, all := sources(t)
	for _, s := range all {
		ast.Inspect(s.file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			kind, ok := spec.Type.(*ast.InterfaceType)
			if !ok {
				return true
			}
			limit := allowed(s.dir+" "+spec.Name.Name, interfaceMethods)
			if methods := kind.Methods.NumFields(); methods > limit {
				t.Errorf("%s: interface %s has %d methods, at most %d: declare what each caller needs", fset.Position(spec.Pos()), spec.Name.Name, methods, limit)
			}
			return true
		})
	}
}

// depth returns how deep statements nest below a body: each block of an if,
// a loop or a case and each function literal is one.
func depth(body ast.Node) int {
	deepest := 0
	var stack []bool // whether the open node counts
	open := 0
	ast.Inspect(body, func(n ast.Node) bool {
		if n == nil {
			last := len(stack) - 1
			if stack[last] {
				open--
			}
			stack = stack[:last]
			return true
		}
		counts := false
		switch n.(type) {
		case *ast.BlockStmt, *ast.CaseClause, *ast.CommClause:
			counts = n != body && !isSwitchBody(n)
		}
		if counts {
			open++
			deepest = max(deepest, open)
		}
		stack = append(stack, counts)
		return true
	})
	return deepest
}

// isSwitchBody reports whether a block only holds the cases of a switch or
// select, which count themselves.
func isSwitchBody(n ast.Node) bool {
	block, ok := n.(*ast.BlockStmt)
	if !ok || len(block.List) == 0 {
		return false
	}
	switch block.List[0].(type) {
	case *ast.CaseClause, *ast.CommClause:
		return true
	}
	return false
}

// percentile returns the value that p of 100 do not exceed.
func percentile(values []int, p int) int {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[(len(values)-1)*p/100]
}
