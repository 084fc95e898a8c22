package project

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"upkeep"
)

// Tree is an unpacked release of Drupal, vendor included, with what is changed
// in core.
type Tree struct {
	Dir    string
	Change map[string]string // text by path below the root; "" for a file that goes
}

// repository is what Composer is told of packages.
type repository struct {
	dir      string
	Packages map[string]map[string]map[string]any `json:"packages"` // by name and version
}

// Repository writes a repository for Composer: every package that the trees
// consist of, and modules. No Composer needs the network for it.
func Repository(dir string, trees []Tree, modules []Release) (err error) {
	defer upkeep.Wrap(&err, "repository in %s", dir)
	r := &repository{dir: dir, Packages: map[string]map[string]map[string]any{}}
	for _, tree := range trees {
		if err := r.addTree(tree); err != nil {
			return err
		}
	}
	for _, module := range modules {
		if err := r.addModule(module); err != nil {
			return err
		}
	}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "packages.json"), text, 0o644)
}

func (r *repository) addTree(tree Tree) error {
	text, err := os.ReadFile(filepath.Join(tree.Dir, "vendor/composer/installed.json"))
	if err != nil {
		return err
	}
	var list struct{ Packages []map[string]any }
	if err := json.Unmarshal(text, &list); err != nil {
		return err
	}
	for _, p := range list.Packages {
		at, _ := p["install-path"].(string)
		var files map[string]string
		if p["name"] == "drupal/core" {
			files = map[string]string{}
			for name, text := range tree.Change {
				files[strings.TrimPrefix(name, "core/")] = text
			}
		}
		dir := ""
		if at != "" {
			dir = filepath.Join(tree.Dir, "vendor/composer", at)
		}
		if err := r.add(p, dir, files); err != nil {
			return err
		}
	}
	return nil
}

func (r *repository) addModule(module Release) error {
	return r.add(map[string]any{
		"name": "drupal/" + module.Module, "version": string(module.Version), "type": "drupal-module", "require": map[string]string{"drupal/core": ">=8"},
	}, "", module.files())
}

// add notes a package and packs it: a folder, and files in the place of its own.
func (r *repository) add(p map[string]any, dir string, files map[string]string) error {
	name, version := p["name"].(string), p["version"].(string)
	if r.Packages[name] == nil {
		r.Packages[name] = map[string]map[string]any{}
	}
	if r.Packages[name][version] != nil {
		return nil
	}
	for _, key := range []string{"install-path", "installation-source", "source", "dist", "notification-url"} {
		delete(p, key)
	}
	r.Packages[name][version] = p
	if dir == "" && files == nil {
		return nil // one that only names others
	}
	file := filepath.Join(r.dir, strings.ReplaceAll(name, "/", "-")+"-"+version+".zip")
	p["dist"] = map[string]string{"type": "zip", "url": "file://" + file, "reference": name + " " + version}
	return zipped(file, dir, files)
}

// zipped packs a folder, with files in the place of its own, into one folder.
func zipped(file, dir string, files map[string]string) (err error) {
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	w := zip.NewWriter(out)
	put := func(name string, text []byte, mode fs.FileMode) error {
		head := &zip.FileHeader{Name: "package/" + name, Method: zip.Store, Modified: packed}
		head.SetMode(mode)
		member, err := w.CreateHeader(head)
		if err != nil {
			return err
		}
		_, err = member.Write(text)
		return err
	}
	if dir != "" {
		err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return err
			}
			name, err := filepath.Rel(dir, path)
			if _, replaced := files[name]; err != nil || replaced {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			return put(name, text, info.Mode().Perm())
		})
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err == nil && files[name] != "" {
			err = put(name, []byte(files[name]), 0o644)
		}
	}
	return errors.Join(err, w.Close())
}

// Compose makes a project in dir from a repository, with Drupal in web, as
// drupal/recommended-project does: what is asked for at those versions, though
// the project takes newer ones.
func Compose(ctx context.Context, dir, repository string, versions map[string]upkeep.Version) (err error) {
	defer upkeep.Wrap(&err, "compose %s", dir)
	require := map[string]string{"composer/installers": ">=1.9"}
	arguments := []string{"update", "--no-dev", "--no-interaction", "--no-progress", "--no-audit"}
	for _, name := range slices.Sorted(maps.Keys(versions)) {
		major, _, _ := strings.Cut(string(versions[name]), ".")
		require[name] = "^" + major
		arguments = append(arguments, "--with", name+":"+string(versions[name]))
	}
	paths := map[string][]string{"web/core": {"type:drupal-core"}}
	for _, kind := range []string{"module", "theme", "profile"} {
		paths["web/"+kind+"s/contrib/{$name}"] = []string{"type:drupal-" + kind}
	}
	php := "8.1.0" // some of Drupal 9 name no newer one, and run on it
	if major, _, _ := strings.Cut(string(versions["drupal/core-recommended"]), "."); major >= "11" && len(major) > 1 {
		php = "8.3.0"
	}
	text, err := json.MarshalIndent(map[string]any{
		"name": "drupal/recommended-project", "type": "project", "require": require, "minimum-stability": "stable",
		"repositories": []any{map[string]string{"type": "composer", "url": "file://" + repository}, map[string]bool{"packagist.org": false}},
		"config": map[string]any{"allow-plugins": map[string]bool{"composer/installers": true, "drupal/core-composer-scaffold": true}, "sort-packages": true,
			"platform": map[string]string{"php": php}},
		"extra":   map[string]any{"drupal-scaffold": map[string]any{"locations": map[string]string{"web-root": "web/"}}, "installer-paths": paths},
		"scripts": map[string]string{"post-install-cmd": "touch script-of-the-project-ran"},
	}, "", "    ")
	if err != nil {
		return err
	}
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "composer.json"), append(text, '\n'), 0o644)); err != nil {
		return err
	}
	home, err := os.MkdirTemp("", "composer-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(home)
	cmd := exec.CommandContext(ctx, "composer", append(arguments, "--no-scripts")...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + home, "COMPOSER_HOME=" + home, "COMPOSER_ALLOW_SUPERUSER=1", "COMPOSER_ROOT_VERSION=1.0.0"}
	if out, err := cmd.CombinedOutput(); err != nil {
		return upkeep.Errorf(upkeep.CodeUnreachable, "composer: %w: %s", err, out[max(0, len(out)-2000):])
	}
	return nil
}
