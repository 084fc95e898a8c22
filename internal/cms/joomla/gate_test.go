package joomla_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The gate at the command line: who is there is let in, with the owner's own
// file, and what a clock starts is not.
func TestGateAtTheCommandLine(t *testing.T) {
	if _, err := exec.LookPath("php"); err != nil {
		t.Skip("no php")
	}
	p := newPortal(t, map[string]string{"defines.php": "<?php define('OWNERS_OWN', 1);", "cli/update_cron.php": "<?php require dirname(__DIR__) . '/defines.php'; echo 'in';",
		"cli/joomla.php": "<?php require dirname(__DIR__) . '/defines.php'; echo defined('OWNERS_OWN') ? 'in' : 'without';",
		"cli/ours.php":   "<?php define('UPKEEP_AT_WORK', 1); require dirname(__DIR__) . '/defines.php'; echo 'in';"})
	gate, err := p.driver.Gate(t.Context(), p, p.detect(), strings.Repeat("t", 40))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range gate.Files {
		if err := os.WriteFile(file.Path, file.Content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for line, want := range map[string]string{
		"joomla.php extension:list": "in", "joomla.php core:check-updates": "in", "ours.php": "in",
		"joomla.php scheduler:run --all": "", "update_cron.php": "",
	} {
		args := strings.Fields(line)
		cmd := exec.CommandContext(t.Context(), "php", append([]string{filepath.Join(p.root, "cli", args[0])}, args[1:]...)...)
		out, err := cmd.Output()
		if string(out) != want || (want == "") != (cmd.ProcessState.ExitCode() == 75) {
			t.Errorf("%s: %q, %v", line, out, err)
		}
	}
}
