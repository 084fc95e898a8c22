package mirror

import (
	"archive/zip"
	"bytes"
	"cmp"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"upkeep"
)

// offered is one component of one package.
type offered struct {
	kind    upkeep.Kind
	id      string // "akismet/akismet.php", "twentytwenty"
	slug    string
	version string
	locale  string
	of      string // translations: "core", "plugin" or "theme"
	updated string // translations: "2020-03-22 04:52:48"
	headers map[string]string
	file    string // absolute or as given
	top     string // folder in the package, with its slash
	sum     string // hex SHA-256 of the package
}

// path is where wordpress.org would offer the package.
func (o *offered) path() string {
	switch o.kind {
	case upkeep.Core:
		return path.Join("/release", o.locale, "wordpress-"+o.version+".zip")
	case upkeep.Language:
		return path.Join("/translation", o.of, o.slug, o.version, o.locale+".zip")
	}
	return "/" + string(o.kind) + "/" + o.slug + "." + o.version + ".zip"
}

// headerLimit is how much of a file WordPress reads for headers.
const headerLimit = 8 << 10

var (
	versionVar = regexp.MustCompile(`\$(wp_version|required_php_version|required_mysql_version|wp_local_package)\s*=\s*['"]([^'"]+)['"]`)
	headerLine = regexp.MustCompile(`(?m)^[ \t/*#@]*([A-Z][A-Za-z ]{2,24}):[ \t]*(.*?)[ \t]*(?:\*/)?\r?$`)
	revised    = regexp.MustCompile(`PO-Revision-Date: (\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?)`)
)

// read opens a package and returns what it offers: one component, or each
// plugin of a folder that holds several.
func read(file string) (_ []*offered, err error) {
	defer upkeep.Wrap(&err, "read package %s", file)
	archive, err := zip.OpenReader(file)
	if err != nil {
		return nil, upkeep.Errorf(upkeep.CodeRefused, "no zip: %w", err)
	}
	defer archive.Close()
	sum, err := sumOf(file)
	if err != nil {
		return nil, err
	}
	found := classify(&archive.Reader, file)
	for _, o := range found {
		o.file, o.sum = file, sum
	}
	if len(found) == 0 {
		return nil, upkeep.Errorf(upkeep.CodeRefused, "neither core, plugin, theme nor translation")
	}
	return found, nil
}

// sumOf is the ETag of a package: it changes with the content alone.
func sumOf(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// classify goes by the files that WordPress itself goes by.
func classify(archive *zip.Reader, file string) []*offered {
	if head := headOf(archive, "wordpress/wp-includes/version.php"); head != nil {
		return []*offered{core(head)}
	}
	var found []*offered
	for _, member := range archive.File {
		dir, name := path.Split(member.Name)
		if strings.Count(dir, "/") > 1 {
			continue
		}
		switch {
		case name == "style.css" && dir != "":
			if h := headers(headOf(archive, member.Name)); h["Theme Name"] != "" {
				slug := strings.TrimSuffix(dir, "/")
				return []*offered{{kind: upkeep.Theme, id: slug, slug: slug, version: h["Version"], headers: h, top: dir}}
			}
		case strings.HasSuffix(name, ".php"):
			if h := headers(headOf(archive, member.Name)); h["Plugin Name"] != "" {
				slug := cmp.Or(strings.TrimSuffix(dir, "/"), strings.TrimSuffix(name, ".php"))
				found = append(found, &offered{kind: upkeep.Plugin, id: member.Name, slug: slug, version: h["Version"], headers: h, top: dir})
			}
		}
	}
	if len(found) == 0 {
		return translation(archive, file)
	}
	return found
}

// core reads what wp-includes/version.php assigns.
func core(versionFile []byte) *offered {
	o := &offered{kind: upkeep.Core, id: "core", slug: "wordpress", top: "wordpress/", headers: make(map[string]string)}
	for _, match := range versionVar.FindAllStringSubmatch(string(versionFile), -1) {
		o.headers[match[1]] = match[2]
	}
	o.version, o.locale = o.headers["wp_version"], o.headers["wp_local_package"]
	return o
}

// translation knows what a package of .po and .mo files translates from its
// place, and when it was revised from inside.
func translation(archive *zip.Reader, file string) []*offered {
	parts := strings.Split(strings.TrimSuffix(filepath.ToSlash(file), ".zip"), "/")
	if len(parts) < 4 {
		return nil
	}
	parts = parts[len(parts)-4:] // plugin akismet 5.3.3 fr_FR
	o := &offered{kind: upkeep.Language, of: parts[0], slug: parts[1], version: parts[2], locale: parts[3]}
	if parts[1] == "core" {
		o.of, o.slug = "core", ""
	}
	for _, member := range archive.File {
		if match := revised.FindSubmatch(headOf(archive, member.Name)); match != nil {
			o.updated = string(match[1])
			return []*offered{o}
		}
	}
	return nil
}

// headOf returns the beginning of a file in a package, nil when there is none.
func headOf(archive *zip.Reader, name string) []byte {
	at := slices.IndexFunc(archive.File, func(f *zip.File) bool { return f.Name == name })
	if at < 0 {
		return nil
	}
	r, err := archive.File[at].Open()
	if err != nil {
		return nil
	}
	defer r.Close()
	head, err := io.ReadAll(io.LimitReader(r, headerLimit))
	if err != nil {
		return nil
	}
	return head
}

// headers reads the file headers of plugins and themes; the first of a name
// counts.
func headers(head []byte) map[string]string {
	out := make(map[string]string)
	for _, match := range headerLine.FindAllStringSubmatch(string(bytes.ReplaceAll(head, []byte("\r\n"), []byte("\n"))), -1) {
		if out[match[1]] == "" {
			out[match[1]] = match[2]
		}
	}
	return out
}

// hashes returns the hex MD5 and SHA-256 of every file below the package's
// folder, by path.
func (o *offered) hashes() (map[string][2]string, error) {
	archive, err := zip.OpenReader(o.file)
	if err != nil {
		return nil, err
	}
	defer archive.Close()
	out := make(map[string][2]string)
	for _, member := range archive.File {
		if !member.Mode().IsRegular() {
			continue
		}
		r, err := member.Open()
		if err != nil {
			return nil, err
		}
		m, s := md5.New(), sha256.New()
		_, err = io.Copy(io.MultiWriter(m, s), r)
		if _ = r.Close(); err != nil {
			return nil, err
		}
		out[strings.TrimPrefix(member.Name, o.top)] = [2]string{hex.EncodeToString(m.Sum(nil)), hex.EncodeToString(s.Sum(nil))}
	}
	return out, nil
}
