package drupal

import (
	"context"
	"encoding/json"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/drupal/composer"
	"upkeep/internal/cms/drupal/info"
	"upkeep/internal/cms/drupal/inventory"
	"upkeep/internal/cms/drupal/layout"
	"upkeep/internal/cms/parcel"
	"upkeep/internal/cms/php"
)

// Stage checks an unpacked package and says which folder or file takes which
// place. It changes nothing. CodeRefused when the package is not what the
// update promised or needs what the site has not.
func (d *Driver) Stage(ctx context.Context, h cms.Host, l *cms.Layout, update upkeep.Update, unpacked string) (*cms.Staged, error) {
	if managed, err := packageOf(h, l, &update.Component); err != nil || managed != nil {
		if err != nil {
			return nil, err
		}
		return d.manage(ctx, h, l, update, unpacked)
	}
	return parcel.Stage(ctx, h, &cms.Staged{Update: update, Dir: unpacked}, func(pkg *parcel.Package) error {
		p := &staging{Package: pkg, layout: l, generation: l.Options[layout.OptionGeneration]}
		switch update.Component.Kind {
		case upkeep.Core:
			return p.core()
		case upkeep.Plugin, upkeep.Theme:
			return p.extension()
		}
		return parcel.Refused("components of kind %s are not updated", update.Component.Kind)
	})
}

// staging is an unpacked package on its way to becoming a cms.Staged.
type staging struct {
	*parcel.Package
	layout     *cms.Layout
	generation string
}

// take plans that a file or folder of the package takes the same place below
// the site's root.
func (p *staging) take(name string) error {
	return p.Take(name, filepath.Join(p.layout.Root, name))
}

// extension stages a module or theme.
func (p *staging) extension() error {
	c := &p.Staged.Update.Component
	suffix, said := ".info", info.Info{}
	if p.generation == layout.Eight {
		suffix = ".info.yml"
	}
	text, err := p.Read(c.ID + suffix)
	if err != nil {
		return err
	}
	if text == nil {
		return parcel.Refused("holds no %s", c.ID+suffix)
	}
	if p.generation == layout.Eight {
		said, err = info.ReadYAML(text)
	} else {
		said = info.Read(text)
	}
	if err != nil {
		return err
	}
	if promised := string(p.Staged.Update.Release.Version); said.Version != promised {
		return parcel.Refused("holds version %q, promised %q", said.Version, promised)
	}
	if said.Project != c.Slug {
		return parcel.Refused("is %q, installed is %q", said.Project, c.Slug)
	}
	if p.generation == layout.Seven && said.Core != "7.x" {
		return parcel.Refused("is for Drupal %q", said.Core)
	}
	if err := p.needsPHP(said.PHP); err != nil {
		return err
	}
	return parcel.Take(p.Context, p.Root, p.Staged, p.Top, c.Path)
}

// landmarks are files that every complete release holds.
var landmarks = map[string][]string{
	layout.Seven: {"index.php", "update.php", "includes/bootstrap.inc", "includes/common.inc", "includes/database/database.inc", "modules/system/system.module", "modules/node/node.module", "modules/user/user.module", "misc/drupal.js"},
	layout.Eight: {"index.php", "autoload.php", "core/lib/Drupal.php", "core/includes/bootstrap.inc", "core/lib/Drupal/Core/DrupalKernel.php", "core/modules/system/system.module", "core/modules/node/node.module", "core/modules/user/user.module", "vendor/autoload.php"},
}

// phpWanted is where a release states the PHP it needs.
var phpWanted = map[string]*regexp.Regexp{
	layout.Seven: regexp.MustCompile(`define\('DRUPAL_MINIMUM_PHP',\s*'([0-9.]+)'\)`),
	layout.Eight: regexp.MustCompile(`const MINIMUM_PHP = '([0-9.]+)'`),
}

// core stages a release of Drupal itself. The folder with the version goes
// last: a site whose update stopped on the way still says that it is the old
// one.
func (p *staging) core() error {
	for _, name := range landmarks[p.generation] {
		if found, err := p.Root.Lstat(path.Join(p.Top, name)); err != nil || !found.Mode().IsRegular() {
			return parcel.Refused("is not a complete release: no %s", name)
		}
	}
	inside, err := p.Root.OpenRoot(p.Top)
	if err != nil {
		return err
	}
	defer inside.Close()
	found, err := inventory.CoreVersion(inside, p.generation)
	if err != nil {
		return err
	}
	if promised := string(p.Staged.Update.Release.Version); found != promised {
		return parcel.Refused("holds version %q, promised %q", found, promised)
	}
	text, err := p.Read(layout.VersionFile(p.generation))
	if err != nil {
		return err
	}
	if match := phpWanted[p.generation].FindSubmatch(text); match != nil {
		if err := p.needsPHP(string(match[1])); err != nil {
			return err
		}
	}
	return p.coreMoves()
}

