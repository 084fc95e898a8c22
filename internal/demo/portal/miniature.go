package portal

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
// keeps its records, takes extensions and finishes its updates as Joomla does,
// with its installer. What goes well there says nothing of Joomla's own code.
func Miniature(dir, version string) error {
	parts := strings.Split(version, ".")
	fill := strings.NewReplacer("= MAJOR;", "= "+parts[0]+";", "= MINOR;", "= "+parts[1]+";", "= PATCH;", "= "+parts[2]+";",
		"{{version}}", version, "LEVEL", strings.ReplaceAll(version, ".", ""))
	return fs.WalkDir(miniature, "miniature", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(miniature, name)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, strings.TrimPrefix(name, "miniature/"))
		if filepath.Base(to) == "schema.sql" {
			to = filepath.Join(filepath.Dir(to), version+"-2025-01-01.sql")
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return os.WriteFile(to, []byte(fill.Replace(string(text))), 0o644)
	})
}
