package vhost

import (
	"path/filepath"
	"slices"
	"strings"
)

// nginx reads one configuration.
type nginx struct {
	*reader
	dir string // of the main file, which includes are relative to
}

// scope is a block that is being read.
type scope struct {
	kind   string // "server", "location"; "" is any other
	names  []string
	ports  []string
	secure bool
	root   string
	path   string  // of a location
	server *scope  // that a location is in
	places []place // of a server's locations
}

// place is a path of a server that has a folder of its own.
type place struct{ path, dir string }

func (r *reader) readNginx(file string) {
	n := &nginx{r, filepath.Dir(file)}
	n.file(file, &scope{}, 0)
}

func (n *nginx) file(file string, s *scope, nested int) {
	if nested > maxNested {
		return
	}
	words := nginxWords(n.text(file))
	for len(words) > 0 {
		words = n.block(words, s, nested)
	}
}

// block reads statements until its block ends, and returns what follows. A
// word begins with a space, so that one in quotes is no punctuation.
func (n *nginx) block(words []string, s *scope, nested int) []string {
	var statement []string
	for len(words) > 0 {
		word := words[0]
		words = words[1:]
		switch word {
		case ";":
			n.directive(statement, s, nested)
			statement = nil
		case "{":
			inner := open(statement, s)
			if nested < maxNested {
				words = n.block(words, inner, nested+1)
			}
			n.end(inner)
			statement = nil
		case "}":
			return words
		default:
			statement = append(statement, word[1:])
		}
	}
	return nil
}

// open begins a block inside another one.
func open(statement []string, s *scope) *scope {
	if len(statement) == 0 {
		return s
	}
	switch {
	case statement[0] == "server":
		return &scope{kind: "server", root: s.root}
	case statement[0] == "location" && s.kind != "":
		inner := &scope{kind: "location", server: s}
		if s.kind == "location" {
			inner.server = s.server
		}
		if path := statement[len(statement)-1]; strings.HasPrefix(path, "/") && !slices.Contains(statement, "~") && !slices.Contains(statement, "~*") {
			inner.path = path
		}
		return inner
	}
	return s // http, if, and what else says nothing of folders
}

func (n *nginx) directive(statement []string, s *scope, nested int) {
	if len(statement) < 2 {
		return
	}
	value := statement[1]
	switch statement[0] {
	case "include":
		for _, file := range n.glob(n.dir, value) {
			n.file(file, s, nested+1)
		}
	case "server_name":
		s.names = append(s.names, statement[1:]...)
	case "listen":
		s.secure = s.secure || slices.Contains(statement, "ssl")
		if port := portOf(value); port != "" {
			s.ports = append(s.ports, port)
		}
	case "root":
		if s.kind == "location" {
			s.server.places = append(s.server.places, place{s.path, filepath.Join(value, s.path)})
			return
		}
		s.root = value
	case "alias":
		if s.kind == "location" {
			s.server.places = append(s.server.places, place{s.path, value})
		}
	}
}

// end notes what a server that was read answers from.
func (n *nginx) end(s *scope) {
	if s.kind != "server" {
		return
	}
	places := append([]place{{"", s.root}}, s.places...)
	for _, p := range places {
		if before, _, dynamic := strings.Cut(p.dir, "$"); dynamic {
			n.add(Vhost{Root: filepath.Dir(before + "x")}) // the folders of all names are in it
			continue
		}
		added := false
		for _, name := range s.names {
			if url := address(name, s.ports, s.secure); url != "" {
				n.add(Vhost{URL: url + strings.TrimSuffix(p.path, "/"), Root: p.dir})
				added = true
			}
		}
		if !added {
			n.add(Vhost{Root: p.dir})
		}
	}
}

// nginxWords splits a configuration: punctuation as it is, words behind a
// space.
func nginxWords(text string) []string {
	var words []string
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case c == '#':
			end := strings.IndexByte(text[i:], '\n')
			if end < 0 {
				return words
			}
			i += end
		case c == ';' || c == '{' || c == '}':
			words = append(words, string(c))
			i++
		case c == '"' || c == '\'':
			word, size := quoted(text[i:])
			words = append(words, " "+word)
			i += size
		default:
			size := bare(text[i:])
			words = append(words, " "+text[i:i+size])
			i += size
		}
	}
	return words
}

// quoted reads a word in quotes, and how long it is with them.
func quoted(text string) (word string, size int) {
	var out strings.Builder
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text):
			i++
			out.WriteByte(text[i])
		case text[i] == text[0]:
			return out.String(), i + 1
		default:
			out.WriteByte(text[i])
		}
	}
	return out.String(), len(text)
}

// bare is how long a word without quotes is. "${" of a variable opens no block.
func bare(text string) int {
	for i := 0; i < len(text); i++ {
		if text[i] == '$' && i+1 < len(text) && text[i+1] == '{' {
			end := strings.IndexByte(text[i:], '}')
			if end < 0 {
				return len(text)
			}
			i += end
			continue
		}
		if strings.IndexByte(" \t\r\n;{}", text[i]) >= 0 {
			return i
		}
	}
	return len(text)
}
