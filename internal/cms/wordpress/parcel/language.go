package parcel

import (
	"path"
	"path/filepath"
	"regexp"

	"upkeep"
	"upkeep/internal/cms/wordpress/layout"
)

// languageFile matches the names that a language pack of one text domain and
// locale may hold; the domain of core is "".
func languageFile(domain, locale string) *regexp.Regexp {
	before := regexp.QuoteMeta(domain) + "-"
	if domain == "" {
		before = "(?:(?:admin|admin-network|continents-cities)-)?"
	}
	return regexp.MustCompile(`^` + before + regexp.QuoteMeta(locale) + `(?:\.(?:mo|po|l10n\.php)|-[0-9A-Za-z_.-]+\.json)$`)
}

// literal matches a .l10n.php that only returns data: strings, brackets and
// the NUL that joins plural forms. WordPress executes these files, so nothing
// that could be a call may be in one.
var literal = regexp.MustCompile(`^<\?php\s+return\s*(?:'(?:[^'\\]|\\.)*'|"\\0"|=>|[\[\],.\s]|array\(|\)|\d)*;\s*$`)

// language stages a language pack. Its files are replaced one by one, as the
// folder holds those of others too.
func (p *parcel) language() error {
	component := p.component()
	domain := component.Slug
	if domain == layout.CoreDomain {
		domain = ""
	}
	locale := component.Locale
	if locale == "" || p.release().Locale != "" && p.release().Locale != locale {
		return refused("is for locale %q, installed is %q", p.release().Locale, locale)
	}
	dir, err := p.languageDir()
	if err != nil {
		return err
	}
	entries, err := p.entries()
	if err != nil {
		return err
	}
	allowed, catalogues := languageFile(domain, locale), 0
	for _, entry := range entries {
		name := entry.Name()
		if !entry.Type().IsRegular() || !allowed.MatchString(name) {
			return refused("holds %s, which is no language file of %s for %s", name, component.Slug, locale)
		}
		if err := p.inert(name); err != nil {
			return err
		}
		if ext := path.Ext(name); ext == ".mo" || ext == ".php" {
			catalogues++
		}
		if err := p.take(name, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	if catalogues == 0 {
		return refused("holds no translations")
	}
	return nil
}

// languageDir is the folder that the component's files are in.
func (p *parcel) languageDir() (string, error) {
	dir := p.component().Path
	if path.Ext(dir) != "" {
		dir = filepath.Dir(dir)
	}
	there, err := isFolder(p.host, dir)
	if err == nil && !there {
		err = upkeep.Errorf(upkeep.CodeConflict, "no folder %s", dir)
	}
	return dir, err
}

// inert refuses a translation that could do more than be read.
func (p *parcel) inert(name string) error {
	if path.Ext(name) != ".php" {
		return nil
	}
	text, err := p.read(name)
	if err != nil {
		return err
	}
	if !literal.Match(text) {
		return refused("%s is more than a list of translations", name)
	}
	return nil
}
