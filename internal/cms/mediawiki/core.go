package mediawiki

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"upkeep"
	"upkeep/internal/cms/mediawiki/layout"
	"upkeep/internal/cms/parcel"
)

// landmarks are files that every complete release holds.
var landmarks = [...]string{
	"index.php", "api.php", "load.php", "autoload.php", "includes/Defines.php", "includes/Setup.php", "includes/WebStart.php",
	"includes/AutoLoader.php", "maintenance/update.php", "maintenance/Maintenance.php", "resources/Resources.php", "vendor/autoload.php",
	"languages/i18n/en.json", "mw-config/index.php",
}

// core stages a release of MediaWiki. Its folders take the places of the old
// ones whole, those of extensions and skins one by one, so that what the owner
// added stays; uploads, LocalSettings.php and composer.local.json are in
// neither. includes, which says the version, goes last: a site whose update
// stopped on the way still says that it is the old one.
func (p *staging) core() error {
	for _, name := range landmarks {
		if info, err := p.Root.Lstat(path.Join(p.Top, name)); err != nil || !info.Mode().IsRegular() {
			return parcel.Refused("is not a complete release: no %s", name)
		}
	}
	if err := p.coreVersion(); err != nil {
		return err
	}
	entries, err := fs.ReadDir(p.Root.FS(), p.Top)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := p.takeEntry(entry); err != nil {
			return err
		}
	}
	if err := p.dropOld(); err != nil {
		return err
	}
	return p.Take("includes", filepath.Join(p.layout.Root, "includes"))
}

var (
	// phpWanted is where a release states the PHP it needs.
	phpWanted = regexp.MustCompile(`\$minimumVersion\s*=\s*'([0-9.]+)'|MINIMUM_PHP\s*=\s*'[0-9.]+'`)
	// tooOld is what its updater says to a wiki that is too far behind.
	tooOld = regexp.MustCompile(`versions older than (\d+\.\d+), please upgrade`)
)

func (p *staging) coreVersion() error {
	text, err := p.Read("includes/Defines.php")
	if err != nil {
		return err
	}
	found := match(versionDefined, text)
	if promised := string(p.Staged.Update.Release.Version); found != promised {
		return parcel.Refused("holds version %q, promised %q", found, promised)
	}
	if text, err = p.Read("maintenance/update.php"); err != nil {
		return err
	}
	installed := string(p.Component().Version)
	if oldest := match(tooOld, text); oldest != "" && CompareVersions(branch(installed), oldest) < 0 {
		return parcel.Refused("cannot take over from %s, only from %s on", installed, oldest).
			WithHint("Update to a release in between first.")
	}
	if text, err = p.Read("includes/PHPVersionCheck.php"); err != nil {
		return err
	}
	return p.needsPHP(match(phpWanted, text))
}

// takeEntry takes one of the top of the package.
func (p *staging) takeEntry(entry fs.DirEntry) error {
	name := entry.Name()
	switch {
	case name == layout.LocalSettings || name == layout.Waiting || name == "composer.local.json" || name == ".htaccess" || name == ".user.ini":
		return parcel.Refused("holds %s, which no release does", name)
	case name == "includes":
		return nil // last
	case name == "mw-config" && !isFolder(filepath.Join(p.layout.Root, name)):
		return nil // an installer that the owner removed stays away
	case name == "extensions" || name == "skins":
		return p.takeChildren(name)
	case name == "images" || name == "cache":
		return p.takeMissing(name)
	}
	return p.Take(name, filepath.Join(p.layout.Root, name))
}

// takeChildren takes the extensions or skins of the release to where the site
// keeps such.
func (p *staging) takeChildren(dir string) error {
	entries, err := fs.ReadDir(p.Root.FS(), path.Join(p.Top, dir))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		to := filepath.Join(p.layout.Dirs[dir], entry.Name()) // the keys of Dirs are these names
		if info, err := os.Lstat(to); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return parcel.Refused("brings %s, which is a link here", path.Join(dir, entry.Name())).
				WithHint("Replace the link by the folder itself.")
		}
		if err := p.Take(path.Join(dir, entry.Name()), to); err != nil {
			return err
		}
	}
	return nil
}

// takeMissing takes what keeps a folder of the site's from the web, where the
// site has not got it.
func (p *staging) takeMissing(dir string) error {
	to := filepath.Join(p.layout.Root, dir)
	if there, err := parcel.IsFolder(p.Host, to); err != nil || !there {
		return err // uploads are elsewhere
	}
	entries, err := fs.ReadDir(p.Root.FS(), path.Join(p.Top, dir))
	if err != nil {
		return err
	}
	site, err := p.Host.Open(to)
	if err != nil {
		return err
	}
	defer site.Close()
	for _, entry := range entries {
		if _, err := site.Lstat(entry.Name()); !errors.Is(err, fs.ErrNotExist) || entry.IsDir() {
			continue
		}
		if err := p.Take(path.Join(dir, entry.Name()), filepath.Join(to, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

// formerly are files of the root that releases had.
var formerly = []string{
	"api.php5", "img_auth.php5", "index.php5", "load.php5", "opensearch_desc.php", "opensearch_desc.php5", "profileinfo.php", "profileinfo.php5",
	"redirect.php", "redirect.php5", "redirect.phtml", "StartProfiler.sample", "thumb.php5", "trackback.php", "trackback.php5", "wiki.phtml",
}

// dropOld plans to take away what earlier releases had at the top.
func (p *staging) dropOld() error {
	site, err := p.Host.Open(p.layout.Root)
	if err != nil {
		return err
	}
	defer site.Close()
	entries, err := fs.ReadDir(site.FS(), ".")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := entry.Name()
		if !slices.Contains(formerly, name) && !strings.HasPrefix(name, "RELEASE-NOTES-1.") {
			continue
		}
		if _, err := p.Root.Lstat(path.Join(p.Top, name)); err != nil && entry.Type().IsRegular() {
			p.Staged.Drop = append(p.Staged.Drop, filepath.Join(p.layout.Root, name))
		}
	}
	return nil
}

// isCore reports whether the update is MediaWiki's own.
func isCore(u *upkeep.Update) bool { return u.Component.Kind == upkeep.Core }
