package parcel

import (
	"bytes"
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	cargo "upkeep/internal/cms/parcel"
	"upkeep/internal/cms/php"
	"upkeep/internal/cms/php/config"
	"upkeep/internal/cms/wordpress/layout"
)

// landmarks are files that every complete release holds. WordPress also
// publishes partial packages of only what changed; a folder of one of those
// in the place of wp-admin would be the end of the site.
var landmarks = [...]string{
	"index.php", "wp-load.php", "wp-settings.php", "wp-login.php", "wp-cron.php",
	"wp-admin/admin.php", "wp-admin/index.php", "wp-admin/upgrade.php", "wp-admin/includes/upgrade.php",
	"wp-admin/includes/update-core.php", "wp-admin/includes/class-wp-upgrader.php", "wp-admin/css/common.css",
	"wp-includes/version.php", "wp-includes/load.php", "wp-includes/functions.php", "wp-includes/option.php",
	"wp-includes/pluggable.php", "wp-includes/post.php", "wp-includes/js/jquery/jquery.js",
}

// core stages a release of WordPress itself. wp-admin and the files of the
// root go first and wp-includes last, because version.php is in it: a site
// whose update stopped on the way still says that it is the old version. In
// between it answers nobody, as old and new files do not load together.
func (p *parcel) core() error {
	if err := p.folder("wordpress"); err != nil {
		return err
	}
	for _, name := range landmarks {
		if info, err := p.root.Lstat("wordpress/" + name); err != nil || !info.Mode().IsRegular() {
			return refused("is not a complete release: no %s", name)
		}
	}
	if err := p.coreVersion(); err != nil {
		return err
	}
	if err := p.coreMoves(); err != nil {
		return err
	}
	obsolete, err := p.obsolete()
	if err != nil {
		return err
	}
	site, err := p.host.Open(layout.CoreDir(p.layout))
	if err != nil {
		return err
	}
	defer site.Close()
	for _, name := range obsolete {
		if inSwapped(name) {
			continue
		}
		if _, err := site.Lstat(name); err == nil {
			p.staged.Drop = append(p.staged.Drop, filepath.Join(layout.CoreDir(p.layout), name))
		}
	}
	return p.strangers(site.FS(), obsolete)
}

// inSwapped reports whether a path of the root goes away with a whole folder.
func inSwapped(name string) bool {
	return strings.HasPrefix(name, "wp-admin/") || strings.HasPrefix(name, "wp-includes/")
}

// coreVersion checks what wp-includes/version.php says.
func (p *parcel) coreVersion() error {
	text, err := p.read("wordpress/wp-includes/version.php")
	if err != nil {
		return err
	}
	file := config.Read(text, config.Source{})
	says := func(name string) string {
		value, _ := file.Variable(name)
		return value.Text()
	}
	if err := p.promised(says("wp_version")); err != nil {
		return err
	}
	want := p.release().Locale
	if want == "en_US" {
		want = ""
	}
	if got := says("wp_local_package"); got != want {
		return refused("is the build for locale %q, promised %q", got, want)
	}
	extensions, _ := file.Variable("required_php_extensions")
	return p.coreNeeds(says("required_php_version"), says("required_mysql_version"), extensions)
}

// coreNeeds compares what the release asks for with what the site runs on.
func (p *parcel) coreNeeds(phpVersion, mysqlVersion string, extensions *php.Value) error {
	env, err := environment(p.ctx, p.host, p.layout)
	if err != nil {
		return err
	}
	if phpVersion == "" || mysqlVersion == "" {
		return refused("does not say which PHP and database it needs")
	}
	if php.CompareVersions(env.PHP, phpVersion) < 0 {
		return refused("needs PHP %s, the site has %s", phpVersion, env.PHP)
	}
	for _, extension := range extensions.All() {
		if !slices.ContainsFunc(env.Extensions, func(have string) bool { return strings.EqualFold(have, extension.Text()) }) {
			return refused("needs the PHP extension %s", extension.Text())
		}
	}
	if p.layout.Database == nil || p.layout.Database.Engine == "sqlite" {
		return nil
	}
	rows, err := p.host.Query(p.ctx, p.layout.Database, "SELECT VERSION()")
	if err != nil {
		return err
	}
	if len(rows) != 1 || len(rows[0]) != 1 {
		return upkeep.Errorf(upkeep.CodeUnreachable, "the database does not tell its version")
	}
	have := serverVersion(string(rows[0][0]))
	if php.CompareVersions(have, mysqlVersion) < 0 {
		return refused("needs MySQL %s or an equal, the site has %s", mysqlVersion, have)
	}
	return nil
}

