package area

import (
	"io/fs"
	"os"
	"path/filepath"
)

// Links follows links as filepath.EvalSymlinks does, for many paths that have
// folders in common: each folder is looked at once. The zero value is usable; it
// is for one moment, since links may change.
type Links struct{ known map[string]string }

// Resolve returns where path, absolute and clean, leads.
func (l *Links) Resolve(path string) (string, error) {
	if path == "/" {
		return path, nil
	}
	if target, known := l.known[path]; known {
		return target, nil
	}
	parent, err := l.Resolve(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	target := filepath.Join(parent, filepath.Base(path))
	info, err := os.Lstat(target)
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		target, err = filepath.EvalSymlinks(target)
	}
	if err != nil {
		return "", err
	}
	if l.known == nil {
		l.known = map[string]string{}
	}
	l.known[path] = target
	return target, nil
}
