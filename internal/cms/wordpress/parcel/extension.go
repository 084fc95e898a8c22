package parcel

import (
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"upkeep/internal/cms"
	"upkeep/internal/cms/php"
	"upkeep/internal/cms/php/config"
	"upkeep/internal/cms/wordpress/header"
	"upkeep/internal/cms/wordpress/layout"
)

// plugin stages a plugin: one folder in the place of the installed one, or
// one file where the installed plugin is a single file.
func (p *parcel) plugin() error {
	dir, file, inFolder := strings.Cut(p.component().ID, "/")
	if !inFolder {
		return p.singleFile(p.component().ID)
	}
	if err := p.folder(dir); err != nil {
		return err
	}
	if err := p.pluginFile(path.Join(dir, file)); err != nil {
		return err
	}
	if err := p.companions(dir); err != nil {
		return err
	}
	return p.take(dir, p.component().Path)
}

// pluginFile checks the header of the plugin's own file in the package.
func (p *parcel) pluginFile(name string) error {
	text, err := p.read(name)
	if err != nil {
		return err
	}
	if text == nil {
		return refused("holds no %s", name)
	}
	headers := header.Parse(text, header.Plugin, false)
	if headers["Name"] == "" {
		return refused("%s has no plugin header", name)
	}
	if err := p.promised(headers["Version"]); err != nil {
		return err
	}
	if err := p.known(headers); err != nil {
		return err
	}
	return p.needs(headers)
}

// known refuses another plugin under the same name of a folder. A plugin may
// be renamed, or change hands; both at once, and with nothing else in common,
// is a stranger.
func (p *parcel) known(headers map[string]string) error {
	installed := p.component().Headers
	for _, key := range []string{"Name", "Author", "PluginURI", "AuthorURI"} {
		if installed[key] == headers[key] && headers[key] != "" {
			return nil
		}
	}
	if installed["Author"] == "" || headers["Author"] == "" {
		return nil
	}
	return refused("holds %q by %q: installed is %q by %q", headers["Name"], headers["Author"], installed["Name"], installed["Author"]).
		WithHint("Has the plugin been taken over? Ask its author before you install it by hand.")
}

// companions refuses a package that lacks another plugin of the same folder:
// putting it in place would take that one away.
func (p *parcel) companions(dir string) error {
	site, err := p.host.Open(p.component().Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
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
		if !entry.Type().IsRegular() || path.Ext(name) != ".php" || path.Join(dir, name) == p.component().ID {
			continue
		}
		text, err := cms.ReadBounded(site, name, maxSource)
		if err != nil {
			continue // too large or unreadable to be a plugin's file
		}
		if header.Parse(text, header.Plugin, false)["Name"] == "" {
			continue
		}
		fresh, err := p.read(path.Join(dir, name))
		if err != nil {
			return err
		}
		if header.Parse(fresh, header.Plugin, false)["Name"] == "" {
			return refused("lacks the plugin %s, which is installed in the same folder", path.Join(dir, name)).
				WithHint("Remove that plugin if it is no longer needed, then update again.")
		}
	}
	return nil
}

// singleFile stages a plugin that is one file beside the folders of others.
// Publishers pack it in a folder with its readme; WordPress would install that
// as a second plugin under another ID and leave the first one broken.
func (p *parcel) singleFile(file string) error {
	entries, err := p.entries()
	if err != nil {
		return err
	}
	dir := ""
	if len(entries) == 1 && entries[0].IsDir() {
		dir = entries[0].Name()
		if entries, err = fs.ReadDir(p.root.FS(), dir); err != nil {
			return err
		}
	}
	for _, entry := range entries {
		name := strings.ToLower(entry.Name())
		switch ext := path.Ext(name); {
		case entry.Name() == file, ext == ".txt", ext == ".md", name == ".ds_store":
		default:
			return refused("holds %s: the plugin has become a folder, installed is the single file %s", entry.Name(), file).
				WithHint("Install the new form by hand, activate it, and delete %s.", file)
		}
	}
	name := path.Join(dir, file)
	if err := p.pluginFile(name); err != nil {
		return err
	}
	return p.take(name, p.component().Path)
}

// theme stages a theme: one folder whose style.css is that of the same theme.
func (p *parcel) theme() error {
	dir := base(p.component().ID)
	if err := p.folder(dir); err != nil {
		return err
	}
	text, err := p.read(path.Join(dir, "style.css"))
	if err != nil {
		return err
	}
	headers := header.Parse(text, header.Theme, false)
	if headers["Name"] == "" {
		return refused("style.css has no theme header")
	}
	if err := p.promised(headers["Version"]); err != nil {
		return err
	}
	if headers["Template"] != p.component().Parent {
		return refused("is a child of theme %q, installed is one of %q", headers["Template"], p.component().Parent)
	}
	if err := p.needs(headers); err != nil {
		return err
	}
	return p.take(dir, p.component().Path)
}

// needs checks requirements that the package states and its publisher did not
// announce: those announced were compared when the update was decided, where
// a core update on the way could be taken into account.
func (p *parcel) needs(headers map[string]string) error {
	if want := headers["RequiresPHP"]; more(want, string(p.release().RequiresPHP)) {
		env, err := environment(p.ctx, p.host, p.layout)
		if err != nil {
			return err
		}
		if php.CompareVersions(env.PHP, want) < 0 {
			return refused("needs PHP %s, the site has %s", want, env.PHP)
		}
	}
	if want := headers["RequiresWP"]; more(want, string(p.release().RequiresCMS)) {
		have, err := p.coreInstalled()
		if err != nil {
			return err
		}
		if php.CompareVersions(coreNumber(have), coreNumber(want)) < 0 {
			return refused("needs WordPress %s, the site has %s", want, have).
				WithHint("Update WordPress first.")
		}
	}
	return p.needsPlugins(headers["RequiresPlugins"])
}

// more reports whether the package asks for more than was announced.
func more(want, announced string) bool {
	return want != "" && (announced == "" || php.CompareVersions(coreNumber(want), coreNumber(announced)) > 0)
}

// coreNumber drops what WordPress ignores in requirements: a suffix such as
// -beta, and ".0" at the end of three numbers.
func coreNumber(version string) string {
	version, _, _ = strings.Cut(version, "-")
	if strings.Count(version, ".") > 1 {
		version = strings.TrimSuffix(version, ".0")
	}
	return version
}

func (p *parcel) coreInstalled() (string, error) {
	site, err := p.host.Open(layout.CoreDir(p.layout))
	if err != nil {
		return "", err
	}
	defer site.Close()
	text, err := cms.ReadBounded(site, "wp-includes/version.php", maxSource)
	if err != nil {
		return "", err
	}
	value, _ := config.Read(text, config.Source{}).Variable("wp_version")
	return value.Text(), nil
}

// needsPlugins checks that plugins are there which the package depends on.
func (p *parcel) needsPlugins(text string) error {
	announced := map[string]bool{}
	for _, slug := range p.release().RequiresComponents {
		announced[slug] = true
	}
	for slug := range strings.SplitSeq(text, ",") {
		slug = strings.TrimSpace(slug)
		if slug == "" || announced[slug] || !fs.ValidPath(slug) || strings.Contains(slug, "/") {
			continue
		}
		there, err := isFolder(p.host, filepath.Join(p.layout.Dirs[layout.DirPlugins], slug))
		if err != nil {
			return err
		}
		if !there {
			return refused("needs the plugin %s, which is not installed", slug).WithHint("Install it, then update again.")
		}
	}
	return nil
}
