package layout

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/area"
)

// ownPackages are what a release of Drupal is put together of by Composer.
var ownPackages = []string{
	"drupal/core", "drupal/core-recommended", "drupal/core-composer-scaffold", "drupal/core-project-message",
	"drupal/core-vendor-hardening", "drupal/core-recipe-unpack", "drupal/drupal",
}

// projectFiles are those of a project above the root that it is built from.
var projectFiles = []string{"composer.json", "composer.lock", "patches", "patches.json", "composer.patches.json"}

// findComposer reports a site that Composer put together: what is not in its
// lock would be lost by its next run. A release that was unpacked has a
// composer.json too, which names nothing but Drupal. The project above the root
// is backed up with it.
func (s *scene) findComposer() error {
	l := s.layout
	if dir := filepath.Join(s.root, "vendor"); isDir(dir) {
		l.Dirs[DirVendor] = dir
		return s.readComposer()
	}
	project := filepath.Dir(s.root)
	s.find(upkeep.Finding{Code: "composer", Paths: []string{filepath.Join(project, "composer.json")}, Blocks: true})
	if dir := filepath.Join(project, "vendor"); isDir(dir) {
		area.Add(l, DirVendor, dir, s.root)
		l.Dirs[DirVendor] = dir
	}
	var only []string
	for _, name := range projectFiles {
		if _, err := os.Lstat(filepath.Join(project, name)); err == nil {
			only = append(only, name)
		}
	}
	if only != nil && !area.Covered(l, project) {
		slices.Sort(only)
		l.Areas = append(l.Areas, cms.Area{Name: "project", Dir: project, Only: only})
	}
	return nil
}

// readComposer looks at what the composer.json of the root asks for.
func (s *scene) readComposer() error {
	file := filepath.Join(s.root, "composer.json")
	text, err := s.read(file)
	if err != nil || text == nil {
		return err
	}
	var says struct {
		Require map[string]string `json:"require"`
	}
	if err := json.Unmarshal(text, &says); err != nil {
		return upkeep.Errorf(upkeep.CodeInvalid, "composer.json does not read: %w", err)
	}
	for name := range says.Require {
		if strings.HasPrefix(name, "drupal/") && !slices.Contains(ownPackages, name) {
			s.find(upkeep.Finding{Code: "composer", Paths: []string{file}, Blocks: true})
			break
		}
	}
	return nil
}

func isDir(dir string) bool {
	info, err := os.Stat(dir)
	return err == nil && info.IsDir()
}
