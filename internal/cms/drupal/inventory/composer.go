package inventory

import (
	"cmp"
	"encoding/json"
	"path/filepath"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
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
	var says struct {
		Extra struct {
			Patches map[string]json.RawMessage `json:"patches"`
		} `json:"extra"`
	}
	if text, err := cms.ReadBounded(project, composer.File, info.MaxBytes); err == nil && json.Unmarshal(text, &says) == nil {
		all.patched = says.Extra.Patches
	}
	return all
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
	if p != nil && p.Patched() || s.composed.patched[name] != nil {
		s.find(upkeep.Finding{Code: "patched", Component: c.Ref(), Paths: []string{filepath.Join(filepath.Dir(s.layout.Dirs[layout.DirVendor]), "composer.json")}, Blocks: true})
	}
}
