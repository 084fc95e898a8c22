package info

import (
	"bytes"
	"slices"
	"strings"
	"unicode"
)

// plainYAML reads an info file that is written as most are: names with a value,
// or with a list of values, each on a line of its own. Not plain is what is
// anything else, or could mean more than it says; ReadYAML reads that.
func plainYAML(text []byte) (said Info, plain bool) {
	p := plainFile{said: &said, seen: map[string]bool{}}
	for line := range bytes.SplitSeq(text, []byte("\n")) {
		if !p.line(strings.TrimRight(string(line), " ")) {
			return Info{}, false
		}
	}
	return said, true
}

// plainFile is a file being read.
type plainFile struct {
	said   *Info
	seen   map[string]bool
	list   string // the name that what follows may be a list of
	indent int    // of that list; -1 before its first value
}

func (p *plainFile) line(line string) bool {
	for _, r := range line {
		// Beyond ASCII, letters and what stands between words; never what ends a line.
		if r < ' ' || r > '~' && !unicode.IsLetter(r) && !strings.ContainsRune("–—‘’“”„«»…©®™", r) {
			return false
		}
	}
	rest := strings.TrimLeft(line, " ")
	if rest == "" || rest[0] == '#' {
		return true
	}
	if item, ok := strings.CutPrefix(rest, "- "); ok {
		return p.item(len(line)-len(rest), strings.TrimLeft(item, " "))
	}
	name, value, found := strings.Cut(line, ":")
	if inner, ok := strings.CutPrefix(name, "'"); ok {
		name, ok = strings.CutSuffix(inner, "'")
		found = found && ok
	}
	if !found || !isKey(name) || p.seen[name] || value != "" && value[0] != ' ' {
		return false
	}
	p.seen[name] = true
	if p.list = ""; value == "" {
		p.list, p.indent = name, -1
		return true
	}
	value = strings.TrimLeft(value, " ")
	if value == "[]" && name == "install" { // a list of a profile's, which says nothing here
		return true
	}
	said, quoted, ok := scalar(value)
	return ok && p.keep(name, said, quoted)
}

// isKey reports whether text is a name that means nothing but itself.
func isKey(text string) bool {
	for i := range len(text) {
		b := text[i]
		if (b < 'a' || b > 'z') && (i == 0 || i == len(text)-1 || b != '_' && b != ' ') {
			return false
		}
	}
	return text != "" && text != "null"
}

func (p *plainFile) item(indent int, text string) bool {
	if p.list == "" || p.indent >= 0 && p.indent != indent {
		return false
	}
	p.indent = indent
	said, quoted, ok := scalar(text)
	switch p.list {
	case "name", "type", "version", "project", "datestamp", "core", "php", "core_version_requirement", "base theme", "hidden":
		return false // a list is none of these
	case "dependencies":
		p.said.Needs = append(p.said.Needs, said)
		return ok && (quoted || !special(said))
	}
	return ok
}

// special reports whether a text without quotes may be no text.
func special(text string) bool {
	return text == "" || slices.Contains([]string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}, strings.ToLower(text))
}

// scalar is a value that stands on one line.
func scalar(text string) (value string, quoted, ok bool) {
	if text == "" {
		return "", false, false
	}
	first := text[0]
	if first == '\'' || first == '"' {
		end := len(text) - 1
		value = text[1:max(end, 1)]
		special := map[byte]string{'\'': "'", '"': `\"`}[first] // what means more than itself
		return value, true, end > 0 && text[end] == first && !strings.ContainsAny(value, special)
	}
	letter := first|0x20 >= 'a' && first|0x20 <= 'z' || first >= '0' && first <= '9' || first == '^'
	return text, false, letter && !strings.Contains(text, ": ") && !strings.Contains(text, " #") && !strings.HasSuffix(text, ":")
}

func (p *plainFile) keep(name, value string, quoted bool) bool {
	into := map[string]*string{
		"name": &p.said.Name, "type": &p.said.Type, "version": &p.said.Version, "project": &p.said.Project, "datestamp": &p.said.Datestamp,
		"core": &p.said.Core, "php": &p.said.PHP, "core_version_requirement": &p.said.Constraint,
	}[name]
	switch {
	case into != nil:
		*into = value
		return quoted || !special(value)
	case name == "base theme" && value == "false" && !quoted: // it has none
		return true
	case name == "base theme":
		p.said.BaseTheme = value
		return quoted || !special(value) && strings.Trim(value, "abcdefghijklmnopqrstuvwxyz_") == ""
	case name == "hidden":
		p.said.Hidden = value == "true"
		return !quoted && (value == "true" || value == "false")
	}
	return name != "dependencies"
}
