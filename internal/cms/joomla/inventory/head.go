package inventory

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// Head is what can be known of a manifest without its lists of files.
type Head struct {
	Type, Name, Version string
	Keyed               bool // updates of the extension may need a key
}

// headOf is what a manifest says, nil when it is none. One that is written in
// the plainest form is gone through here, to its end, since one that does not
// end well is none; any other by ParseManifest, which takes thirty times as long.
func headOf(text []byte) *Head {
	if head, plain := plainHead(text); plain {
		return head
	}
	m := ParseManifest(text)
	if m == nil {
		return nil
	}
	return &Head{Type: m.Type, Name: m.Name, Version: m.Version, Keyed: m.Key != nil}
}

// plainHead reads a document of elements, quoted attributes, comments and texts.
// Not plain is one that holds anything else, or is damaged.
func plainHead(text []byte) (_ *Head, plain bool) {
	if !utf8.Valid(text) || bytes.Contains(text, []byte("&#")) {
		return nil, false
	}
	s := scan{rest: text}
	for s.step() {
		if s.done {
			return s.head, true
		}
	}
	return nil, false
}

// maxOpen bounds how deep elements go in what is plain.
const maxOpen = 50

// scan is a manifest being read.
type scan struct {
	rest []byte
	open [][]byte // names of the elements that are open
	done bool     // the outermost was closed, or is none of a manifest
	head *Head
	into *string // where the text of the element goes that was just opened
}

// usual reports whether text holds nothing that must not stand in XML.
func usual(text []byte) bool {
	for _, b := range text {
		if b < ' ' && b != '\t' && b != '\n' && b != '\r' {
			return false
		}
	}
	return !bytes.Contains(text, []byte("]]>"))
}

// step reads up to the next mark, and the mark; false at the end, and for what
// is not plain.
func (s *scan) step() bool {
	text, rest, found := bytes.Cut(s.rest, []byte("<"))
	if s.rest = rest; !found || !usual(text) || len(rest) == 0 {
		return false
	}
	if s.into != nil {
		// What begins here must be its end.
		if *s.into = strings.TrimSpace(string(text)); rest[0] != '/' || bytes.ContainsAny(text, "&\r") {
			return false
		}
	}
	switch rest[0] {
	case '/':
		return s.end()
	case '?':
		return s.declaration()
	case '!':
		return s.aside()
	}
	return s.begin()
}

// declaration reads the one that says which XML this is.
func (s *scan) declaration() bool {
	says, rest, found := bytes.Cut(s.rest, []byte("?>"))
	s.rest = rest
	return found && bytes.HasPrefix(says, []byte("?xml ")) &&
		(bytes.Contains(says, []byte(`version="1.0"`)) || bytes.Contains(says, []byte(`version='1.0'`)))
}

// aside reads a comment, or a text that is marked as one.
func (s *scan) aside() bool {
	if text, ok := bytes.CutPrefix(s.rest, []byte("![CDATA[")); ok {
		text, rest, found := bytes.Cut(text, []byte("]]>"))
		s.rest = rest
		return found && usual(text)
	}
	text, ok := bytes.CutPrefix(s.rest, []byte("!--"))
	_, rest, found := bytes.Cut(text, []byte("--"))
	if !ok || !found || len(rest) == 0 || rest[0] != '>' {
		return false
	}
	s.rest = rest[1:]
	return true
}

// name takes a name off the rest, empty when there is none.
func (s *scan) name() []byte {
	n := 0
	for n < len(s.rest) {
		b := s.rest[n]
		letter := b|0x20 >= 'a' && b|0x20 <= 'z' || b == '_'
		if !letter && (n == 0 || b != '-' && b != '.' && (b < '0' || b > '9')) {
			break
		}
		n++
	}
	name := s.rest[:n]
	s.rest = s.rest[n:]
	return name
}

// blank takes blanks off the rest.
func (s *scan) blank() { s.rest = bytes.TrimLeft(s.rest, " \t\r\n") }

// take takes one byte off the rest, if it is the next one.
func (s *scan) take(b byte) bool {
	if len(s.rest) == 0 || s.rest[0] != b {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

func (s *scan) end() bool {
	s.rest = s.rest[1:]
	name := s.name()
	if s.blank(); !s.take('>') {
		return false
	}
	return s.close(name)
}

func (s *scan) close(name []byte) bool {
	s.into = nil
	last := len(s.open) - 1
	if last < 0 || !bytes.Equal(s.open[last], name) {
		return false
	}
	s.open = s.open[:last]
	s.done = last == 0
	return true
}

// begin reads an element's first tag.
func (s *scan) begin() bool {
	name := s.name()
	if len(name) == 0 || len(s.open) == maxOpen {
		return false
	}
	s.open = append(s.open, name)
	s.note(string(name))
	for !s.done {
		before := len(s.rest)
		s.blank()
		switch {
		case s.take('>'):
			return true
		case s.take('/'):
			return s.take('>') && s.close(name)
		case before == len(s.rest) || !s.attribute():
			return false
		}
	}
	return true
}

// note looks at an element that was opened.
func (s *scan) note(name string) {
	switch len(s.open) {
	case 1:
		if s.done = name != "extension" && name != "metafile"; !s.done {
			s.head = &Head{}
		}
	case 2:
		switch name {
		case "name":
			s.head.Name, s.into = "", &s.head.Name
		case "version":
			s.head.Version, s.into = "", &s.head.Version
		case "dlid":
			s.head.Keyed = true
		}
	}
}

func (s *scan) attribute() bool {
	name := s.name()
	if s.blank(); len(name) == 0 || !s.take('=') {
		return false
	}
	s.blank()
	quote := byte('"')
	if !s.take(quote) {
		if quote = '\''; !s.take(quote) {
			return false
		}
	}
	value, rest, found := bytes.Cut(s.rest, []byte{quote})
	if s.rest = rest; !found || !usual(value) || bytes.IndexByte(value, '<') >= 0 {
		return false
	}
	if len(s.open) == 1 && string(name) == "type" {
		s.head.Type = string(value)
		return !bytes.ContainsAny(value, "&\r")
	}
	return true
}
