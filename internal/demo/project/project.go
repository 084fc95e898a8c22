// Package project makes sites and modules of Drupal, good and broken, and a
// small drupal.org that publishes them.
package project

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"embed"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"upkeep"
)

//go:embed php
var sources embed.FS

// The modules there are.
const (
	Tally  = "tally"  // keeps a table, whose updates add to it
	Ribbon = "ribbon" // does nothing
)

// Release is one release of a module.
type Release struct {
	Generation string         `json:"generation"` // "7" or "8"
	Module     string         `json:"module"`
	Version    upkeep.Version `json:"version"`
	Broken     bool           `json:"broken,omitempty"` // its update empties its table, then every page fails
}

// files returns the release's files by path below its own folder.
func (r Release) files() map[string]string {
	files := map[string]string{}
	root := path.Join("php", r.Generation, r.Module)
	replace := strings.NewReplacer("{{version}}", string(r.Version), "{{code}}", r.code(), "{{update7}}", r.update("db_update('tally')", "db_delete('tally')", "7101"),
		"{{update8}}", r.update("\\Drupal::database()->update('tally')", "\\Drupal::database()->delete('tally')", "8101"))
	err := fs.WalkDir(sources, root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(sources, name)
		files[strings.TrimPrefix(name, root+"/")] = replace.Replace(string(text))
		return err
	})
	if err != nil {
		panic("project: no " + r.Module) // a name that is not one of the constants
	}
	return files
}

func (r Release) code() string {
	if r.Broken {
		return "if (PHP_SAPI !== 'cli') { function_that_nobody_wrote(); }"
	}
	return ""
}

// update is the update of the database that comes with every release after
// 1.0.
func (r Release) update(change, empty, number string) string {
	if r.Version == "7.x-1.0" || r.Version == "1.0.0" {
		return ""
	}
	do := change + "->fields(array('weight' => 7))->execute();"
	if r.Broken {
		do = empty + "->execute();"
	}
	return "/**\n * Says again what was said.\n */\nfunction tally_update_" + number + "() {\n  " + do + "\n}\n"
}

// Installed returns the release's files below dir, by path.
func (r Release) Installed(dir string) map[string]string {
	files := map[string]string{}
	for name, text := range r.files() {
		files[path.Join(dir, r.Module, name)] = text
	}
	return files
}

// packed is the time that all packed files bear.
var packed = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// Package returns the release as drupal.org packs it.
func (r Release) Package() ([]byte, error) {
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	w := tar.NewWriter(zipped)
	files := r.files()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := member(w, r.Module+"/"+name, 0o644, []byte(files[name])); err != nil {
			return nil, err
		}
	}
	err := errors.Join(w.Close(), zipped.Close())
	return out.Bytes(), err
}

func member(w *tar.Writer, name string, mode int64, text []byte) error {
	head := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(text)), ModTime: packed}
	if err := w.WriteHeader(head); err != nil {
		return err
	}
	_, err := w.Write(text)
	return err
}

// Core writes a release of Drupal to file: tree as it is, with change made: a
// text in the place of a path, "" for a path that goes. Settings are left out.
func Core(file, tree string, version upkeep.Version, change map[string]string) (err error) {
	defer upkeep.Wrap(&err, "pack drupal %s", version)
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer out.Close()
	zipped, err := gzip.NewWriterLevel(out, gzip.BestSpeed)
	if err != nil {
		return err
	}
	w := tar.NewWriter(zipped)
	top := "drupal-" + string(version) + "/"
	err = filepath.WalkDir(tree, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(tree, path)
		if _, changed := change[name]; err != nil || changed || strings.HasPrefix(name, "sites/") && entry.Name() == "settings.php" {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return member(w, top+name, int64(info.Mode().Perm()), text)
	})
	for _, name := range slices.Sorted(maps.Keys(change)) {
		if err == nil && change[name] != "" {
			err = member(w, top+name, 0o644, []byte(change[name]))
		}
	}
	return errors.Join(err, w.Close(), zipped.Close())
}
