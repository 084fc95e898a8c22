package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upkeep"
)

// TestSettingsAreRefusedInWords: each mistake is named by the setting, with
// what is wanted, in one line and without names of the program.
func TestSettingsAreRefusedInWords(t *testing.T) {
	for text, want := range map[string]string{
		`{bad`:                              "no JSON at byte 2",
		`[]`:                                "want an object in braces, got array",
		`{"wordpres": {}}`:                  `unknown field "wordpres"`,
		`{"silence": 5}`:                    "silence: number does not fit",
		`{"silence": "soon"}`:               `invalid duration "soon"`,
		`{"silence": "10ms"}`:               "silence 10ms: want at least 1s",
		`{"feed_age": "-1s"}`:               "feed_age -1s: want 0s or more",
		`{"vault": "backups"}`:              `vault "backups": want an absolute folder`,
		`{"agents": ""}`:                    `agents "": want an absolute folder`,
		`{"wordpress": {"api": "mirror"}}`:  `wordpress.api "mirror": want http:// or https://`,
		`{"wordpress": {"api": ["x"]}}`:     "wordpress.api: array does not fit",
		`{"wordpress": {"downloads": "x"}}`: `wordpress.downloads "x": want http`,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := readSettings(dir)
		if upkeep.CodeOf(err) != upkeep.CodeInvalid || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "Go ") {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
