package inventory

import (
	"bytes"
	"encoding/xml"
	"io"
	"path"
	"slices"
	"strings"
	"sync"

	"upkeep/internal/cms/recall"
)

// maxManifest bounds a manifest; packages with hundreds of parts have some
// hundred kilobytes.
const maxManifest = 1 << 20

// Manifest is what an extension says of itself.
type Manifest struct {
	XMLName xml.Name
	Type    string `xml:"type,attr"`
	Client  string `xml:"client,attr"`
	Method  string `xml:"method,attr"`
	Group   string `xml:"group,attr"`

	Name        string    `xml:"name"`
	Element     string    `xml:"element"`
	PackageName string    `xml:"packagename"`
	LibraryName string    `xml:"libraryname"`
	Tag         string    `xml:"tag"`
	Version     string    `xml:"version"`
	Author      string    `xml:"author"`
	PHP         string    `xml:"php_minimum"`
	Files       []FileSet `xml:"files"`
	Media       []FileSet `xml:"media"`
	Admin       struct {
		Files []FileSet `xml:"files"`
	} `xml:"administration"`
	Key *struct {
		Prefix string `xml:"prefix,attr"`
	} `xml:"dlid"`
}

// FileSet is files and folders that an extension brings, from one folder of
// its package.
type FileSet struct {
	Folder      string `xml:"folder,attr"`
	Destination string `xml:"destination,attr"`
	Entries     []struct {
		XMLName xml.Name
		Plugin  string `xml:"plugin,attr"`
		Module  string `xml:"module,attr"`
		Text    string `xml:",chardata"`
	} `xml:",any"`
}

// ParseManifest reads a manifest; nil when it is none: Joomla takes the root
// elements extension and, for languages, metafile.
func ParseManifest(text []byte) *Manifest {
	decoder := xml.NewDecoder(bytes.NewReader(text))
	decoder.Strict = false
	decoder.Entity = xml.HTMLEntity
	decoder.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil } // versions are ASCII in all of them
	m := &Manifest{}
	if err := decoder.Decode(m); err != nil || m.XMLName.Local != "extension" && m.XMLName.Local != "metafile" {
		return nil
	}
	for _, field := range []*string{&m.Name, &m.Element, &m.PackageName, &m.LibraryName, &m.Tag, &m.Version, &m.Author, &m.PHP} {
		*field = strings.ToValidUTF8(strings.TrimSpace(*field), "?")
	}
	return m
}

// Identity is what tells an extension from all others of a site.
type Identity struct {
	Type, Element, Folder string
	Client                string // "0" site, "1" administrator, "3" api
}

// base is the folder of a client's application below the root.
func (id Identity) base() string {
	switch id.Client {
	case "1":
		return "administrator"
	case "3":
		return "api"
	}
	return ""
}

// ID is the identity as one word: "com_content", "system/sef",
// "administrator/mod_menu".
func (id Identity) ID() string {
	switch id.Type {
	case "plugin":
		return id.Folder + "/" + id.Element
	case "module", "template", "language":
		return path.Join(id.base(), id.Element)
	}
	return id.Element
}

// Places are where the manifest may be, most likely first, and the folder that
// is the extension's own.
func (id Identity) Places() (dir string, manifests []string) {
	short := strings.TrimPrefix(id.Element, "com_")
	switch id.Type {
	case "component":
		dir = path.Join("administrator/components", id.Element)
		site := path.Join("components", id.Element)
		return dir, []string{path.Join(dir, short+".xml"), path.Join(dir, id.Element+".xml"), path.Join(site, short+".xml"), path.Join(site, id.Element+".xml")}
	case "module":
		dir = path.Join(id.base(), "modules", id.Element)
		return dir, []string{path.Join(dir, id.Element+".xml")}
	case "plugin":
		dir = path.Join("plugins", id.Folder, id.Element)
		return dir, []string{path.Join(dir, id.Element+".xml"), path.Join("plugins", id.Folder, id.Element+".xml")}
	case "template":
		dir = path.Join(id.base(), "templates", id.Element)
		return dir, []string{path.Join(dir, "templateDetails.xml")}
	case "library":
		return path.Join("libraries", id.Element), []string{path.Join("administrator/manifests/libraries", id.Element+".xml")}
	case "language":
		dir = path.Join(id.base(), "language", id.Element)
		return dir, []string{path.Join(dir, "langmetadata.xml"), path.Join(dir, "install.xml"), path.Join(dir, id.Element+".xml")}
	case "package":
		file := path.Join("administrator/manifests/packages", id.Element+".xml")
		return file, []string{file}
	case "file":
		file := path.Join("administrator/manifests/files", id.Element+".xml")
		return file, []string{file}
	}
	return "", nil
}

// Manifests remembers what manifests say, and what folders hold.
type Manifests struct {
	heads    recall.Files[*Head]
	versions recall.Files[string] // that code says
	lists    recall.Lists
	cached   cached

	mu   sync.Mutex
	last []Identity // that there were last time
}

func (known *Manifests) expected() []Identity {
	known.mu.Lock()
	defer known.mu.Unlock()
	return known.last
}

func (known *Manifests) expect(there []Identity) {
	known.mu.Lock()
	defer known.mu.Unlock()
	known.last = there
}

// all adds to heads what the manifests of those say that it lacks.
func (known *Manifests) all(of []Identity, root *recall.Folder, heads map[Identity]*Head) {
	lacking := slices.DeleteFunc(slices.Clone(of), func(id Identity) bool {
		_, there := heads[id]
		return there
	})
	found := make([]*Head, len(lacking))
	recall.Each(len(lacking), func(i int) { found[i] = known.Of(lacking[i], root) })
	for i, id := range lacking {
		heads[id] = found[i]
	}
}

// Of returns what an extension's manifest says, nil when none is where it may be.
// A component's may have any name.
func (known *Manifests) Of(id Identity, root *recall.Folder) *Head {
	dir, names := id.Places()
	for _, name := range names {
		if m := known.read(root, name); m != nil {
			return m
		}
	}
	if id.Type != "component" && id.Type != "plugin" && id.Type != "module" {
		return nil
	}
	entries, err := known.lists.Read(root, dir)
	if err != nil {
		return nil
	}
	for _, entry := range entries[:min(len(entries), maxEntries)] {
		if strings.HasSuffix(entry.Name, ".xml") {
			if m := known.read(root, path.Join(dir, entry.Name)); m != nil && m.Type == id.Type {
				return m
			}
		}
	}
	return nil
}

// maxEntries bounds how far the folder of an extension is searched for one.
const maxEntries = 200

func (known *Manifests) read(root *recall.Folder, name string) *Head {
	m, err := known.heads.Read(root, name, maxManifest, func(text []byte) (*Head, error) { return headOf(text), nil })
	if err != nil {
		return nil
	}
	return m
}
