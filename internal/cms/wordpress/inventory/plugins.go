package inventory

import (
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"upkeep"
	"upkeep/internal/cms/wordpress/header"
	"upkeep/internal/cms/wordpress/layout"
)

// readPlugins finds plugins as get_plugins does: PHP files with a name
// directly in the plugins folder or one level below it.
func (s *survey) readPlugins() (err error) {
	dir := s.layout.Dirs[layout.DirPlugins]
	defer upkeep.Wrap(&err, "plugins in %s", dir)
	root, err := s.folder(dir)
	if root == nil || err != nil {
		return err
	}
	defer root.Close()
	entries, err := listing(root)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasPrefix(name, ".") {
			continue
		}
		p := pluginPlace{survey: s, dir: dir, entry: entry, link: linkTarget(dir, entry)}
		switch isFolder, err := p.isFolder(root); {
		case err != nil:
			p.unreadable(err)
		case isFolder:
			err = p.readFolder(root)
			if err != nil {
				p.unreadable(err)
			}
		case strings.HasSuffix(name, ".php"):
			p.readFile(root)
		}
	}
	return nil
}

// pluginPlace is an entry of the plugins folder.
type pluginPlace struct {
	*survey
	dir   string
	entry fs.DirEntry
	link  string
}

func (p *pluginPlace) path() string { return filepath.Join(p.dir, p.entry.Name()) }

func (p *pluginPlace) isFolder(root *os.Root) (bool, error) {
	if p.link == "" {
		return p.entry.IsDir(), nil
	}
	info, err := os.Stat(p.path())
	if err != nil {
		return false, err
	}
	return info.IsDir(), nil
}

// unreadable reports what is there but cannot be looked into. WordPress
// passes over it in silence.
func (p *pluginPlace) unreadable(err error) {
	if p.link != "" {
		p.outside = append(p.outside, outsideLink{name: p.entry.Name(), target: p.link})
		return
	}
	p.find(upkeep.Finding{Code: "unreadable", Paths: []string{p.path()}}.Because(err))
}

func (p *pluginPlace) readFolder(root *os.Root) error {
	folder, err := p.openFolder(root)
	if err != nil {
		return err
	}
	defer folder.Close()
	names, checkouts, err := p.reader.namesIn(folder)
	if err != nil {
		return err
	}
	var found []string
	for _, name := range names {
		headers, err := p.reader.headersOf(folder, name, header.Plugin, p.shortTag)
		if err != nil && !layout.PassedOver(err) {
			return err
		}
		if headers["Name"] == "" {
			continue
		}
		id := p.entry.Name() + "/" + name
		found = append(found, id)
		p.add(id, p.entry.Name(), headers)
		p.reportCheckouts("plugin:"+id, p.path(), checkouts)
	}
	if len(found) > 1 {
		slices.Sort(found)
		p.find(upkeep.Finding{Code: "shared_folder", Component: "plugin:" + found[0], Paths: []string{p.path()}, Detail: strings.Join(found, ", ")})
	}
	return nil
}

// openFolder opens the folder itself, or what a link within the site's areas
// leads to.
func (p *pluginPlace) openFolder(root *os.Root) (*os.Root, error) {
	if p.link != "" {
		return p.host.Open(p.link)
	}
	return root.OpenRoot(p.entry.Name())
}

func (p *pluginPlace) readFile(root *os.Root) {
	name := p.entry.Name()
	headers, err := p.reader.headersOf(root, name, header.Plugin, p.shortTag)
	switch {
	case err != nil && p.link != "":
		p.outside = append(p.outside, outsideLink{name: name, target: p.link})
	case err != nil:
		p.unreadable(err)
	case headers["Name"] != "":
		p.add(name, strings.TrimSuffix(name, ".php"), headers)
	}
}

func (p *pluginPlace) add(id, slug string, headers map[string]string) {
	c := upkeep.Component{
		Kind: upkeep.Plugin, ID: id, Slug: slug, Name: headers["Name"], Version: upkeep.Version(headers["Version"]),
		Path: p.path(), Link: p.link, UpdateURI: headers["UpdateURI"],
		RequiresCMS: upkeep.Version(headers["RequiresWP"]), RequiresPHP: upkeep.Version(headers["RequiresPHP"]),
		RequiresComponents: requiredPlugins(headers["RequiresPlugins"]), Headers: written(headers),
	}
	p.components = append(p.components, c)
	p.reportLink(&c)
}

// reportLink holds a component that a link puts into the site: replacing it
// would replace the link, or change what belongs to someone else.
func (s *survey) reportLink(c *upkeep.Component) {
	if c.Link != "" {
		s.find(upkeep.Finding{Code: "link", Component: c.Ref(), Paths: []string{c.Path, c.Link}, Blocks: true})
	}
}

// reportCheckouts holds a component whose own folder is a working copy:
// replacing it would take away its history and what was never sent anywhere.
func (s *survey) reportCheckouts(ref, path string, names []string) {
	for _, name := range names {
		s.find(upkeep.Finding{Code: "version_control", Component: ref, Paths: []string{filepath.Join(path, name)}, Blocks: true})
	}
}

