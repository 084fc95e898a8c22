// Package catalogue holds every text that people read, in French and in
// English, under keys and codes that the rest of the program uses.
//
// A text names its parameters in braces: "{site} is frozen". A text that
// depends on a number has the forms "one" and "other" and is chosen by the
// parameter count. Keys are dotted: "usage.missing". The codes that the
// program gives (reasons, findings, states, …) are keys below their family:
// "reason.requires_php".
package catalogue

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"upkeep"
)

// Language is a language that texts exist in.
type Language string

// The languages. French is the first: it serves when nothing is asked for.
const (
	French  Language = "fr"
	English Language = "en"
)

// Detect returns the language that an environment asks for: LC_ALL, then
// LC_MESSAGES, then LANG decide, the first that is set. French when it begins
// with fr or none is set, else English.
func Detect(getenv func(string) string) Language {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if locale := getenv(name); locale != "" {
			if strings.HasPrefix(strings.ToLower(locale), "fr") {
				return French
			}
			return English
		}
	}
	return French
}

//go:embed fr/*.json en/*.json
var files embed.FS

// Texts is the texts of one language. It is safe for concurrent use.
type Texts struct {
	language Language
	texts    map[string]text
	errors   map[string]string // by their English format
}

// text is the forms of one text; a text that does not depend on a number has
// only the other.
type text struct{ one, other string }

// UnmarshalJSON reads a string or {"one": …, "other": …}.
func (t *text) UnmarshalJSON(raw []byte) error {
	if err := json.Unmarshal(raw, &t.other); err == nil {
		return nil
	}
	var forms struct{ One, Other string }
	if err := json.Unmarshal(raw, &forms); err != nil {
		return err
	}
	if forms.One == "" || forms.Other == "" {
		return upkeep.Errorf(upkeep.CodeInvalid, "%s: want one and other", raw)
	}
	t.one, t.other = forms.One, forms.Other
	return nil
}

// Open returns the texts of a language. CodeInvalid when there is no such
// language.
func Open(language Language) (*Texts, error) {
	names, err := fs.Glob(files, path.Join(string(language), "*.json"))
	if err != nil || len(names) == 0 {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "language %q: want fr or en", language)
	}
	t := &Texts{language: language, texts: map[string]text{}}
	if t.errors, err = readErrors(language); err != nil {
		return nil, err
	}
	for _, name := range names {
		if path.Base(name) == errorsFile {
			continue
		}
		raw, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var part map[string]text
		if err := json.Unmarshal(raw, &part); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for key, forms := range part {
			if _, twice := t.texts[key]; twice {
				return nil, upkeep.Errorf(upkeep.CodeInternal, "%s: %s is there twice", name, key)
			}
			t.texts[key] = forms
		}
	}
	return t, nil
}

// Language returns the language of the texts.
func (t *Texts) Language() Language { return t.language }

// Keys returns all keys, sorted.
func (t *Texts) Keys() []string {
	keys := make([]string, 0, len(t.texts))
	for key := range t.texts {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// Has reports whether a key has a text.
func (t *Texts) Has(key string) bool {
	_, ok := t.texts[key]
	return ok
}

// Text returns the text of a key with its parameters, given as name, value
// pairs. A key without a text returns the key.
func (t *Texts) Text(key string, pairs ...any) string {
	params := make(map[string]string, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		params[fmt.Sprint(pairs[i])] = plain(pairs[i+1])
	}
	filled, ok := t.fill(key, params)
	if !ok {
		return key
	}
	return filled
}

// Code returns the text of a code of a family. A code that has none, or that
// lacks a parameter its text names, is shown as it is with its parameters:
// what a newer part of the program says must not be lost.
func (t *Texts) Code(family, code string, params map[string]string) string {
	if filled, ok := t.fill(family+"."+code, params); ok {
		return filled
	}
	if len(params) == 0 {
		return code
	}
	shown := make([]string, 0, len(params))
	for name := range params {
		if strings.HasSuffix(name, textSuffix) {
			continue
		}
		value, _ := t.param(params, name)
		shown = append(shown, name+"="+value)
	}
	slices.Sort(shown)
	return code + " (" + strings.Join(shown, ", ") + ")"
}

// fill returns the right form with its parameters, and whether there was one
// and all its parameters were given.
func (t *Texts) fill(key string, params map[string]string) (string, bool) {
	forms, ok := t.texts[key]
	if !ok {
		return "", false
	}
	form := forms.other
	if forms.one != "" && t.singular(params["count"]) {
		form = forms.one
	}
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(form, "{")
		out.WriteString(before)
		if !found {
			return out.String(), true
		}
		name, after, closed := strings.Cut(rest, "}")
		value, given := t.param(params, name)
		if !closed || !given {
			return out.String(), false
		}
		if name == "count" {
			value = t.grouped(value)
		}
		out.WriteString(value)
		form = after
	}
}

// singular: French counts 0 and 1 and everything below 2 as one, English
// only 1.
func (t *Texts) singular(count string) bool {
	if t.language == French {
		return count == "0" || count == "1"
	}
	return count == "1"
}

// plain writes a parameter. Numbers that came through JSON are float64.
func plain(v any) string {
	if f, ok := v.(float64); ok {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}
