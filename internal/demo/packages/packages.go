// Package packages keeps the real WordPress cores and themes that the demo
// and the tests install: one from Debian's package, newer ones from the npm
// package of WordPress Playground builds, each turned into what a publisher
// would send, a zip with one top folder.
//
// What differs from a stock release: Debian leaves out files that are not free
// by its guidelines and keeps some libraries in other packages, which are put
// back here as files. Playground's builds have PHP without comments outside
// wp-content, no Akismet, no license.txt and calls of set_time_limit taken
// out. Versions, database levels, upgrade code and file lists are the real ones.
package packages

import (
	"cmp"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"upkeep"
)

// Core is one WordPress release.
type Core struct {
	Version upkeep.Version `json:"version"`
	Schema  string         `json:"schema"` // $wp_db_version
	Source  string         `json:"source"` // "debian" or "npm"
	Zip     string         `json:"zip"`    // absolute; top folder "wordpress"
	Tree    string         `json:"tree"`   // absolute; the same, unpacked
}

// Extension is a plugin or theme that came with a core.
type Extension struct {
	Kind    upkeep.Kind    `json:"kind"`
	Slug    string         `json:"slug"`
	Version upkeep.Version `json:"version"`
	Zip     string         `json:"zip"` // absolute; top folder is the slug
}

// Set is what a filled folder holds.
type Set struct {
	Cores      []Core      `json:"cores"` // oldest first
	Extensions []Extension `json:"extensions"`
}

// index names what a complete folder holds. It is written last.
const index = "packages.json"

// Open reads a folder that Fill completed. CodeNotFound, with a hint, when
// there is none.
func Open(dir string) (*Set, error) {
	text, err := os.ReadFile(filepath.Join(dir, index))
	if errors.Is(err, os.ErrNotExist) {
		return nil, upkeep.Errorf(upkeep.CodeNotFound, "no wordpress packages in %s", dir).
			WithHint("Fetch them with make setup.")
	}
	if err != nil {
		return nil, err
	}
	var set Set
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, upkeep.Errorf(upkeep.CodeDamaged, "%s: %w", filepath.Join(dir, index), err).
			WithHint("Delete the folder and run make setup again.")
	}
	// The folder may have been moved since: paths are stored below it.
	for i := range set.Cores {
		set.Cores[i].Zip = filepath.Join(dir, set.Cores[i].Zip)
		set.Cores[i].Tree = filepath.Join(dir, set.Cores[i].Tree)
	}
	for i := range set.Extensions {
		set.Extensions[i].Zip = filepath.Join(dir, set.Extensions[i].Zip)
	}
	return &set, nil
}

// Core returns the release of a version, the oldest for "". CodeNotFound
// when the set lacks it.
func (s *Set) Core(version upkeep.Version) (*Core, error) {
	for i := range s.Cores {
		if version == "" || s.Cores[i].Version == version {
			return &s.Cores[i], nil
		}
	}
	return nil, upkeep.Errorf(upkeep.CodeNotFound, "no wordpress %s among %s", version, s.versions())
}

// Newest returns the newest release.
func (s *Set) Newest() *Core { return &s.Cores[len(s.Cores)-1] }

func (s *Set) versions() string {
	var all []string
	for i := range s.Cores {
		all = append(all, string(s.Cores[i].Version))
	}
	return strings.Join(all, ", ")
}

// sortByVersion orders plain dotted numbers, which is all there is here.
func sortByVersion(cores []Core) {
	slices.SortFunc(cores, func(a, b Core) int {
		return slices.CompareFunc(strings.Split(string(a.Version), "."), strings.Split(string(b.Version), "."),
			func(x, y string) int {
				m, _ := strconv.Atoi(x)
				n, _ := strconv.Atoi(y)
				return cmp.Compare(m, n)
			})
	})
}
