package project

import (
	"embed"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

//go:embed all:miniature
var miniature embed.FS

// Miniature writes a release of a small program of our own into dir: one that
// keeps its records, takes modules and updates its tables as Drupal 7 does, with
// its installer. What goes well there says nothing of Drupal's own code.
func Miniature(dir, version string) error {
	return fs.WalkDir(miniature, "miniature", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(miniature, name)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, strings.TrimPrefix(name, "miniature/"))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return os.WriteFile(to, []byte(strings.ReplaceAll(string(text), "{{version}}", version)), 0o644)
	})
}
