// Package format reads the configuration files of web applications that are
// not PHP: environment files, INI, YAML and XML. They may be hostile: what is
// read is bounded in size, depth and number, and nothing in them is followed.
package format

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"upkeep"
	"upkeep/internal/cms/php"
)

// Bounds of what is read.
const (
	maxDepth = 40
	maxItems = 20_000
)

// tree builds a value of nested arrays with strings as leaves.
type tree struct {
	left int
	at   map[*php.Value]map[string]int
}

func newTree() *tree { return &tree{left: maxItems, at: map[*php.Value]map[string]int{}} }

// set puts an item into an array; the last one of a key counts. False when
// there are too many.
func (t *tree) set(in *php.Value, key string, value *php.Value) bool {
	index := t.at[in]
	if index == nil {
		index = map[string]int{}
		t.at[in] = index
	}
	if i, ok := index[key]; ok {
		in.Items[i].Value = value
		return true
	}
	t.left--
	index[key] = len(in.Items)
	in.Items = append(in.Items, php.Item{Key: key, Value: value})
	return t.left > 0
}

func array() *php.Value           { return &php.Value{Kind: php.Array} }
func leaf(text string) *php.Value { return &php.Value{Kind: php.String, Str: text} }
func tooMuch(what string) error {
	return upkeep.Errorf(upkeep.CodeRefused, "%s: too large or too deep", what)
}
func unreadable(what string, err error) error {
	return upkeep.Errorf(upkeep.CodeInvalid, "%s cannot be read: %w", what, err)
}

var envName = regexp.MustCompile(`^(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.]*)[ \t]*=[ \t]*(.*)$`)

// Env reads an environment file as phpdotenv and Symfony do: NAME=value, with
// quotes and comments; ${NAME} stands for a value set further up. Lines that
// are nothing of that are passed over.
func Env(text []byte) (*php.Value, error) {
	t, out := newTree(), array()
	rest := strings.ReplaceAll(strings.TrimPrefix(string(text), "\ufeff"), "\r\n", "\n")
	for rest != "" {
		line, after, _ := strings.Cut(rest, "\n")
		rest = after
		match := envName.FindStringSubmatch(strings.TrimSpace(line))
		if match == nil {
			continue
		}
		value, more := envValue(match[2], rest)
		rest = more
		if !strings.HasPrefix(match[2], "'") {
			value = expand(value, out)
		}
		if !t.set(out, match[1], leaf(value)) {
			return nil, tooMuch("environment file")
		}
	}
	return out, nil
}

// envValue reads what stands behind the equals sign; in quotes it may go on
// over lines.
func envValue(value, rest string) (string, string) {
	if value == "" || value[0] != '"' && value[0] != '\'' {
		if at := strings.Index(value, " #"); at >= 0 {
			value = value[:at]
		}
		if strings.HasPrefix(value, "#") {
			value = ""
		}
		return strings.TrimSpace(value), rest
	}
	quote, whole := value[0], value[1:]+"\n"+rest
	var b strings.Builder
	for i := 0; i < len(whole); i++ {
		switch c := whole[i]; {
		case c == quote:
			_, after, _ := strings.Cut(whole[i:], "\n")
			return b.String(), after
		case c == '\\' && quote == '"' && i+1 < len(whole):
			i++
			b.WriteString(envEscape(whole[i]))
		default:
			b.WriteByte(c)
		}
	}
	return strings.TrimSpace(value[1:]), rest // never closed
}

func envEscape(c byte) string {
	switch c {
	case 'n':
		return "\n"
	case 't':
		return "\t"
	case 'r':
		return "\r"
	case '"', '\\', '$', '\'':
		return string(c)
	}
	return `\` + string(c)
}

var envReference = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_.]*)\}`)

// maxValue bounds a value that is made of others.
const maxValue = 1 << 16

func expand(value string, known *php.Value) string {
	if len(value) > maxValue || !strings.Contains(value, "${") {
		return value
	}
	expanded := envReference.ReplaceAllStringFunc(value, func(reference string) string {
		if v := known.Get(reference[2 : len(reference)-1]); v != nil && len(v.Str) <= maxValue/64 {
			return v.Str
		}
		return reference
	})
	return expanded[:min(len(expanded), maxValue)]
}