// serverVersion is what WordPress compares: digits and dots, without the
// prefix by which MariaDB pleases old replicas.
func serverVersion(text string) string {
	text = strings.TrimPrefix(text, "5.5.5-")
	if end := strings.IndexFunc(text, func(r rune) bool { return r != '.' && (r < '0' || r > '9') }); end >= 0 {
		text = text[:end]
	}
	return text
}

// coreMoves plans the moves in their order. wp-content is the site's own:
// themes and plugins that come with a release are not installed.
func (p *parcel) coreMoves() error {
	entries, err := fs.ReadDir(p.root.FS(), "wordpress")
	if err != nil {
		return err
	}
	if err := p.take("wordpress/wp-admin", filepath.Join(layout.CoreDir(p.layout), "wp-admin")); err != nil {
		return err
	}
	for _, entry := range entries {
		name := entry.Name()
		switch {
		case entry.IsDir() && (name == "wp-admin" || name == "wp-includes" || name == "wp-content"):
			continue
		case entry.IsDir() || name[0] == '.' || strings.EqualFold(name, "wp-config.php"):
			return refused("holds %s, which no release does", name)
		}
		if err := p.take(path.Join("wordpress", name), filepath.Join(layout.CoreDir(p.layout), name)); err != nil {
			return err
		}
	}
	if err := p.coreLanguages(); err != nil {
		return err
	}
	return p.take("wordpress/wp-includes", filepath.Join(layout.CoreDir(p.layout), "wp-includes"))
}

// coreLanguages plans the language files of a localized build, one by one:
// the folder holds those of plugins and themes as well.
func (p *parcel) coreLanguages() error {
	const from = "wordpress/wp-content/languages"
	entries, err := fs.ReadDir(p.root.FS(), from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	to := p.layout.Dirs[layout.DirLanguages]
	if there, err := isFolder(p.host, to); err != nil || !there {
		return err // a site that has no folder for languages shows none
	}
	for _, entry := range entries {
		if entry.IsDir() {
			continue // of themes that come with the release
		}
		if !languageFile("", p.release().Locale).MatchString(entry.Name()) {
			return refused("%s is no language file of %s", entry.Name(), p.release().Locale)
		}
		if err := p.inert(path.Join(from, entry.Name())); err != nil {
			return err
		}
		if err := p.take(path.Join(from, entry.Name()), filepath.Join(to, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

// obsolete reads which files of earlier releases the new one removes. The
// lists are in its own upgrader, which is read, not run.
func (p *parcel) obsolete() ([]string, error) {
	text, err := p.read("wordpress/wp-admin/includes/update-core.php")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, name := range listed(text, "$_old_files") {
		name = strings.TrimSuffix(name, "/")
		if !fs.ValidPath(name) || name == "." || name == "wp-content" || name == "wp-admin" || name == "wp-includes" || strings.EqualFold(name, "wp-config.php") {
			return nil, refused("calls %q obsolete", name)
		}
		names = append(names, name)
	}
	if names == nil {
		return nil, refused("its list of obsolete files does not read")
	}
	for _, name := range listed(text, "$_old_requests_files") {
		if inSwapped(name) { // the others are names of classes
			names = append(names, strings.TrimSuffix(name, "/"))
		}
	}
	return names, nil
}

// listed returns the strings of an array that WordPress's upgrader assigns
// before its first function. What separates two such lists are comments.
func listed(upgrader []byte, variable string) []string {
	lists, _, _ := bytes.Cut(upgrader, []byte("function update_core("))
	_, after, found := bytes.Cut(lists, []byte(variable+" = array("))
	if !found {
		return nil
	}
	own, _, _ := bytes.Cut(after, []byte("global $_"))
	return config.Strings(append([]byte("<?php "), own...))
}

// strangers finds what stands in wp-admin and wp-includes and belongs neither
// to the new release nor to what it removes. It goes aside with the folder.
func (p *parcel) strangers(site fs.FS, obsolete []string) error {
	known := map[string]bool{}
	for _, name := range obsolete {
		known[name] = true
	}
	var found []string
	for _, top := range []string{"wp-admin", "wp-includes"} {
		err := fs.WalkDir(site, top, func(name string, entry fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrPermission):
				return nil
			case err != nil:
				return err
			case known[name] && entry.IsDir():
				return fs.SkipDir
			case entry.IsDir() || known[name] || carried(name):
				return nil
			}
			if _, err := p.root.Lstat(path.Join("wordpress", name)); err == nil {
				return nil
			}
			found = append(found, filepath.Join(layout.CoreDir(p.layout), name))
			return nil
		})
		if err != nil {
			return err
		}
	}
	if found != nil {
		p.staged.Findings = append(p.staged.Findings, upkeep.Finding{Code: "stranger_removed", Component: p.component().Ref(), Paths: found})
	}
	return nil
}

// isFolder reports whether dir is a folder of the site.
func isFolder(h cms.Host, dir string) (bool, error) { return cargo.IsFolder(h, dir) }