// mixed are folders that hold the owner's beside the release's: what comes
// with the release goes one by one.
var mixed = map[string][]string{
	layout.Seven: {"modules", "profiles", "themes"},
	layout.Eight: nil,
}

// whole are folders that are the release's alone, the last with the version.
var whole = map[string][]string{
	layout.Seven: {"misc", "scripts", "includes"},
	layout.Eight: {"vendor", "core"},
}

// required are files of the root without which Drupal does not run. Others,
// such as documents, the installer and XML-RPC, are only replaced where the
// owner left them; own rules for web servers and robots stay.
var required = []string{"index.php", "autoload.php"}

// kept are files of the root that owners adapt.
var kept = []string{".htaccess", "robots.txt", "web.config", ".gitignore", "favicon.ico"}

func (p *staging) coreMoves() error {
	entries, err := fs.ReadDir(p.Root.FS(), p.Top)
	if err != nil {
		return err
	}
	if err := p.composer(); err != nil {
		return err
	}
	for _, entry := range entries {
		name := entry.Name()
		switch {
		case entry.IsDir() && slices.Contains(mixed[p.generation], name):
			err = p.takeMixed(name)
		case entry.IsDir() && name != "composer", slices.Contains(kept, name), !slices.Contains(required, name) && !p.there(name):
		default:
			err = p.take(name)
		}
		if err != nil {
			return err
		}
	}
	for _, name := range whole[p.generation] {
		if err := p.take(name); err != nil {
			return err
		}
	}
	return nil
}

func (p *staging) takeMixed(dir string) error {
	entries, err := fs.ReadDir(p.Root.FS(), path.Join(p.Top, dir))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if name := path.Join(dir, entry.Name()); entry.IsDir() {
			if err := p.take(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// composer refuses a release where the site's composer.json asks for what the
// release does not bring: vendor is replaced as a whole.
func (p *staging) composer() error {
	if p.generation == layout.Seven || !p.there("composer.json") {
		return nil
	}
	site, err := p.Host.Open(p.layout.Root)
	if err != nil {
		return err
	}
	defer site.Close()
	theirs, err := cms.ReadBounded(site, "composer.json", info.MaxBytes)
	if err != nil {
		return err
	}
	ours, err := p.Read("composer.json")
	if err != nil {
		return err
	}
	var have, brought struct {
		Require map[string]string `json:"require"`
	}
	if json.Unmarshal(theirs, &have) != nil || json.Unmarshal(ours, &brought) != nil {
		return parcel.Refused("composer.json does not read")
	}
	for name := range have.Require {
		if _, ok := brought.Require[name]; !ok && !strings.HasPrefix(name, "drupal/core") {
			return parcel.Refused("does not bring %s, which the site's composer.json asks for", name).
				WithHint("Update this site with Composer.")
		}
	}
	return nil
}

func (p *staging) there(name string) bool { return there(p.Host, p.layout, name) }

// there reports whether the site's root has a file or folder of that name.
func there(h cms.Host, l *cms.Layout, name string) bool {
	root, err := h.Open(l.Root)
	if err != nil {
		return false
	}
	defer root.Close()
	_, err = root.Lstat(name)
	return err == nil
}

// needsPHP refuses what asks for a newer PHP than the site has.
func (p *staging) needsPHP(want string) error {
	if want == "" {
		return nil
	}
	have, err := inventory.PHPVersion(p.Context, p.Host, p.layout)
	if err != nil || have == "" {
		return err
	}
	if php.CompareVersions(string(have), want) < 0 {
		return parcel.Refused("needs PHP %s, the site has %s", want, have)
	}
	return nil
}

// Apply puts staged updates in place in the order given. Repeating it is
// harmless.
func (d *Driver) Apply(ctx context.Context, w cms.Work, l *cms.Layout, staged []cms.Staged) error {
	placed := map[string]*cms.Staged{}
	managed, unmanaged := partition(staged)
	if len(managed) > 0 {
		if err := d.applyManaged(ctx, w, l, managed); err != nil {
			return err
		}
	}
	staged = unmanaged
	for i := range staged {
		if err := parcel.Place(ctx, w, &staged[i], placed); err != nil {
			return upkeep.Errorf(upkeep.CodeOf(err), "apply %s %s: %w", staged[i].Update.Ref(), staged[i].Update.Release.Version, err)
		}
	}
	return nil
}

// partition tells what Composer made from what was unpacked.
func partition(staged []cms.Staged) (managed, unmanaged []cms.Staged) {
	for _, s := range staged {
		if composer.IsCopy(s.Dir) {
			managed = append(managed, s)
		} else {
			unmanaged = append(unmanaged, s)
		}
	}
	return managed, unmanaged
}
