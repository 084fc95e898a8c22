package joomla

import (
	"io/fs"
	"path"
	"regexp"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/joomla/inventory"
	"upkeep/internal/cms/parcel"
	"upkeep/internal/cms/php"
	"upkeep/internal/cms/recall"
)

// extension checks that a package is the extension and the version promised.
func (p *staging) extension() error {
	c := &p.staged.Update.Component
	switch {
	case c.Link != "":
		return parcel.Refused("%s is a link to %s", c.Path, c.Link).
			WithHint("It is kept elsewhere: update it there, or replace the link by the folder itself.")
	case c.Headers[inventory.HeaderBundled] != "":
		return parcel.Refused("%s comes with Joomla", c.ID).WithHint("Update Joomla itself.")
	case c.Headers[inventory.HeaderPackage] != "":
		return parcel.Refused("%s is part of %s", c.ID, c.Headers[inventory.HeaderPackage]).WithHint("Update the package.")
	}
	m, err := manifestOf(p.root, p.top, c.Headers[inventory.HeaderElement])
	if err != nil {
		return err
	}
	want := inventory.Identity{
		Type: c.Headers[inventory.HeaderType], Element: c.Headers[inventory.HeaderElement],
		Folder: c.Headers[inventory.HeaderFolder], Client: clientNumber(c.Headers[inventory.HeaderClient]),
	}
	if found := m.identity; found.Type != want.Type || found.ID() != want.ID() {
		return parcel.Refused("is %s %q, installed is %s %q", found.Type, found.ID(), want.Type, want.ID())
	}
	if promised := string(p.staged.Update.Release.Version); php.CompareVersions(m.Version, promised) != 0 {
		return parcel.Refused("holds version %q, promised %q", m.Version, promised)
	}
	if m.Method != "upgrade" {
		return parcel.Refused("cannot be installed over what is there: its manifest does not say method=upgrade")
	}
	if err := p.needsPHP(m.PHP); err != nil {
		return err
	}
	site, err := recall.Within(p.site)
	if err != nil {
		return err
	}
	defer site.Close()
	if installed := new(inventory.Manifests).Of(want, site); installed != nil && paid(installed.Name, installed.Version) && !paid(m.Name, m.Version) {
		return parcel.Refused("is the free edition, installed is the paid one: %s", installed.Name).
			WithHint("Enter the vendor's download key in Joomla's update sites.")
	}
	return p.content(m)
}

// paidWords are how vendors call the edition that costs something.
var paidWords = regexp.MustCompile(`(?i)\b(pro|professional|premium|paid|business|enterprise|developer)\b|[a-z0-9](Pro|PRO)\b`)

// paid reports whether name and version are of the paid edition.
func paid(name, version string) bool {
	return paidWords.MatchString(name) || paidWords.MatchString(version)
}

func clientNumber(name string) string {
	switch name {
	case "administrator":
		return "1"
	case "api":
		return "3"
	}
	return "0"
}

// found is a package's manifest, and what it is of.
type found struct {
	inventory.Manifest
	identity inventory.Identity
}

// manifestOf reads the manifest of a package: an XML file at its top whose
// root is extension. Where there are several, the one of the element counts.
func manifestOf(root fsRoot, dir, element string) (*found, error) {
	entries, err := fs.ReadDir(root.FS(), dir)
	if err != nil {
		return nil, err
	}
	var best *found
	for _, entry := range entries {
		if entry.IsDir() || !strings.HasSuffix(entry.Name(), ".xml") {
			continue
		}
		text, err := fs.ReadFile(root.FS(), path.Join(dir, entry.Name()))
		if err != nil {
			return nil, err
		}
		m := inventory.ParseManifest(text)
		if m == nil || m.XMLName.Local != "extension" {
			continue
		}
		f := &found{Manifest: *m, identity: identityOf(m, strings.TrimSuffix(entry.Name(), ".xml"))}
		if best == nil || f.identity.Element == element {
			best = f
		}
	}
	if best == nil {
		return nil, parcel.Refused("holds no manifest")
	}
	return best, nil
}

// fsRoot is what lends a package's files.
type fsRoot interface{ FS() fs.FS }

var notWord = regexp.MustCompile(`[^A-Za-z0-9._-]`)

// identityOf is what a manifest is of, by the rules of Joomla's adapters. base
// is the name of its file.
func identityOf(m *inventory.Manifest, base string) inventory.Identity {
	id := inventory.Identity{Type: m.Type, Element: m.Element, Client: clientNumber(m.Client)}
	word := func(name string) string { return notWord.ReplaceAllString(strings.ToLower(name), "") }
	marked := func() string {
		for _, files := range m.Files {
			for _, entry := range files.Entries {
				if name := entry.Plugin + entry.Module; name != "" {
					return name
				}
			}
		}
		return m.Element
	}
	switch m.Type {
	case "component":
		if id.Element == "" {
			id.Element = m.Name
		}
		id.Element, id.Client = "com_"+strings.TrimPrefix(word(id.Element), "com_"), "1"
	case "plugin":
		id.Element, id.Folder, id.Client = marked(), m.Group, "0"
	case "module":
		id.Element = marked()
	case "template":
		if id.Element == "" {
			id.Element = m.Name
		}
		id.Element = strings.ReplaceAll(strings.ToLower(id.Element), " ", "_")
	case "library":
		id.Element, id.Client = m.LibraryName, "0"
	case "package":
		id.Element, id.Client = "pkg_"+word(m.PackageName), "0"
		if strings.ContainsAny(m.PackageName, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") { // Joomla keeps the case of pkg_fr-FR
			id.Element = "pkg_" + notWord.ReplaceAllString(m.PackageName, "")
		}
	case "language":
		id.Element = m.Tag
	case "file":
		id.Element, id.Client = base, "0"
	}
	return id
}

// folderOf is where Joomla's installer finds a staged package.
func folderOf(h cms.Host, s *cms.Staged) (string, error) {
	root, err := h.Open(s.Dir)
	if err != nil {
		return "", err
	}
	defer root.Close()
	dir, err := top(root)
	if err != nil {
		return "", err
	}
	return path.Join(s.Dir, dir), nil
}

// extensionsOf are the staged updates that Joomla's installer puts in place.
func extensionsOf(staged []cms.Staged) []*cms.Staged {
	var found []*cms.Staged
	for i := range staged {
		if staged[i].Update.Component.Kind != upkeep.Core {
			found = append(found, &staged[i])
		}
	}
	return found
}
