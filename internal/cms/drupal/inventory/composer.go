package inventory

import (
	"encoding/json"
	"path/filepath"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/drupal/layout"
)

// composerBytes bounds the files that Composer writes, which list hundreds of
// packages.
const composerBytes = 32 << 20

// composed is what Composer says of a package.
type composed struct {
	version string
	patched bool
}

// composer reads what Composer installed, by name of package, and which of it
// is to be patched: as its plugin for patches noted, or as the project says.
// Nothing where it did not read.
func (s *survey) composer() map[string]composed {
	all := map[string]composed{}
	type packages []struct {
		Name    string `json:"name"`
		Version string `json:"version"`
		Extra   struct {
			Patches json.RawMessage `json:"patches_applied"`
		} `json:"extra"`
	}
	vendor := s.layout.Dirs[layout.DirVendor]
	text := s.readFile(filepath.Join(vendor, "composer"), "installed.json")
	var installed struct{ Packages packages }
	if json.Unmarshal(text, &installed) != nil { // Composer 1 wrote the list alone
		if json.Unmarshal(text, &installed.Packages) != nil {
			return all
		}
	}
	for _, p := range installed.Packages {
		all[p.Name] = composed{version: p.Version, patched: len(p.Extra.Patches) > len("{}")}
	}
	var project struct {
		Extra struct {
			Patches map[string]json.RawMessage `json:"patches"`
		} `json:"extra"`
	}
	if json.Unmarshal(s.readFile(filepath.Dir(vendor), "composer.json"), &project) != nil {
		return all
	}
	for name := range project.Extra.Patches {
		p := all[name]
		p.patched = true
		all[name] = p
	}
	return all
}

// readFile returns a file of the site, nil when there is none to be read.
func (s *survey) readFile(dir, name string) []byte {
	if s.layout.Dirs[layout.DirVendor] == "" {
		return nil
	}
	folder, err := s.host.Open(dir)
	if err != nil {
		return nil
	}
	defer folder.Close()
	text, err := cms.ReadBounded(folder, name, composerBytes)
	if err != nil {
		return nil
	}
	return text
}

// compose adds what Composer knows of a component: a version where its files
// say none, as one that was cloned, and whether it is patched.
func (s *survey) compose(c *upkeep.Component, all map[string]composed) {
	slug := c.Slug
	if c.Kind == upkeep.Core {
		slug = "core"
	}
	p, known := all["drupal/"+slug]
	if slug == "" {
		p, known = all["drupal/"+c.ID]
	}
	if !known {
		return
	}
	if c.Version == "" || c.Kind == upkeep.Core && strings.HasSuffix(string(c.Version), "-dev") && p.version != "" {
		c.Version = upkeep.Version(p.version) // tags of core were released that called themselves -dev
	}
	if p.patched {
		s.find(upkeep.Finding{Code: "patched", Component: c.Ref(), Paths: []string{filepath.Join(filepath.Dir(s.layout.Dirs[layout.DirVendor]), "composer.json")}, Blocks: true})
	}
}
