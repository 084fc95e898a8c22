// Package composer brings a copy of a project to other versions of some of its
// packages by running Composer there, and says what would have to take which
// place for the project itself to have them. The project is only read.
package composer

import (
	"encoding/json"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
)

// Names of the files that Composer goes by.
const (
	File      = "composer.json"
	Lock      = "composer.lock"
	vendor    = "vendor"
	Installed = "vendor/composer/installed.json"
)

// MaxList bounds what Composer writes about packages, which are hundreds.
const MaxList = 64 << 20

// Package is what a list of Composer's says of one package.
type Package struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Type    string `json:"type"`
	Path    string `json:"install-path"` // below vendor/composer; "" for one without files
	Dist    struct {
		Reference string `json:"reference"`
	} `json:"dist"`
	Source struct {
		Reference string `json:"reference"`
	} `json:"source"`
	Extra struct {
		Patches json.RawMessage `json:"patches_applied"`
	} `json:"extra"`
}

// Patched reports whether Composer noted that it changed the package.
func (p *Package) Patched() bool { return len(p.Extra.Patches) > len("{}") }

// Dir is the package's folder below the project; "" for one without files.
func (p *Package) Dir() string {
	if p.Path == "" {
		return ""
	}
	return path.Join(vendor, "composer", p.Path)
}

// same reports whether two lists speak of the same content.
func (p *Package) same(other *Package) bool {
	return p.Version == other.Version && p.Dist.Reference == other.Dist.Reference && p.Source.Reference == other.Source.Reference
}

// Packages are those of one list, by name.
type Packages map[string]*Package

func listOf(all ...Package) Packages {
	found := Packages{}
	for i := range all {
		found[all[i].Name] = &all[i]
	}
	return found
}

// ReadInstalled reads what Composer put into a project, and whether that
// includes what only development needs. fs.ErrNotExist when Composer was not
// there.
func ReadInstalled(project *os.Root) (_ Packages, dev bool, err error) {
	defer upkeep.Wrap(&err, "%s", Installed)
	text, err := cms.ReadBounded(project, Installed, MaxList)
	if err != nil {
		return nil, false, err
	}
	return ParseInstalled(text)
}

// ParseInstalled reads the text of Installed.
func ParseInstalled(text []byte) (_ Packages, dev bool, err error) {
	var list struct {
		Packages []Package `json:"packages"`
		Dev      bool      `json:"dev"`
	}
	if json.Unmarshal(text, &list) != nil { // Composer 1 wrote the list alone
		if err := json.Unmarshal(text, &list.Packages); err != nil {
			return nil, false, err
		}
	}
	return listOf(list.Packages...), list.Dev, nil
}

// ReadLock reads what a project is to consist of.
func ReadLock(project *os.Root, dev bool) (_ Packages, err error) {
	defer upkeep.Wrap(&err, "%s", Lock)
	text, err := cms.ReadBounded(project, Lock, MaxList)
	if err != nil {
		return nil, err
	}
	var list struct {
		Packages []Package `json:"packages"`
		Dev      []Package `json:"packages-dev"`
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, err
	}
	if dev {
		list.Packages = append(list.Packages, list.Dev...)
	}
	return listOf(list.Packages...), nil
}

// Drift names the packages that are not as the lock says.
func Drift(project *os.Root) ([]string, error) {
	have, dev, err := ReadInstalled(project)
	if err != nil {
		return nil, err
	}
	locked, err := ReadLock(project, dev)
	if err != nil {
		return nil, err
	}
	return differing(have, locked), nil
}

// differing names the packages that two lists do not say the same of.
func differing(a, b Packages) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(merged(a, b))) {
		if a[name] == nil || b[name] == nil || !a[name].same(b[name]) {
			names = append(names, name)
		}
	}
	return names
}

func merged(a, b Packages) Packages {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// manifest is what a project asks for.
type manifest struct {
	Require map[string]string          `json:"require"`
	Dev     map[string]string          `json:"require-dev"`
	Scripts map[string]json.RawMessage `json:"scripts"`
	Config  struct {
		Vendor string `json:"vendor-dir"`
	} `json:"config"`
}

func readManifest(project *os.Root) (m manifest, err error) {
	defer upkeep.Wrap(&err, "%s", File)
	text, err := cms.ReadBounded(project, File, MaxList)
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	return m, err
}

// Unfit says why a project cannot be kept up to date by Composer, nil when it
// can.
func Unfit(project *os.Root) error {
	m, err := readManifest(project)
	if err != nil {
		return err
	}
	if dir := path.Clean(m.Config.Vendor); m.Config.Vendor != "" && dir != vendor {
		return upkeep.Causef("packages are in %s, not in vendor", dir)
	}
	drift, err := Drift(project)
	if err == nil && len(drift) > 0 {
		err = upkeep.Causef("not as composer.lock says: %s", cms.List(drift))
	}
	return err
}

var (
	legacyForm = regexp.MustCompile(`^\d+\.x-`)
	numberForm = regexp.MustCompile(`^(\d+\.\d+)(-.+)?$`)
)

// Version is how packages.drupal.org writes a version of drupal.org: 1.13.0 for
// 8.x-1.13.
func Version(version upkeep.Version) string {
	text := string(version)
	bare := legacyForm.ReplaceAllString(text, "")
	if match := numberForm.FindStringSubmatch(bare); match != nil && bare != text {
		return match[1] + ".0" + match[2]
	}
	return bare
}

// Core is the package that Drupal itself is.
const Core = "drupal/core"

// family are the packages that come with every release of Drupal.
var family = []string{
	Core, "drupal/core-recommended", "drupal/core-composer-scaffold", "drupal/core-project-message", "drupal/core-vendor-hardening",
	"drupal/core-recipe-unpack", "drupal/core-dev", "drupal/core-dev-pinned",
}

// Wanted is a package with the version that it is to have.
type Wanted struct {
	Name    string `json:"name"`
	Version string `json:"version"` // as Composer writes it
}

// members are the packages of a list that go together with what is wanted.
func (w Wanted) members(locked Packages) []string {
	if w.Name != Core {
		return []string{w.Name}
	}
	return slices.DeleteFunc(slices.Clone(family), func(name string) bool { return locked[name] == nil })
}

// In reports whether a list has what is wanted.
func (w Wanted) In(list Packages) bool {
	return !slices.ContainsFunc(w.members(list), func(name string) bool {
		return list[name] == nil || strings.TrimPrefix(list[name].Version, "v") != w.Version
	})
}
