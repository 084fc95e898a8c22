package info

import (
	"bytes"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// line is drupal_parse_info_format's pattern: a key with brackets, =, and a
// value that may stand in quotes and then go on over lines.
var line = regexp.MustCompile(`(?m)^\s*((?:[^=;\[\]]|\[[^\[\]]*\])+?)\s*=\s*(?:("(?:[^"]|\\")*")|('(?:[^']|\\')*')|([^\r\n]*?))\s*$`)

// constants are those that info files use.
var constants = map[string]any{"true": true, "false": false, "null": nil}

// maxDepth bounds how deep keys go.
const maxDepth = 32

// Parse reads the format of Drupal 7's info files as drupal_parse_info_format
// does: values are texts, constants and, by key, further maps. Lists have the
// keys 0, 1, 2…. What is written as most is, a pair a line, is gone through here;
// everything else by the pattern, which takes many times as long.
func Parse(text []byte) map[string]any {
	if parsed, plain := plainLines(text); plain {
		return parsed
	}
	return byPattern(text)
}

func byPattern(text []byte) map[string]any {
	parsed := map[string]any{}
	for _, match := range line.FindAllSubmatch(text, -1) {
		var value string
		switch {
		case match[2] != nil:
			value = unquote(string(match[2]))
		case match[3] != nil:
			value = unquote(string(match[3]))
		default:
			value = string(match[4])
		}
		put(parsed, keysOf(string(match[1])), constant(value))
	}
	return parsed
}

// constant is what a value means.
func constant(value string) any {
	if known, ok := constants[strings.ToLower(value)]; ok {
		return known
	}
	return value
}

// plainLines reads pairs that each stand on one line, without anything that could
// go on over its end.
func plainLines(text []byte) (parsed map[string]any, plain bool) {
	parsed = map[string]any{}
	for line := range bytes.SplitSeq(text, []byte("\n")) {
		line := strings.Trim(string(line), " \t")
		if line == "" || line[0] == ';' {
			continue
		}
		key, value, found := strings.Cut(line, "=")
		key, value = strings.TrimRight(key, " \t"), strings.TrimLeft(value, " \t")
		if !found || value == "" || !plainKey(key) || strings.ContainsAny(line, "\r\f") {
			return nil, false
		}
		if quote := value[0]; quote == '"' || quote == '\'' {
			end := strings.IndexByte(value[1:], quote)
			if end < 0 || end != len(value)-2 || strings.Contains(value, `\`) {
				return nil, false
			}
			value = value[1 : len(value)-1]
		}
		put(parsed, keysOf(key), constant(value))
	}
	return parsed, true
}

// plainKey reports whether a key is words, each further one in brackets.
func plainKey(key string) bool {
	open := false
	for i := range len(key) {
		switch b := key[i]; {
		case b == '[' && !open && i > 0:
			open = true
		case b == ']' && open:
			open = false
		case b|0x20 >= 'a' && b|0x20 <= 'z', b >= '0' && b <= '9', b == ' ', b == '_', b == '-', b == '.', b == '/':
		default:
			return false
		}
	}
	return key != "" && !open
}

// unquote is stripslashes(substr($value, 1, -1)).
func unquote(quoted string) string {
	quoted = quoted[1 : len(quoted)-1]
	var out strings.Builder
	for i := 0; i < len(quoted); i++ {
		if quoted[i] == '\\' {
			if i++; i == len(quoted) {
				break
			}
		}
		out.WriteByte(quoted[i])
	}
	return out.String()
}

// keysOf is preg_split('/\]?\[/', rtrim($key, ']')).
func keysOf(key string) []string {
	key = strings.TrimRight(key, "]")
	return strings.Split(strings.ReplaceAll(key, "][", "["), "[")
}

func put(in map[string]any, path []string, value any) {
	if len(path) > maxDepth {
		return
	}
	for _, key := range path[:len(path)-1] {
		if key == "" {
			key = next(in)
		}
		below, ok := in[key].(map[string]any)
		if !ok {
			below = map[string]any{}
			in[key] = below
		}
		in = below
	}
	last := path[len(path)-1]
	if last == "" {
		last = next(in)
	}
	in[last] = value
}

// next is the key that comes after the highest number; PHP counts what is
// there instead, which is the same for lists.
func next(in map[string]any) string { return strconv.Itoa(len(in)) }

// ordered are the keys of a list in their order.
func ordered(list map[string]any) []string {
	var keys []string
	for key := range list {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int {
		x, errX := strconv.Atoi(a)
		y, errY := strconv.Atoi(b)
		if errX == nil && errY == nil {
			return x - y
		}
		return strings.Compare(a, b)
	})
	return keys
}
