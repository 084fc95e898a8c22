package joomla

import (
	"context"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/joomla/inventory"
	"upkeep/internal/cms/joomla/layout"
	"upkeep/internal/cms/parcel"
	"upkeep/internal/cms/php"
)

// Stage checks an unpacked package. For core it says which folder or file
// takes which place; an extension's package stays where it is until Joomla's
// installer takes it. It changes nothing. CodeRefused when the package is not
// what the update promised or needs what the site has not.
func (d *Driver) Stage(ctx context.Context, h cms.Host, l *cms.Layout, update upkeep.Update, unpacked string) (_ *cms.Staged, err error) {
	defer upkeep.Wrap(&err, "package of %s %s", update.Ref(), update.Release.Version)
	root, err := h.Open(unpacked)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	site, err := h.Open(l.Root)
	if err != nil {
		return nil, err
	}
	defer site.Close()
	p := &staging{ctx: ctx, host: h, layout: l, root: root, site: site,
		staged: &cms.Staged{Update: update, Dir: unpacked, Files: map[string]string{}}}
	if p.top, err = top(root); err != nil {
		return nil, err
	}
	if update.Component.Kind == upkeep.Core {
		err = p.core()
	} else {
		err = p.extension()
	}
	if err == nil {
		err = p.overrides()
	}
	if err != nil {
		return nil, err
	}
	return p.staged, nil
}

// staging is an unpacked package on its way to becoming a cms.Staged.
type staging struct {
	ctx    context.Context
	host   cms.Host
	layout *cms.Layout
	root   *os.Root // of the unpacked package
	site   *os.Root
	top    string // folder of the package itself: "." unless it is the only thing there
	staged *cms.Staged
}

// top is where the package begins: Joomla enters an only folder.
func top(root *os.Root) (string, error) {
	entries, err := parcel.Entries(root)
	if err != nil {
		return "", err
	}
	if len(entries) == 1 && entries[0].IsDir() {
		return entries[0].Name(), nil
	}
	return ".", nil
}

func (p *staging) read(name string) ([]byte, error) {
	return parcel.Read(p.root, path.Join(p.top, name))
}

// landmarks are files that every complete package of core holds.
var landmarks = [...]string{
	layout.Manifest, layout.VersionFile, "index.php", "administrator/index.php", "includes/framework.php", "includes/defines.php",
	"administrator/components/com_admin/script.php", "libraries/vendor/autoload.php",
}

// since4 and only3 are further ones, by what Joomla was before 4 and is since.
var (
	since4 = []string{"administrator/components/com_joomlaupdate/src/Model/UpdateModel.php", "media/vendor/joomla.asset.json"}
	only3  = []string{"administrator/components/com_joomlaupdate/models/default.php", "libraries/import.legacy.php"}
)

// never is what no release brings: files of the owner's, and of the gate.
var never = [...]string{"configuration.php", ".htaccess", ".user.ini", layout.Defines, "administrator/" + layout.Defines, "api/" + layout.Defines}

// phpWanted is where each entry of Joomla states the PHP it needs.
var phpWanted = regexp.MustCompile(`JOOMLA_MINIMUM_PHP['"]?\s*[,=]\s*['"]([0-9.]+)['"]`)

// core stages a release of Joomla. Its files go over what is there. A folder
// of which the site has nothing else goes in one move. What a release no
// longer has, Joomla's own script takes away.
func (p *staging) core() error {
	promised := string(p.staged.Update.Release.Version)
	further := since4
	if layout.Legacy(p.layout) {
		if further = only3; Branch(promised) != "3" {
			return parcel.Refused("is of Joomla %s, and from 3 there a site is moved, not updated", Branch(promised)).
				WithHint("Move the site with its owner: templates and extensions of Joomla 3 do not work there.")
		}
	}
	for _, name := range append(landmarks[:], further...) {
		if info, err := p.root.Lstat(path.Join(p.top, name)); err != nil || !info.Mode().IsRegular() {
			return parcel.Refused("is not a complete release: no %s", name)
		}
	}
	for _, name := range never {
		if _, err := p.root.Lstat(path.Join(p.top, name)); err == nil {
			return parcel.Refused("holds %s, which no release does", name)
		}
	}
	manifest, err := p.read(layout.Manifest)
	if err != nil {
		return err
	}
	code, err := p.read(layout.VersionFile)
	if err != nil {
		return err
	}
	m := inventory.ParseManifest(manifest)
	if m == nil || m.Version != promised || inventory.CodeVersion(code) != promised {
		found := inventory.CodeVersion(code)
		return parcel.Refused("holds version %q, promised %q", found, promised)
	}
	index, err := p.read("index.php")
	if err != nil {
		return err
	}
	if match := phpWanted.FindSubmatch(index); match != nil {
		if err := p.needsPHP(string(match[1])); err != nil {
			return err
		}
	}
	if err := p.plan("."); err != nil {
		return err
	}
	for _, name := range exempt { // closed while we look
		delete(p.staged.Files, name)
	}
	p.arrange()
	return p.renamed()
}

// renaming is how Joomla's script lists files whose names it spells anew, for
// sites that were once on a disk without upper case.
var renaming = regexp.MustCompile(`'/([^']+)'\s*=>\s*'/([^']+)'`)

// renamed follows what that script will do.
func (p *staging) renamed() error {
	script, err := p.read("administrator/components/com_admin/script.php")
	if err != nil {
		return err
	}
	for _, match := range renaming.FindAllSubmatch(script, -1) {
		was, is := string(match[1]), string(match[2])
		if sum, ok := p.staged.Files[was]; ok && strings.EqualFold(was, is) {
			delete(p.staged.Files, was)
			p.staged.Files[is] = sum
		}
	}
	return nil
}

