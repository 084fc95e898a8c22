package console_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	action    = regexp.MustCompile(`(?s)\{\{.*?\}\}`)
	tag       = regexp.MustCompile(`(?s)<[^>]*>`)
	attribute = regexp.MustCompile(`(?:title|alt|aria-label|placeholder)="([^"]*)"`)
	letters   = regexp.MustCompile(`\p{L}{2,}`)
	keyName   = regexp.MustCompile(`(?s)<kbd>.*?</kbd>|<!doctype html>`)
)

// TestTemplatesHoldNoText: what people read is in the catalogues.
func TestTemplatesHoldNoText(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".html" {
			return err
		}
		source, err := os.ReadFile(path)
		text := action.ReplaceAllString(string(source), "")
		for _, m := range attribute.FindAllStringSubmatch(text, -1) {
			if letters.MatchString(m[1]) {
				t.Errorf("%s: the attribute %s is not from the catalogues", path, m[0])
			}
		}
		text = tag.ReplaceAllString(keyName.ReplaceAllString(text, ""), "\n")
		for line := range strings.SplitSeq(text, "\n") {
			if letters.MatchString(line) {
				t.Errorf("%s: %q is not from the catalogues", path, strings.TrimSpace(line))
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
