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
	list   string  // the name that what follows may be a list of
	indent int     // of that list; -1 before its first value
	nested []level // what is open below a name that says nothing here
	opens  bool    // the last line was a name whose value may follow, deeper
}

// level is a mapping or a list of which each line begins as far in.
type level struct {
	indent int
	list   bool
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
	indent := len(line) - len(rest)
	item, isItem := strings.CutPrefix(rest, "- ")
	if indent > 0 && (p.nested != nil || !isItem) {
		return p.below(indent, rest)
	}
	if isItem && p.nested == nil {
		return p.item(indent, strings.TrimLeft(item, " "))
	}
	name, value, found := cut(rest)
	if !found || !isKey(name) || p.seen[name] {
		return false
	}
	p.seen[name] = true
	p.list, p.nested, p.opens = "", nil, value == ""
	if p.opens {
		p.list, p.indent = name, -1
		return true
	}
	if value == "[]" && name == "install" { // a list of a profile's, which says nothing here
		return true
	}
	said, quoted, ok := scalar(value)
	return ok && p.keep(name, said, quoted)
}

// cut parts a name, which may stand in quotes, from its value.
func cut(line string) (name, value string, found bool) {
	name, value, found = strings.Cut(line, ":")
	if inner, quoted := strings.CutPrefix(name, "'"); quoted {
		name, quoted = strings.CutSuffix(inner, "'")
		found = found && quoted
	}
	return name, strings.TrimLeft(value, " "), found && (value == "" || value[0] == ' ')
}

// below reads a line of what stands below a name that says nothing here: such as
// the libraries of a theme. What it must be is what YAML would read without error.
func (p *plainFile) below(indent int, rest string) bool {
	if p.list == "" || p.indent >= 0 || telling(p.list) {
		return false
	}
	item, isItem := strings.CutPrefix(rest, "- ")
	for len(p.nested) > 0 && p.nested[len(p.nested)-1].indent > indent {
		p.nested = p.nested[:len(p.nested)-1]
		p.opens = false
	}
	if last := len(p.nested) - 1; last < 0 || p.nested[last].indent < indent {
		if !p.opens {
			return false
		}
		p.nested = append(p.nested, level{indent, isItem})
	} else if p.nested[last].list != isItem {
		return false
	}
	p.opens = false
	if isItem {
		_, _, ok := scalar(strings.TrimLeft(item, " "))
		return ok
	}
	name, value, found := cut(rest)
	if !found || name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-") != "" || name[0] == '-' || name[0] == '.' {
		return false
	}
	if p.opens = value == ""; p.opens {
		return true
	}
	_, _, ok := scalar(value)
	return ok
}

// telling reports whether a name is one of those that are read.
func telling(name string) bool {
	return slices.Contains([]string{
		"name", "type", "version", "project", "datestamp", "core", "php", "core_version_requirement", "base theme", "hidden", "dependencies",
	}, name)
}

// isKey reports whether text is a name that means nothing but itself.
func isKey(text string) bool {
	for i := range len(text) {
		b := text[i]
		if (b < 'a' || b > 'z') && (i == 0 || i == len(text)-1 || b != '_' && b != ' ' && b != '-') {
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
	switch {
	case p.list == "dependencies":
		p.said.Needs = append(p.said.Needs, said)
		return ok && (quoted || !special(said))
	case telling(p.list):
		return false // a list is none of these
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
