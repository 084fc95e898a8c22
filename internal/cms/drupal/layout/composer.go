package layout

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/area"
	"upkeep/internal/cms/drupal/composer"
)

// ownPackages are what a release of Drupal is put together of by Composer.
var ownPackages = []string{
	"composer/installers", "drupal/core", "drupal/core-recommended", "drupal/core-composer-scaffold", "drupal/core-project-message",
	"drupal/core-vendor-hardening", "drupal/core-recipe-unpack", "drupal/drupal",
}

// projectFiles are those of a project above the root that it is built from.
var projectFiles = []string{"composer.json", "composer.lock", "patches", "patches.json", "patches.lock.json", "composer.patches.json"}

// findComposer finds the project that Composer put the site together from: in
// the folder above, or in the root itself. A release that was unpacked has a
// composer.json too, which names nothing but what a release is made of.
func (s *scene) findComposer() error {
	l := s.layout
	if dir := filepath.Join(s.root, "vendor"); isDir(dir) {
		l.Dirs[DirVendor] = dir
		managed, err := s.isProject()
		if err != nil || !managed {
			return err
		}
		return s.useComposer(s.root)
	}
	project := filepath.Dir(s.root)
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
	return s.useComposer(project)
}

// useComposer notes a project that Composer can bring up to date, or why it
// cannot.
func (s *scene) useComposer(project string) error {
	folder, err := s.host.Open(project)
	if err != nil {
		return err
	}
	defer folder.Close()
	why := composer.Unfit(folder)
	command := commandOf()
	switch {
	case why == nil && command == "":
		why = upkeep.Causef("no composer on this host: apt-get install composer")
	case why == nil && device(project) != device(s.root):
		why = upkeep.Causef("%s is on another file system than %s", s.root, project)
	}
	if why != nil {
		s.find(upkeep.Finding{Code: "composer_unfit", Paths: []string{filepath.Join(project, "composer.json")}, Blocks: true}.Because(why))
		return nil
	}
	s.layout.Dirs[DirProject], s.layout.Options[OptionComposer] = project, command
	return s.addPackages(folder)
}

// addPackages adds to the project's area what Composer put neither into vendor
// nor into the root.
func (s *scene) addPackages(folder *os.Root) error {
	at := slices.IndexFunc(s.layout.Areas, func(area cms.Area) bool { return area.Name == "project" })
	if at < 0 {
		return nil // the root is the project
	}
	have, _, err := composer.ReadInstalled(folder)
	if err != nil {
		return err
	}
	only := s.layout.Areas[at].Only
	for _, p := range have {
		top, _, _ := strings.Cut(p.Dir(), "/")
		if top != "" && top != "vendor" && top != filepath.Base(s.root) {
			only = append(only, top)
		}
	}
	slices.Sort(only)
	s.layout.Areas[at].Only = slices.Compact(only)
	return nil
}

// commandOf is the Composer of this host, "" when there is none.
func commandOf() string {
	for _, dir := range []string{"/usr/local/bin", "/usr/bin", "/opt/composer/bin"} {
		for _, name := range []string{"composer", "composer.phar"} {
			file := filepath.Join(dir, name)
			if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
				return file
			}
		}
	}
	return ""
}

func device(dir string) uint64 {
	var st unix.Stat_t
	if unix.Stat(dir, &st) != nil {
		return 0
	}
	return st.Dev
}

// isProject reports whether the composer.json of the root asks for more than a
// release is made of.
func (s *scene) isProject() (bool, error) {
	text, err := s.read(filepath.Join(s.root, "composer.json"))
	if err != nil || text == nil {
		return false, err
	}
	var says struct {
		Require map[string]string `json:"require"`
	}
	if err := json.Unmarshal(text, &says); err != nil {
		return false, upkeep.Errorf(upkeep.CodeInvalid, "composer.json does not read: %w", err)
	}
	for name := range says.Require {
		if strings.Contains(name, "/") && !slices.Contains(ownPackages, name) { // php and its extensions are no packages
			return true, nil
		}
	}
	return false, nil
}

func isDir(dir string) bool {
	info, err := os.Stat(dir)
	return err == nil && info.IsDir()
}
