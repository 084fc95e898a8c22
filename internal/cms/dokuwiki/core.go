package dokuwiki

import (
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/dokuwiki/layout"
	"upkeep/internal/cms/parcel"
)

// landmarks are files that every complete release holds.
var landmarks = [...]string{
	"doku.php", "feed.php", "index.php", "VERSION", "inc/init.php", "inc/load.php", "inc/parserutils.php", "inc/config_cascade.php",
	"lib/exe/ajax.php", "lib/exe/css.php", "lib/exe/fetch.php", "lib/plugins/acl/plugin.info.txt", "lib/plugins/config/plugin.info.txt",
	"lib/tpl/dokuwiki/main.php", "lib/tpl/dokuwiki/template.info.txt", "conf/dokuwiki.php", "conf/plugins.required.php",
	"vendor/autoload.php", deletedFiles,
}

// core stages a release of DokuWiki itself. Files go over what is there, but
// for what the site's owner writes: settings, accounts, pages, plugins and
// templates of others. VERSION and doku.php go last: a site whose update
// stopped on the way still says that it is the old version.
func (p *staging) core() error {
	for _, name := range landmarks {
		if info, err := p.Root.Lstat(path.Join(p.Top, name)); err != nil || !info.Mode().IsRegular() {
			return parcel.Refused("is not a complete release: no %s", name)
		}
	}
	if err := p.coreVersion(); err != nil {
		return err
	}
	list, err := p.Read(deletedFiles)
	if err != nil {
		return err
	}
	obsolete, err := p.obsolete(list, mayGo)
	if err != nil {
		return err
	}
	if err := p.drop(p.layout.Root, obsolete); err != nil {
		return err
	}
	return p.coreMoves()
}

// phpWanted is where the installer of a release states the PHP it needs.
var phpWanted = regexp.MustCompile(`version_compare\(\s*phpversion\(\)\s*,\s*['"]([0-9.]+)['"]\s*,\s*['"]<['"]`)

func (p *staging) coreVersion() error {
	text, err := p.Read("VERSION")
	if err != nil {
		return err
	}
	found, _ := parseVersion(text)
	if promised := string(p.Staged.Update.Release.Version); found != promised {
		return parcel.Refused("holds version %q, promised %q", found, promised)
	}
	installer, err := p.Read("install.php")
	if err != nil {
		return err
	}
	if match := phpWanted.FindSubmatch(installer); match != nil {
		return p.needsPHP(string(match[1]))
	}
	return nil
}

// mayGo reports whether a release may take away a path: nothing of what the
// site's owner writes, whatever a list says.
func mayGo(name string) bool {
	top, rest, _ := strings.Cut(name, "/")
	switch {
	case name == layout.Preload, name == layout.Waiting, top == "data":
		return false
	case top == "conf":
		return rest != "" && !ownConf(rest)
	case rest == "" && slices.Contains([]string{"inc", "lib", "vendor", "bin", "VERSION", "doku.php"}, name):
		return false
	case name == "lib/plugins", name == "lib/tpl", name == "lib/exe":
		return false
	}
	return true
}

// ownConf reports whether a file of conf is the site's, whatever the release.
func ownConf(name string) bool {
	switch name {
	case "local.php", "local.protected.php", "acl.auth.php", "users.auth.php", "plugins.local.php", "plugins.protected.php":
		return true
	}
	base := path.Base(name)
	return strings.Contains(base, ".local.") || strings.HasPrefix(base, "user") && !strings.HasSuffix(base, ".dist") || strings.HasSuffix(base, ".bak")
}

// coreMoves plans the moves in their order.
func (p *staging) coreMoves() error {
	entries, err := fs.ReadDir(p.Root.FS(), p.Top)
	if err != nil {
		return err
	}
	plan := map[string]func(string) error{
		"bin": p.takeWhole, "vendor": p.takeWhole, "inc": p.takeInc, "lib": p.takeLib, "conf": p.takeConf, "data": p.takeData,
	}
	for _, entry := range entries {
		name := entry.Name()
		if entry.IsDir() {
			take := plan[name]
			if take == nil {
				return parcel.Refused("holds the folder %s, which no release does", name)
			}
			if err := take(name); err != nil {
				return err
			}
		}
	}
	return p.takeRoot(entries)
}

func (p *staging) takeWhole(name string) error {
	return p.Take(name, filepath.Join(p.layout.Root, name))
}

// takeEach takes what a folder of the package holds, one by one, to the folder
// to; each may say where else something goes, or "" for nowhere.
func (p *staging) takeEach(dir string, each func(entry fs.DirEntry) string) error {
	entries, err := fs.ReadDir(p.Root.FS(), path.Join(p.Top, dir))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		to := each(entry)
		if to == "" {
			continue
		}
		if err := p.Take(path.Join(dir, entry.Name()), to); err != nil {
			return err
		}
	}
	return nil
}

