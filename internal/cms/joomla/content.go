package joomla

import (
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"upkeep/internal/cms/joomla/inventory"
	"upkeep/internal/cms/parcel"
)

// content notes what each file must be that Joomla's installer will copy: what
// the manifest lists of one extension. A package's parts are packed
// themselves; their versions have to do.
func (p *staging) content(m *found) error {
	dir, _ := m.identity.Places()
	site := dir
	if m.identity.Type == "component" {
		site = path.Join("components", m.identity.Element)
	}
	switch m.identity.Type {
	case "component", "module", "plugin", "template", "library":
	default:
		return nil
	}
	for _, part := range []struct {
		sets []inventory.FileSet
		to   string
	}{{m.Files, site}, {m.Admin.Files, dir}, {m.Media, "media"}} {
		for _, set := range part.sets {
			if err := p.set(set, path.Join(part.to, set.Destination)); err != nil {
				return err
			}
		}
	}
	return nil
}

// set notes the files of one set, which go to a folder of the site.
func (p *staging) set(set inventory.FileSet, to string) error {
	for _, entry := range set.Entries {
		name := strings.Trim(strings.TrimSpace(entry.Text), "/")
		if name == "" || !fs.ValidPath(path.Join(set.Folder, name)) {
			continue
		}
		from := path.Join(p.top, set.Folder, name)
		err := fs.WalkDir(p.root.FS(), from, func(file string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return nil //nolint:nilerr // the installer says what its package lacks
			}
			sum, err := parcel.Sum(p.root, file)
			if err != nil {
				return err
			}
			key, err := filepath.Rel(p.staged.Update.Component.Path, filepath.Join(p.layout.Root, to, name, strings.TrimPrefix(file, from)))
			p.staged.Files[filepath.ToSlash(key)] = sum
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
