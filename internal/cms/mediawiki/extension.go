package mediawiki

import (
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/area"
	"upkeep/internal/cms/mediawiki/layout"
	"upkeep/internal/cms/recall"
)

// nameForm is what the folder of an extension or skin is called.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$`)

// manifest is what an extension.json or skin.json says.
type manifest struct {
	Name     string          `json:"name"`
	Version  text            `json:"version"`
	Author   json.RawMessage `json:"author"`
	URL      text            `json:"url"`
	License  text            `json:"license-name"`
	Requires map[string]any  `json:"requires"`
}

// text is a value that should be one, and "" when it is anything else.
type text string

// UnmarshalJSON takes numbers as they are written.
func (t *text) UnmarshalJSON(raw []byte) error {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		*t = text(s)
		return nil
	}
	var n json.Number
	if json.Unmarshal(raw, &n) == nil {
		*t = text(n.String())
	}
	return nil
}

// manifestName is the file in which an extension or skin says what it is.
func manifestName(kind upkeep.Kind) string {
	if kind == upkeep.Theme {
		return "skin.json"
	}
	return "extension.json"
}

func extensionDir(l *cms.Layout, kind upkeep.Kind) string {
	if kind == upkeep.Theme {
		return l.Dirs[layout.DirSkins]
	}
	return l.Dirs[layout.DirExtensions]
}

// readExtensions reads the folders of extensions or skins.
func (s *survey) readExtensions(kind upkeep.Kind) (err error) {
	dir := extensionDir(s.layout, kind)
	defer upkeep.Wrap(&err, "%s", dir)
	root, err := s.host.Open(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	folder, err := recall.Within(root)
	if err != nil {
		return err
	}
	defer folder.Close()
	entries, err := s.known.lists.Read(folder, ".")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		e := extension{survey: s, kind: kind, name: entry.Name, path: filepath.Join(dir, entry.Name)}
		there := entry.IsDir()
		if entry.Type&fs.ModeSymlink != 0 {
			if e.link, err = filepath.EvalSymlinks(e.path); err != nil {
				s.find(upkeep.Finding{Code: "link_broken", Paths: []string{e.path}})
				continue
			}
			there = isFolder(e.path)
		}
		if there && nameForm.MatchString(e.name) {
			e.read(folder)
		}
	}
	for _, name := range s.on[kind] {
		if !isFolder(filepath.Join(dir, name)) {
			s.find(upkeep.Finding{Code: "file_missing", Component: string(kind) + ":" + name, Paths: []string{filepath.Join(dir, name)}})
		}
	}
	return nil
}

// extension is a folder of an extension or skin that is being looked at.
type extension struct {
	*survey
	kind             upkeep.Kind
	name, path, link string

	in     *recall.Folder // that the folder is reached by
	below  string         // its name there
	holds  []recall.Entry
	closes func()
}

func (e *extension) read(parent *recall.Folder) {
	c := upkeep.Component{
		Kind: e.kind, ID: e.name, Slug: e.name, Name: e.name, Path: e.path, Link: e.link, Headers: map[string]string{},
		Active: slices.Contains(e.on[e.kind], e.name),
	}
	err := e.open(parent)
	if err != nil {
		e.components = append(e.components, c)
		e.find(upkeep.Finding{Code: "unreadable", Component: c.Ref(), Paths: []string{e.path}}.Because(err))
		return
	}
	defer e.closes()
	if !e.describe(&c) {
		return // a folder that is no extension
	}
	e.components = append(e.components, c)
	for _, name := range area.VersionControl {
		if e.has(name) {
			e.find(upkeep.Finding{Code: "version_control", Component: c.Ref(), Paths: []string{filepath.Join(e.path, name)}, Blocks: true})
		}
	}
	if e.link != "" {
		e.find(upkeep.Finding{Code: "link", Component: c.Ref(), Paths: []string{e.path}, Detail: e.link})
	}
	if rel, inside := area.Relative(e.layout.Root, e.path); inside && e.composed[rel] {
		c.Headers["composer"] = "1"
		e.find(upkeep.Finding{Code: "composer_managed", Component: c.Ref(), Paths: []string{e.path}, Blocks: true})
	}
}

// open lists the folder. One that is a link may be in another area.
func (e *extension) open(parent *recall.Folder) (err error) {
	e.in, e.below, e.closes = parent, e.name, func() {}
	if e.link != "" {
		root, err := e.host.Open(e.link)
		if err != nil {
			return err
		}
		if e.in, err = recall.Within(root); err != nil {
			return errors.Join(err, root.Close())
		}
		e.below, e.closes = ".", func() { _ = errors.Join(e.in.Close(), root.Close()) } // were only read
	}
	e.holds, err = e.known.lists.Read(e.in, e.below)
	return err
}

// has reports whether the folder has something of that name.
func (e *extension) has(name string) bool {
	return slices.ContainsFunc(e.holds, func(entry recall.Entry) bool { return entry.Name == name })
}

// legacyVersion is where an extension of before 2015 says its version.
var legacyVersion = regexp.MustCompile(`['"]version['"]\s*=>\s*['"]([^'"\n]{1,60})['"]`)

// describe fills in what the folder says of itself; false when it is neither an
// extension nor switched on.
func (e *extension) describe(c *upkeep.Component) bool {
	says, err := e.manifest()
	switch {
	case err == nil:
		c.Name, c.Version = strings.TrimSpace(says.Name), upkeep.Version(says.Version)
		c.Headers["url"], c.Headers["license"] = string(says.URL), string(says.License)
	case !errors.Is(err, fs.ErrNotExist):
		e.find(upkeep.Finding{Code: "unreadable", Component: c.Ref(), Paths: []string{filepath.Join(e.path, manifestName(e.kind))}}.Because(err))
	default:
		if legacy, err := e.line(e.name+".php", func(text []byte) string { return match(legacyVersion, text) }); err == nil {
			c.Version, c.Headers["legacy"] = upkeep.Version(legacy), "1"
		} else if !c.Active {
			return false
		}
	}
	if c.Name == "" {
		c.Name = e.name
	}
	if bundled[e.name] {
		c.Headers[HeaderBundled] = "1"
	}
	c.Headers["says"] = string(c.Version)
	if stamp, err := e.line("version", func(text []byte) string { return strings.TrimSpace(string(text)) }); err == nil {
		if version, revision := snapshot([]byte(stamp)); version != "" {
			c.Version, c.Headers["revision"] = upkeep.Version(version), revision
		}
	}
	for name, value := range c.Headers {
		if value == "" {
			delete(c.Headers, name)
		}
	}
	return true
}

// manifest reads extension.json or skin.json.
func (e *extension) manifest() (*manifest, error) {
	if !e.has(manifestName(e.kind)) {
		return nil, fs.ErrNotExist
	}
	return e.known.manifests.Read(e.in, filepath.Join(e.below, manifestName(e.kind)), maxInfo, func(raw []byte) (*manifest, error) {
		var says manifest
		if err := json.Unmarshal(raw, &says); err != nil {
			return nil, upkeep.Errorf(upkeep.CodeInvalid, "no JSON: %w", err)
		}
		return &says, nil
	})
}

// line reads what of a file counts. fs.ErrNotExist when it is not there.
func (e *extension) line(name string, parse func(text []byte) string) (string, error) {
	if !e.has(name) {
		return "", fs.ErrNotExist
	}
	return e.known.lines.Read(e.in, filepath.Join(e.below, name), maxInfo, func(text []byte) (string, error) { return parse(text), nil })
}