// takeInc takes inc file by file: the gate is in it.
func (p *staging) takeInc(dir string) error {
	for _, name := range []string{layout.Preload, layout.Waiting} {
		if _, err := p.Root.Lstat(path.Join(p.Top, name)); err == nil {
			return parcel.Refused("holds %s, which no release does", name)
		}
	}
	return p.takeEach(dir, func(entry fs.DirEntry) string { return filepath.Join(p.layout.Root, dir, entry.Name()) })
}

// takeLib takes the plugins and the template that come with the release to
// where the site keeps such.
func (p *staging) takeLib(dir string) error {
	err := p.takeEach(dir, func(entry fs.DirEntry) string {
		if name := entry.Name(); name != "plugins" && name != "tpl" {
			return filepath.Join(p.layout.Root, dir, name)
		}
		return ""
	})
	if err != nil {
		return err
	}
	for _, kept := range []struct {
		dir, prefix, to string
		kind            upkeep.Kind
	}{
		{"lib/plugins", "", p.layout.Dirs[layout.DirPlugins], upkeep.Plugin},
		{"lib/tpl", "template:", p.layout.Dirs[layout.DirTemplates], upkeep.Theme},
	} {
		var stranger string
		err := p.takeEach(kept.dir, func(entry fs.DirEntry) string {
			if entry.IsDir() && !bundled[kept.prefix+entry.Name()] && p.foreign(path.Join(kept.dir, entry.Name()), filepath.Join(kept.to, entry.Name()), kept.kind) {
				stranger = path.Join(kept.dir, entry.Name())
			}
			return filepath.Join(kept.to, entry.Name())
		})
		if err != nil {
			return err
		}
		if stranger != "" {
			return parcel.Refused("brings %s, which the site has from elsewhere", stranger).
				WithHint("Update DokuWiki by hand, or remove %s first.", stranger)
		}
	}
	return nil
}

// foreign reports whether the site has another's extension in the folder of one
// that the release brings.
func (p *staging) foreign(name, place string, kind upkeep.Kind) bool {
	if !p.installed(place) {
		return false
	}
	ours, err := p.Read(path.Join(name, infoFile(kind)))
	if err != nil {
		return true
	}
	site, err := p.Host.Open(place)
	if err != nil {
		return true
	}
	defer site.Close()
	theirs, err := cms.ReadBounded(site, infoFile(kind), maxInfo)
	return err != nil || parseInfo(ours)["author"] != parseInfo(theirs)["author"]
}

func (p *staging) installed(dir string) bool {
	there, err := parcel.IsFolder(p.Host, dir)
	return err == nil && there
}

// takeConf takes the release's own configuration.
func (p *staging) takeConf(dir string) error {
	var own string
	err := p.takeEach(dir, func(entry fs.DirEntry) string {
		if entry.IsDir() || ownConf(entry.Name()) {
			own = entry.Name()
			return ""
		}
		return filepath.Join(p.layout.Dirs[layout.DirDefaults], entry.Name())
	})
	if err == nil && own != "" {
		err = parcel.Refused("holds conf/%s, which no release does", own)
	}
	return err
}

// takeData takes of the release's data what DokuWiki does not start without:
// folders that the site does not have yet, the list of deleted files and what
// keeps the folder from the web. Pages and media are the site's.
func (p *staging) takeData(dir string) error {
	to := p.layout.Dirs[layout.DirData]
	return p.takeEach(dir, func(entry fs.DirEntry) string {
		name := entry.Name()
		place := filepath.Join(to, name)
		if entry.IsDir() && !p.installed(place) || name == "deleted.files" || name == ".htaccess" {
			return place
		}
		return ""
	})
}

// takeRoot takes the files of the root. An installer that the owner removed
// stays away.
func (p *staging) takeRoot(entries []fs.DirEntry) error {
	last := []string{"VERSION", "doku.php"}
	for _, entry := range entries {
		name := entry.Name()
		switch {
		case entry.IsDir() || slices.Contains(last, name):
			continue
		case name == ".htaccess" || name == ".user.ini":
			return parcel.Refused("holds %s, which no release does", name)
		case name == "install.php" && !p.there(name):
			continue
		}
		if err := p.takeWhole(name); err != nil {
			return err
		}
	}
	for _, name := range last {
		if err := p.takeWhole(name); err != nil {
			return err
		}
	}
	return nil
}

func (p *staging) there(name string) bool {
	root, err := p.Host.Open(p.layout.Root)
	if err != nil {
		return false
	}
	defer root.Close()
	_, err = root.Lstat(name)
	return err == nil
}