// needsPHP refuses what asks for a newer PHP than the site has.
func (p *staging) needsPHP(want string) error {
	have, err := inventory.PHP(p.ctx, p.host, p.layout)
	if err != nil || have == "" || want == "" {
		return err
	}
	if php.CompareVersions(string(have), want) < 0 {
		return parcel.Refused("needs PHP %s, the site has %s", want, have)
	}
	return nil
}

// apart are folders that are never moved whole: the gate is in them, or what
// has to go last.
var apart = [...]string{".", "administrator", "api", "administrator/manifests", "administrator/manifests/files", "images", "tmp", "cache", "administrator/cache"}

// plan plans the moves of what a folder of the package holds.
func (p *staging) plan(dir string) error {
	entries, err := fs.ReadDir(p.root.FS(), path.Join(p.top, dir))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := path.Join(dir, entry.Name())
		if name == "installation" {
			continue
		}
		if !entry.IsDir() {
			if err := p.file(name); err != nil {
				return err
			}
			continue
		}
		whole, err := p.whole(name)
		if err != nil {
			return err
		}
		if whole {
			err = p.take(name)
		} else {
			err = p.plan(name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// take plans a move. Where a folder of the site is a link, that is followed.
func (p *staging) take(name string) error {
	to := filepath.Join(p.layout.Root, name)
	if dir, err := filepath.EvalSymlinks(filepath.Dir(to)); err == nil {
		to = filepath.Join(dir, filepath.Base(to))
	}
	return parcel.Take(p.ctx, p.root, p.staged, path.Join(p.top, name), to)
}

// file plans the move of a file, unless the site has the same already.
func (p *staging) file(name string) error {
	sum, err := parcel.Sum(p.root, path.Join(p.top, name))
	if err != nil {
		return err
	}
	if there, err := parcel.Sum(p.site, name); err == nil && there == sum {
		p.staged.Files[name] = sum
		return nil
	}
	return p.take(name)
}

// whole reports whether a folder of the package can take the place of the
// site's: that has nothing in it that the package lacks, and no link.
func (p *staging) whole(dir string) (bool, error) {
	if slices.Contains(apart[:], dir) {
		return false, nil
	}
	info, err := p.site.Lstat(dir)
	if err != nil {
		return true, nil // it is new
	}
	if !info.IsDir() {
		return false, nil
	}
	whole := true
	err = fs.WalkDir(p.site.FS(), dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		ours, missing := p.root.Lstat(path.Join(p.top, name))
		if missing != nil || ours.IsDir() != entry.IsDir() || entry.Type()&fs.ModeSymlink != 0 {
			whole = false
			return fs.SkipAll
		}
		return p.ctx.Err()
	})
	return whole, err
}

// arrange puts what says the version last: a site whose update stopped on the
// way still says that it is the old one.
func (p *staging) arrange() {
	rank := func(m cms.Move) int {
		switch rel := strings.TrimPrefix(m.To, p.layout.Root+"/"); {
		case rel == layout.Manifest:
			return 2
		case strings.HasPrefix(layout.VersionFile, rel):
			return 1
		}
		return 0
	}
	slices.SortStableFunc(p.staged.Moves, func(a, b cms.Move) int { return rank(a) - rank(b) })
}

// overrides reports which overrides of the site's templates replace a layout
// that this release changes: they go on showing the old one.
func (p *staging) overrides() error {
	var touched []string
	for _, base := range []string{"templates", "administrator/templates"} {
		templates, _ := fs.ReadDir(p.site.FS(), base) // a site without has no overrides
		for _, template := range templates {
			html := path.Join(base, template.Name(), "html")
			err := fs.WalkDir(p.site.FS(), html, func(name string, entry fs.DirEntry, err error) error {
				if err != nil || !strings.HasSuffix(name, ".php") {
					return nil //nolint:nilerr // a template without overrides
				}
				if p.changes(p.original(strings.TrimPrefix(name, html+"/"), strings.TrimSuffix(base, "templates"))) {
					touched = append(touched, filepath.Join(p.layout.Root, name))
				}
				return p.ctx.Err()
			})
			if err != nil {
				return err
			}
		}
	}
	if touched != nil {
		p.staged.Findings = append(p.staged.Findings, upkeep.Finding{Code: "override_outdated", Component: p.staged.Update.Ref(), Paths: touched})
	}
	return nil
}

// original is the layout that an override replaces: "com_content/article/
// default.php" is that of components/com_content/tmpl/article, and of
// components/com_content/views/article/tmpl before Joomla 4.
func (p *staging) original(name, client string) string {
	first, rest, _ := strings.Cut(name, "/")
	switch {
	case first == "layouts":
		return name
	case strings.HasPrefix(first, "com_") && layout.Legacy(p.layout):
		view, file, _ := strings.Cut(rest, "/")
		return path.Join(client, "components", first, "views", view, "tmpl", file)
	case strings.HasPrefix(first, "com_"):
		return path.Join(client, "components", first, "tmpl", rest)
	case strings.HasPrefix(first, "mod_"):
		return path.Join(client, "modules", first, "tmpl", rest)
	case strings.HasPrefix(first, "plg_"):
		group, plugin, _ := strings.Cut(strings.TrimPrefix(first, "plg_"), "_")
		return path.Join("plugins", group, plugin, "tmpl", rest)
	}
	return ""
}

// changes reports whether the site has a file that is another one in the package.
func (p *staging) changes(name string) bool {
	if name == "" {
		return false
	}
	key, err := filepath.Rel(p.staged.Update.Component.Path, filepath.Join(p.layout.Root, name))
	if err != nil {
		return false
	}
	now, err := parcel.Sum(p.site, name)
	want := p.staged.Files[filepath.ToSlash(key)]
	return err == nil && want != "" && want != now
}
