package process

import (
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"upkeep/internal/cms"
)

// What depends on the interpreter alone is asked once, until that is another.
func TestFixedScriptsAreAskedOnce(t *testing.T) {
	php, err := exec.LookPath("php")
	if err != nil {
		t.Skip("no php")
	}
	dir := t.TempDir()
	wrapper, memory := filepath.Join(dir, "php"), filepath.Join(dir, "memory")
	write := func(comment string) {
		t.Helper()
		if err := os.WriteFile(wrapper, []byte("#!/bin/sh\n# "+comment+"\nexec "+php+" \"$@\"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(p *Interpreter, script cms.Script) string {
		t.Helper()
		var answer string
		if err := p.Run(t.Context(), script, struct{}{}, &answer); err != nil {
			t.Fatal(err)
		}
		return answer
	}
	start := func() *Interpreter {
		return &Interpreter{Path: wrapper, Memory: memory, Log: slog.New(slog.DiscardHandler)}
	}
	script := cms.Script{Name: "fixed", Dir: dir, Fixed: true, Source: `<?php file_put_contents('php://fd/4', json_encode(uniqid('', true)));`}
	write("one")
	p := start()
	first := ask(p, script)
	if again, later := ask(p, script), ask(start(), script); again != first || later != first {
		t.Errorf("said %q, then %q, and %q in a later process", first, again, later)
	}
	other := script
	if other.Fixed = false; ask(p, other) == first {
		t.Error("a script that may say something else was not asked")
	}
	write("another one")
	if ask(p, script) == first {
		t.Error("another interpreter was not asked")
	}
	if err := os.WriteFile(memory, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	ask(start(), script)
}
