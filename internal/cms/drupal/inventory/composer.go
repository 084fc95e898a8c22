package inventory

import (
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"upkeep"
	"upkeep/internal/cms/drupal/composer"
	"upkeep/internal/cms/drupal/info"
	"upkeep/internal/cms/drupal/layout"
	"upkeep/internal/cms/recall"
)

// composed is what Composer installed, and which of it the project wants
// patched.
type composed struct {
	composer.Packages
	patched map[string]json.RawMessage
	unknown []string // files below the project, or addresses, that may want more patched
}

// composer reads what Composer installed. Nothing where it did not read.
func (s *survey) composer() composed {
	var all composed
	vendor := s.layout.Dirs[layout.DirVendor]
	if vendor == "" {
		return all
	}
	project, err := s.host.Open(filepath.Dir(vendor))
	if err != nil {
		return all
	}
	defer project.Close()
	folder, err := recall.Within(project)
	if err != nil {
		return all
	}
	defer folder.Close()
	all.Packages, err = s.known.packages.Read(folder, composer.Installed, composer.MaxList, func(text []byte) (composer.Packages, error) {
		packages, _, err := composer.ParseInstalled(text)
		return packages, err
	})
	if err != nil {
		return all
	}
	all.patched, all.unknown = s.patches(folder)
	return all
}

// Files of composer-patches in a project.
const (
	usualPatches  = "patches.json"
	lockedPatches = "patches.lock.json"
)

// patches are by package those that a project wants made: composer-patches takes
// them from the project itself, from a file that it names or one of the usual name,
// and writes down what it resolved. What could not be read may concern any package.
func (s *survey) patches(project *recall.Folder) (wanted map[string]json.RawMessage, unknown []string) {
	wanted = map[string]json.RawMessage{}
	names, named := []string{composer.File, usualPatches, lockedPatches}, ""
	for i := 0; i < len(names); i++ {
		said, err := s.known.patches.Read(project, names[i], info.MaxBytes, patchesOf)
		if err != nil && (names[i] == named || !errors.Is(err, fs.ErrNotExist)) {
			unknown = append(unknown, names[i])
		}
		maps.Copy(wanted, said.by)
		if named = cmp.Or(named, said.file); named != "" && !slices.Contains(names, named) {
			names = append(names, named)
		}
	}
	return wanted, unknown
}

// wantedPatches is what a file of a project says of patches: by package, or where.
type wantedPatches struct {
	by   map[string]json.RawMessage
	file string
}

// patchesOf reads a composer.json, or a file of patches alone. PHP writes none of
// them as an empty list.
func patchesOf(text []byte) (wantedPatches, error) {
	type says struct {
		Patches json.RawMessage `json:"patches"`
		File    string          `json:"patches-file"`
	}
	var whole struct {
		Patches json.RawMessage `json:"patches"`
		Extra   struct {
			says
			Plugin says `json:"composer-patches"`
		} `json:"extra"`
	}
	if err := json.Unmarshal(text, &whole); err != nil {
		return wantedPatches{}, err
	}
	said := wantedPatches{map[string]json.RawMessage{}, cmp.Or(whole.Extra.File, whole.Extra.Plugin.File)}
	for _, list := range []json.RawMessage{whole.Patches, whole.Extra.Patches} {
		if len(list) == 0 || string(list) == "[]" {
			continue
		}
		if err := json.Unmarshal(list, &said.by); err != nil {
			return wantedPatches{}, err
		}
	}
	return said, nil
}

// compose adds what Composer knows of a component: a version where its files
// say none, as one that was cloned, and whether it is patched.
func (s *survey) compose(c *upkeep.Component) {
	name := "drupal/" + cmp.Or(c.Slug, c.ID)
	if c.Kind == upkeep.Core {
		name = composer.Core
	}
	p := s.composed.Packages[name]
	if p != nil && (c.Version == "" || c.Kind == upkeep.Core && strings.HasSuffix(string(c.Version), "-dev") && p.Version != "") {
		c.Version = upkeep.Version(p.Version) // tags of core were released that called themselves -dev
	}
	project := filepath.Join(filepath.Dir(s.layout.Dirs[layout.DirVendor]), composer.File)
	if c.Kind == upkeep.Core {
		for _, name := range s.composed.unknown { // whatever is patched is held
			s.find(upkeep.Finding{Code: "patched", Paths: []string{project}, Detail: name, Blocks: true})
		}
	}
	if p != nil && p.Patched() || s.composed.patched[name] != nil {
		s.find(upkeep.Finding{Code: "patched", Component: c.Ref(), Paths: []string{project}, Blocks: true})
	}
}
