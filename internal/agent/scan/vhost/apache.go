package vhost

import (
	"os"
	"path/filepath"
	"strings"
)

// apache reads one configuration.
type apache struct {
	*reader
	root    string            // ServerRoot, which paths are relative to
	defined map[string]string // by Define
	main    server            // outside of every VirtualHost
	host    *server           // that is being read, nil outside
}

// server is what a VirtualHost says.
type server struct {
	names  []string
	ports  []string
	secure bool
	root   string
	alias  []place
}

func (r *reader) readApache(file string) {
	root := filepath.Dir(file)
	if filepath.Base(root) == "conf" {
		root = filepath.Dir(root)
	}
	a := &apache{reader: r, root: root, defined: map[string]string{}}
	a.file(file, 0)
	a.end(&a.main)
}

func (a *apache) file(file string, nested int) {
	if nested > maxNested {
		return
	}
	text := strings.ReplaceAll(a.text(file), "\\\n", " ")
	for line := range strings.Lines(text) {
		if words := a.words(line); len(words) > 1 {
			a.line(words, nested)
		} else if len(words) == 1 && strings.EqualFold(words[0], "</VirtualHost>") && a.host != nil {
			a.end(a.host)
			a.host = nil
		}
	}
}

func (a *apache) line(words []string, nested int) {
	s, value := &a.main, words[1]
	if a.host != nil {
		s = a.host
	}
	switch strings.ToLower(words[0]) {
	case "<virtualhost":
		a.host = &server{}
		for _, at := range words[1:] {
			if port := portOf(strings.TrimSuffix(at, ">")); port != "" {
				a.host.ports = append(a.host.ports, port)
			}
		}
	case "include", "includeoptional":
		a.include(value, nested)
	case "define":
		if len(words) > 2 {
			a.defined[value] = words[2]
		}
	case "serverroot":
		a.root = value
	case "servername":
		// A scheme and a port are what the server calls itself behind a proxy.
		secure := strings.HasPrefix(value, "https://")
		name := strings.TrimPrefix(strings.TrimPrefix(value, "https://"), "http://")
		s.secure = s.secure || secure
		s.names = append([]string{strings.Split(name, ":")[0]}, s.names...)
	case "serveralias":
		s.names = append(s.names, words[1:]...)
	case "sslengine":
		s.secure = s.secure || strings.EqualFold(value, "on")
	case "documentroot":
		s.root = a.absolute(value)
	case "virtualdocumentroot":
		before, _, _ := strings.Cut(value, "%")
		a.add(Vhost{Root: filepath.Dir(before + "x")}) // the folders of all names are in it
	case "alias":
		if len(words) > 2 && strings.HasPrefix(value, "/") {
			s.alias = append(s.alias, place{value, a.absolute(words[2])})
		}
	}
}

// include reads what an Include names; of a folder, all that is below.
func (a *apache) include(pattern string, nested int) {
	for _, path := range a.glob(a.root, pattern) {
		if info, err := os.Stat(a.base + path); err == nil && info.IsDir() {
			a.include(filepath.Join(path, "*"), nested+1)
			continue
		}
		a.file(path, nested+1)
	}
}

func (a *apache) absolute(path string) string {
	if !filepath.IsAbs(path) {
		path = filepath.Join(a.root, path)
	}
	return path
}

// end notes what a server that was read answers from.
func (a *apache) end(s *server) {
	if s.root == "" {
		s.root = a.main.root
	}
	for _, p := range append([]place{{"", s.root}}, s.alias...) {
		added := false
		for _, name := range s.names {
			if url := address(name, s.ports, s.secure); url != "" {
				a.add(Vhost{URL: url + strings.TrimSuffix(p.path, "/"), Root: p.dir})
				added = true
			}
		}
		if !added {
			a.add(Vhost{Root: p.dir})
		}
	}
}

// words splits a line, without quotes, with what was defined put in.
func (a *apache) words(line string) []string {
	line = strings.TrimSpace(line)
	if strings.HasPrefix(line, "#") {
		return nil
	}
	var words []string
	for line != "" {
		word, size := line, len(line)
		if line[0] == '"' || line[0] == '\'' {
			word, size = quoted(line)
		} else if end := strings.IndexAny(line, " \t"); end >= 0 {
			word, size = line[:end], end
		}
		words = append(words, os.Expand(word, func(name string) string { return a.defined[name] }))
		line = strings.TrimLeft(line[size:], " \t")
	}
	return words
}
