// Package asset serves what the console's pages are made with: style, scripts,
// font and icons, compressed beforehand, under addresses that name their
// content, so that a browser asks for each only once.
package asset

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// packed is what make assets has fetched; in a build without, it is only a
// note that says so.
//
//go:embed packed
var packed embed.FS

//go:embed own
var own embed.FS

// Prefix is where assets are answered.
const Prefix = "/assets/"

// required is what pages cannot do without.
var required = [...]string{"tabler.css", "icons.svg", "inter.woff2", "htmx.js", "sse.js", "chart.js", "chart.css"}

// file is one asset in the forms that it is sent in.
type file struct {
	kind  string            // media type
	forms map[string][]byte // by content coding; "" is as it is
}

// Set is the assets of this program. It is an http.Handler for what is below
// Prefix, and safe for concurrent use.
type Set struct {
	files map[string]*file  // by the last part of their addresses
	urls  map[string]string // by name
}

// Load returns the assets that were built in.
func Load() (*Set, error) {
	s := &Set{files: map[string]*file{}, urls: map[string]string{}}
	forms := map[string]map[string][]byte{}
	for _, from := range []fs.FS{packed, own} {
		err := fs.WalkDir(from, ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			content, err := fs.ReadFile(from, name)
			if err != nil {
				return err
			}
			base, coding := codingOf(path.Base(name))
			if forms[base] == nil {
				forms[base] = map[string][]byte{}
			}
			forms[base][coding] = content
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	for name, of := range forms {
		if err := s.add(name, of); err != nil {
			return nil, err
		}
	}
	s.rewrite()
	return s, nil
}

// codingOf splits what the name says of a file's compression from it.
func codingOf(name string) (base, coding string) {
	for suffix, coding := range map[string]string{".br": "br", ".gz": "gzip"} {
		if base, ok := strings.CutSuffix(name, suffix); ok {
			return base, coding
		}
	}
	return name, ""
}

// add makes the forms of a file complete.
func (s *Set) add(name string, forms map[string][]byte) error {
	kind := mime.TypeByExtension(path.Ext(name))
	if path.Ext(name) == ".woff2" {
		kind = "font/woff2"
	}
	if kind == "" { // notes and licences are not served
		return nil
	}
	if _, plain := forms[""]; !plain {
		reader, err := gzip.NewReader(bytes.NewReader(forms["gzip"]))
		if err != nil {
			return err
		}
		if forms[""], err = io.ReadAll(reader); err != nil {
			return err
		}
	}
	s.keep(name, &file{kind, forms})
	return nil
}

// keep gives a file its address.
func (s *Set) keep(name string, f *file) {
	sum := sha256.Sum256(f.forms[""])
	ext := path.Ext(name)
	last := strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext
	s.files[last], s.urls[name] = f, Prefix+last
}

// rewrite leads our own style to the font by its address, and compresses what
// make assets does not.
func (s *Set) rewrite() {
	for name, url := range s.urls {
		f := s.files[path.Base(url)]
		if len(f.forms) > 1 || strings.HasSuffix(name, ".woff2") {
			continue
		}
		text := strings.ReplaceAll(string(f.forms[""]), "url(inter.woff2)", "url("+s.urls["inter.woff2"]+")")
		delete(s.files, path.Base(url))
		s.keep(name, &file{f.kind, map[string][]byte{"": []byte(text), "gzip": compressed([]byte(text))}})
	}
}

func compressed(content []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(content) // a buffer takes everything
	_ = w.Close()
	return out.Bytes()
}

// Complete reports whether the assets were built in.
func (s *Set) Complete() bool {
	for _, name := range required {
		if s.urls[name] == "" {
			return false
		}
	}
	return true
}

// URL returns the address of an asset, "" when it is not there.
func (s *Set) URL(name string) string { return s.urls[name] }

// ServeHTTP sends an asset, in the smallest form that the browser takes.
func (s *Set) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f := s.files[strings.TrimPrefix(r.URL.Path, Prefix)]
	if f == nil {
		http.NotFound(w, r)
		return
	}
	header := w.Header()
	header.Set("Content-Type", f.kind)
	header.Set("Cache-Control", "public, max-age=31536000, immutable")
	header.Set("Vary", "Accept-Encoding")
	coding := chosen(r.Header.Get("Accept-Encoding"), f.forms)
	if coding != "" {
		header.Set("Content-Encoding", coding)
	}
	header.Set("Content-Length", strconv.Itoa(len(f.forms[coding])))
	if r.Method != http.MethodHead {
		_, _ = w.Write(f.forms[coding]) // who asked has gone when it fails
	}
}

// chosen returns the coding that a browser takes and there is, the smallest
// first.
func chosen(accepts string, forms map[string][]byte) string {
	taken := map[string]bool{}
	for part := range strings.SplitSeq(accepts, ",") {
		coding, q, _ := strings.Cut(strings.TrimSpace(part), ";")
		taken[coding] = !strings.HasSuffix(strings.TrimSpace(q), "q=0")
	}
	for _, coding := range []string{"br", "gzip"} {
		if _, there := forms[coding]; there && taken[coding] {
			return coding
		}
	}
	return ""
}
