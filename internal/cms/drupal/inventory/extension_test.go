package inventory

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var anywhere = regexp.MustCompile(`(?mi)^\s*function\s+([a-z0-9_]+)_update_(\d{1,9})\s*\(`)

// slowly finds the highest update by searching the whole text.
func slowly(text []byte, machine string) (highest int) {
	for _, match := range anywhere.FindAllSubmatch(text, -1) {
		if n, err := strconv.Atoi(string(match[2])); err == nil && strings.EqualFold(string(match[1]), machine) {
			highest = max(highest, n)
		}
	}
	return highest
}

func TestHighestUpdate(t *testing.T) {
	for text, want := range map[string]int{
		"<?php\nfunction thing_update_7001() {}\n  FUNCTION Thing_Update_7003 (&$sandbox) {}\nfunction thing_update_7002() {}": 7003,
		"function\n  thing_update_7\n(": 7,
		"// function thing_update_9(\n * function thing_update_8()\nfunction other_update_7() {}": 0,
		"function thing_update_dependencies() {}\nfunction thing_update_12x() {}\nfunction":       0,
		"": 0,
	} {
		if got := highestUpdate([]byte(text), "thing"); got != want || slowly([]byte(text), "thing") != want {
			t.Errorf("%d, want %d: %s", got, want, text)
		}
	}
	tree := os.Getenv("UPKEEP_TEST_DRUPAL7_OLD")
	if tree == "" {
		return
	}
	found := 0
	err := filepath.WalkDir(tree, func(path string, entry fs.DirEntry, err error) error {
		machine, ok := strings.CutSuffix(entry.Name(), ".install")
		if err != nil || !ok {
			return err
		}
		text, err := os.ReadFile(path)
		got := highestUpdate(text, machine)
		if want := slowly(text, machine); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
		if got > 0 {
			found++
		}
		return err
	})
	if err != nil || found < 10 {
		t.Errorf("%d have updates: %v", found, err)
	}
}