// INI reads an INI file as parse_ini_file with sections does, without its
// constants: names in a section are below it.
func INI(text []byte) (*php.Value, error) {
	t, out := newTree(), array()
	section := out
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(strings.TrimPrefix(line, "\ufeff"))
		switch {
		case line == "", line[0] == ';', line[0] == '#':
			continue
		case line[0] == '[':
			name, _, closed := strings.Cut(line[1:], "]")
			if !closed {
				continue
			}
			if section = out.Get(name); section == nil || section.Kind != php.Array {
				section = array()
				if !t.set(out, name, section) {
					return nil, tooMuch("ini file")
				}
			}
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		name = strings.TrimSpace(name)
		if !ok || strings.HasSuffix(name, "[]") {
			continue
		}
		if !t.set(section, name, leaf(iniValue(strings.TrimSpace(value)))) {
			return nil, tooMuch("ini file")
		}
	}
	return out, nil
}

func iniValue(value string) string {
	if value != "" && (value[0] == '"' || value[0] == '\'') {
		quote := value[0]
		var b strings.Builder
		for i := 1; i < len(value); i++ {
			switch {
			case value[i] == quote:
				return b.String()
			case value[i] == '\\' && quote == '"' && i+1 < len(value) && (value[i+1] == '"' || value[i+1] == '\\'):
				i++
			}
			b.WriteByte(value[i])
		}
		return b.String()
	}
	value, _, _ = strings.Cut(value, ";")
	return strings.TrimSpace(value)
}

// YAML reads the first document of a YAML file. Aliases are not followed, so
// that nothing grows.
func YAML(text []byte) (*php.Value, error) {
	var node yaml.Node
	if err := yaml.Unmarshal(text, &node); err != nil {
		return nil, unreadable("yaml file", err)
	}
	if len(node.Content) == 0 {
		return array(), nil
	}
	out, ok := newTree().yaml(node.Content[0], 0)
	if !ok {
		return nil, tooMuch("yaml file")
	}
	return out, nil
}

func (t *tree) yaml(node *yaml.Node, depth int) (*php.Value, bool) {
	if depth > maxDepth {
		return nil, false
	}
	out := array()
	switch node.Kind {
	case yaml.ScalarNode:
		if node.ShortTag() == "!!null" {
			return &php.Value{}, true
		}
		return leaf(node.Value), true
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			value, ok := t.yaml(node.Content[i+1], depth+1)
			if !ok || !t.set(out, node.Content[i].Value, value) {
				return nil, false
			}
		}
	case yaml.SequenceNode:
		for i, item := range node.Content {
			value, ok := t.yaml(item, depth+1)
			if t.left--; !ok || t.left <= 0 {
				return nil, false
			}
			out.Items = append(out.Items, php.Item{Key: strconv.Itoa(i), Value: value})
		}
	}
	return out, true
}

// XML reads an XML file: elements are below each other by name, the last of
// a name counts, text is a leaf. Attributes do not count.
func XML(text []byte) (*php.Value, error) {
	t, root := newTree(), array()
	stack, names, texts := []*php.Value{root}, []string{""}, []string{""}
	decoder := xml.NewDecoder(bytes.NewReader(text))
	decoder.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil } // names and addresses are ASCII
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return root, nil
		}
		if err != nil {
			return nil, unreadable("xml file", err)
		}
		last := len(stack) - 1
		switch token := token.(type) {
		case xml.StartElement:
			if t.left--; len(stack) > maxDepth || t.left <= 0 {
				return nil, tooMuch("xml file")
			}
			stack, names, texts = append(stack, array()), append(names, token.Name.Local), append(texts, "")
		case xml.CharData:
			texts[last] += string(token)
		case xml.EndElement:
			value := stack[last]
			if len(value.Items) == 0 {
				value = leaf(strings.TrimSpace(texts[last]))
			}
			t.set(stack[last-1], names[last], value)
			stack, names, texts = stack[:last], names[:last], texts[:last]
		}
	}
}
