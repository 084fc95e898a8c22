// Package wiki is DokuWiki's world in small, for the demo and the tests:
// plugins and a template of our own in good releases and in ones that break in
// one known way, releases of DokuWiki made of an installed one, and a
// dokuwiki.org that offers them. The sources are GPL-2.0-or-later.
package wiki

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"embed"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"upkeep"
)

//go:embed all:php
var sources embed.FS

// The plugins and the template.
const (
	Tally      = "tally"      // visitors add lines by ajax.php; an action, a helper and a syntax with a folder
	Ribbon     = "ribbon"     // a line on each page, and a style
	PlainPaper = "plainpaper" // template with its version in the footer
)

// Fault is one way in which a release breaks.
type Fault string

// Faults of the code, and of the package.
const (
	None    Fault = ""
	Fatal   Fault = "fatal"   // calls a function that does not exist: DokuWiki goes on without the plugin and says so
	Parse   Fault = "parse"   // does not parse
	Silent  Fault = "silent"  // ends every web request with nothing
	Wipes   Fault = "wipes"   // deletes pages on the first request, and dies
	Lies    Fault = "lies"    // an older version inside than promised
	Renamed Fault = "renamed" // is another plugin than promised
	Escapes Fault = "escapes" // a member that leads out of the folder
	Linked  Fault = "linked"  // a member that is a link out of the folder
)

// Release is one release of a plugin or template.
type Release struct {
	Kind    upkeep.Kind    `json:"kind"` // Plugin or Theme
	Base    string         `json:"base"`
	Version upkeep.Version `json:"version"` // a date
	Fault   Fault          `json:"fault,omitempty"`
}

// Plugin returns a good release of a plugin.
func Plugin(base string, version upkeep.Version) Release {
	return Release{Kind: upkeep.Plugin, Base: base, Version: version}
}

// Template returns a good release of a template.
func Template(base string, version upkeep.Version) Release {
	return Release{Kind: upkeep.Theme, Base: base, Version: version}
}

// With returns the release with a fault.
func (r Release) With(fault Fault) Release {
	r.Fault = fault
	return r
}

// Ref is the component's ref.
func (r Release) Ref() string { return string(r.Kind) + ":" + r.Base }

// ID is what the repository calls it.
func (r Release) ID() string {
	if r.Kind == upkeep.Theme {
		return "template:" + r.Base
	}
	return r.Base
}

// Installed returns the release's files below the folder of DokuWiki, by path.
func (r Release) Installed() map[string]string {
	dir := "lib/plugins/"
	if r.Kind == upkeep.Theme {
		dir = "lib/tpl/"
	}
	files := map[string]string{}
	for name, text := range r.files() {
		files[dir+r.Base+"/"+name] = text
	}
	return files
}

// files returns the release's files by path below its own folder.
func (r Release) files() map[string]string {
	files := map[string]string{}
	root := path.Join("php", r.Base)
	err := fs.WalkDir(sources, root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(sources, name)
		files[strings.TrimPrefix(name, root+"/")] = strings.ReplaceAll(string(text), "{{version}}", string(r.Version))
		return err
	})
	if err != nil {
		panic("wiki: no " + r.Base) // a name that is not one of the constants
	}
	for _, name := range []string{"action.php", "main.php"} {
		if text, there := files[name]; there {
			files[name] = strings.Replace(text, "if (!defined('DOKU_INC')) die();\n", "if (!defined('DOKU_INC')) die();\n"+r.Fault.code(), 1)
		}
	}
	return files
}

// code returns the PHP that makes the fault.
func (f Fault) code() string {
	switch f {
	case Fatal:
		return "function_that_nobody_wrote();\n"
	case Parse:
		return "if (true { // does not parse\n"
	case Silent:
		return "if (PHP_SAPI !== 'cli') { while (ob_get_level()) { ob_end_clean(); } http_response_code(200); exit; }\n"
	case Wipes:
		return "global $conf; array_map('unlink', array_merge(glob($conf['datadir'] . '/*.txt'), glob($conf['datadir'] . '/wiki/*.txt')));\n"
	}
	return ""
}

// Package returns the release as its author's repository sends it: a zip whose
// top folder is that of a branch.
func (r Release) Package() (_ []byte, err error) {
	defer upkeep.Wrap(&err, "pack %s %s", r.Base, r.Version)
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	top := "dokuwiki-plugin-" + r.Base + "-master/"
	files := r.files()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		text := files[name]
		if strings.HasSuffix(name, ".info.txt") && r.Fault == Lies {
			text = strings.Replace(text, string(r.Version), "2001-01-01", 1)
		}
		if strings.HasSuffix(name, ".info.txt") && r.Fault == Renamed {
			text = strings.Replace(text, r.Base, "another", 1)
		}
		if err := member(w, top+name, 0o644, text); err != nil {
			return nil, err
		}
	}
	switch r.Fault {
	case Escapes:
		err = member(w, top+"../../../evil.php", 0o644, "<?php // should not be here\n")
	case Linked:
		err = member(w, top+"secret", 0o777|fs.ModeSymlink, "/etc/passwd")
	}
	if err := errors.Join(err, w.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// packed is the time that all packed files bear.
var packed = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

func member(w *zip.Writer, name string, mode fs.FileMode, text string) error {
	header := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: packed}
	header.SetMode(mode)
	entry, err := w.CreateHeader(header)
	if err != nil {
		return err
	}
	_, err = io.WriteString(entry, text)
	return err
}

// Core writes a release of DokuWiki to file: tree as it is, under another
// version, with change made: a text in the place of a path, "" for a path that
// goes. What the owner of a site writes is left out.
func Core(file, tree string, version upkeep.Version, change map[string]string) (err error) {
	defer upkeep.Wrap(&err, "pack dokuwiki %s", version)
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer out.Close()
	zipped, err := gzip.NewWriterLevel(out, gzip.BestSpeed)
	if err != nil {
		return err
	}
	w := tar.NewWriter(zipped)
	top := "dokuwiki-" + string(version) + "/"
	change = maps.Clone(change)
	if change == nil {
		change = map[string]string{}
	}
	if own, err := os.ReadFile(filepath.Join(tree, "VERSION")); err != nil || !strings.HasPrefix(string(own), string(version)+" ") {
		change["VERSION"] = string(version) + " \"Testing\"\n"
	}
	err = filepath.WalkDir(tree, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(tree, path)
		if _, changed := change[name]; err != nil || changed || owned(name) {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return tarMember(w, top+name, text)
	})
	for _, name := range slices.Sorted(maps.Keys(change)) {
		if err == nil && change[name] != "" {
			err = tarMember(w, top+name, []byte(change[name]))
		}
	}
	if err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return zipped.Close()
}

// owned are files of a tree that no release has.
func owned(name string) bool {
	switch name {
	case "conf/local.php", "conf/users.auth.php", "conf/acl.auth.php", "conf/plugins.local.php", "conf/userprint.css", "conf/userstyle.css":
		return true
	}
	return false
}

func tarMember(w *tar.Writer, name string, text []byte) error {
	head := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(text)), ModTime: packed}
	if err := w.WriteHeader(head); err != nil {
		return err
	}
	_, err := w.Write(text)
	return err
}