// written copies headers for a component; the cache keeps its own.
func written(headers map[string]string) map[string]string {
	out := maps.Clone(headers)
	if strings.EqualFold(out["_sitewide"], "true") && out["Network"] == "" {
		out["Network"] = "true"
	}
	delete(out, "_sitewide")
	return out
}

// slugForm is a plugin slug as WordPress accepts it in "Requires Plugins".
var slugForm = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// requiredPlugins reads "Requires Plugins"; what is no slug does not count.
func requiredPlugins(header string) []string {
	var slugs []string
	for slug := range strings.SplitSeq(header, ",") {
		if slug = strings.TrimSpace(slug); slugForm.MatchString(slug) {
			slugs = append(slugs, slug)
		}
	}
	slices.Sort(slugs)
	return slices.Compact(slugs)
}

// silence is the longest index.php that only keeps a folder from being
// listed.
const silence = 30

// readMustUse finds the files that WordPress always loads. A leading dot does
// not hide one.
func (s *survey) readMustUse() (err error) {
	dir := s.layout.Dirs[layout.DirMustUse]
	defer upkeep.Wrap(&err, "must-use plugins in %s", dir)
	root, err := s.folder(dir)
	if root == nil || err != nil {
		return err
	}
	defer root.Close()
	entries, err := listing(root)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := entry.Name()
		if entry.IsDir() || path.Ext(name) != ".php" {
			continue
		}
		if info, err := entry.Info(); err == nil && name == "index.php" && info.Size() <= silence {
			continue
		}
		s.single(root, dir, entry, upkeep.MustUse)
	}
	return nil
}

// single adds a component that is one file and always there.
func (s *survey) single(root *os.Root, dir string, entry fs.DirEntry, kind upkeep.Kind) {
	name := entry.Name()
	headers, err := s.reader.headersOf(root, name, header.Plugin, s.shortTag)
	if err != nil && !layout.PassedOver(err) {
		s.find(upkeep.Finding{Code: "unreadable", Paths: []string{filepath.Join(dir, name)}}.Because(err))
	}
	c := upkeep.Component{
		Kind: kind, ID: name, Slug: strings.TrimSuffix(name, ".php"), Name: headers["Name"],
		Version: upkeep.Version(headers["Version"]), Path: filepath.Join(dir, name), Active: true,
		Link: linkTarget(dir, entry), UpdateURI: headers["UpdateURI"], Headers: written(headers),
	}
	if c.Name == "" {
		c.Name = name
	}
	s.components = append(s.components, c)
	s.reportLink(&c)
}

// dropIns are the files in the content folder that replace a part of
// WordPress, with the option of the layout that makes it load them, if any.
var dropIns = map[string]string{
	"advanced-cache.php": layout.OptionCache, "db.php": "", "db-error.php": "", "install.php": "", "maintenance.php": "",
	"object-cache.php": "", "php-error.php": "", "fatal-error-handler.php": "", "sunrise.php": layout.OptionSunrise,
	"blog-deleted.php": layout.OptionMultisite, "blog-inactive.php": layout.OptionMultisite, "blog-suspended.php": layout.OptionMultisite,
}

func (s *survey) readDropIns() (err error) {
	dir := s.layout.Dirs[layout.DirContent]
	defer upkeep.Wrap(&err, "drop-ins in %s", dir)
	root, err := s.folder(dir)
	if root == nil || err != nil {
		return err
	}
	defer root.Close()
	names, _, err := s.reader.namesIn(root)
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		if _, known := dropIns[name]; !known {
			continue
		}
		info, err := root.Lstat(name)
		if err != nil || info.IsDir() {
			continue
		}
		s.single(root, dir, fs.FileInfoToDirEntry(info), upkeep.DropIn)
		if option := dropIns[name]; option != "" {
			s.components[len(s.components)-1].Active = s.layout.Options[option] == "1"
		}
	}
	return nil
}

// outsideLink is a plugin that a link puts into the site from where the host
// lends nothing.
type outsideLink struct{ name, target string }

// id is the key WordPress most likely knows the plugin by, unless an active
// one says otherwise.
func (o outsideLink) id(active []string) string {
	if strings.HasSuffix(o.name, ".php") {
		return o.name
	}
	for _, id := range active {
		if path.Dir(id) == o.name {
			return id
		}
	}
	return o.name + "/" + o.name + ".php"
}

// addOutside adds the linked plugins whose files cannot be read.
func (s *survey) addOutside(active []string) {
	for _, o := range s.outside {
		id := o.id(active)
		c := upkeep.Component{
			Kind: upkeep.Plugin, ID: id, Slug: strings.TrimSuffix(o.name, ".php"), Name: o.name,
			Path: filepath.Join(s.layout.Dirs[layout.DirPlugins], o.name), Link: o.target,
		}
		s.components = append(s.components, c)
		s.reportLink(&c)
	}
}
