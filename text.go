package upkeep

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Text is what an error says, in English, with what it was made of, so that
// it can be said in the language of whoever reads it: the format is the key
// of the translations. A text with a format has one argument for each of its
// verbs; one with arguments alone is these one after another; any other is
// Plain, and said the same in every language.
type Text struct {
	Plain  string `json:"plain,omitempty"`
	Format string `json:"format,omitempty"`
	Args   []Text `json:"args,omitempty"`
}

// Phrase is words of ours that are given to a format as an argument, and
// translated as a format is.
type Phrase string

// Text returns the phrase as a text of its own.
func (p Phrase) Text() Text { return Text{Format: string(p)} }

// String returns the text in English.
func (t Text) String() string { return t.In(nil) }

// In returns the text with each of its formats replaced by what translate
// makes of it. A translation names its arguments by position, %[2]s, and may
// take them in any order.
func (t Text) In(translate func(format string) string) string {
	if t.Format == "" && len(t.Args) == 0 {
		return t.Plain
	}
	args := make([]string, len(t.Args))
	for i := range t.Args {
		args[i] = t.Args[i].In(translate)
	}
	if t.Format == "" {
		return strings.Join(args, "")
	}
	format := t.Format
	if translate != nil {
		format = translate(format)
	}
	var out strings.Builder
	for _, part := range parse(format) {
		switch {
		case part.arg < 0:
			out.WriteString(part.text)
		case part.arg < len(args): // a peer may send fewer
			out.WriteString(args[part.arg])
		}
	}
	return out.String()
}

// Param is the text as the parameter of a record that holds only strings. By
// convention it stands beside the English one: "why" and "why_text".
func (t Text) Param() string {
	raw, err := json.Marshal(t)
	if err != nil { // strings always encode
		return ""
	}
	return string(raw)
}

// ParseText reads what Param wrote.
func ParseText(param string) (Text, bool) {
	var t Text
	err := json.Unmarshal([]byte(param), &t)
	return t, err == nil
}

// Words returns a text that is not an error's, as Causef does for one that is.
func Words(format string, args ...any) Text { return newText(format, args) }

// newText keeps what a message is made of: each argument as its verb writes
// it, errors and texts with what they are made of in turn.
func newText(format string, args []any) Text {
	t := Text{Format: format}
	for _, part := range parse(format) {
		if part.arg < 0 {
			continue
		}
		arg := any(nil)
		if part.arg < len(args) {
			arg = args[part.arg]
		}
		said := Text{Plain: fmt.Sprintf(part.text, arg)}
		if strings.Contains("%s %v %w", part.text) {
			said = argument(part.text, arg)
		}
		t.Args = append(t.Args, said)
	}
	return t
}

func argument(verb string, arg any) Text {
	switch a := arg.(type) {
	case Text:
		return a
	case Phrase:
		return Text{Format: string(a)}
	case error:
		return TextOf(a)
	}
	return Text{Plain: fmt.Sprintf(verb, arg)}
}

// TextOf returns what err says and what that was made of. Of the errors of
// others it finds the causes in their text, and takes the words of the last
// for one that may have a translation.
func TextOf(err error) Text {
	switch e := err.(type) { //nolint:errorlint // it is this one's text, its causes come below
	case *Error:
		return e.text()
	case *stated:
		return e.text
	}
	text := err.Error()
	var causes []error
	switch e := err.(type) { //nolint:errorlint // the same
	case interface{ Unwrap() error }:
		causes = []error{e.Unwrap()}
	case interface{ Unwrap() []error }:
		causes = e.Unwrap()
	}
	var parts []Text
	for _, cause := range causes {
		if cause == nil {
			continue
		}
		before, after, found := strings.Cut(text, cause.Error())
		if !found {
			continue
		}
		parts, text = appendPlain(parts, before), after
		parts = append(parts, TextOf(cause))
	}
	if parts == nil {
		return Text{Format: strings.ReplaceAll(text, "%", "%%")}
	}
	return joined(appendPlain(parts, text))
}

func appendPlain(parts []Text, text string) []Text {
	if text == "" {
		return parts
	}
	return append(parts, Text{Plain: text})
}

// joined is the parts as one text. What most errors put between themselves
// and their cause is a format of its own: languages differ in how they set a
// colon.
func joined(parts []Text) Text {
	if len(parts) == 1 {
		return parts[0]
	}
	if before, ok := strings.CutSuffix(parts[0].Plain, ": "); ok && len(parts) == 2 {
		return Text{Format: "%s: %w", Args: []Text{{Plain: before}, parts[1]}}
	}
	return Text{Args: parts}
}

// stated is an error that is only a text, and what caused it.
type stated struct {
	said  string
	text  Text
	cause error
}

func (s *stated) Error() string { return s.said }
func (s *stated) Unwrap() error { return s.cause }

// Causef returns an error without a code, for the inner part of one with: it
// is fmt.Errorf for what people may read.
func Causef(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &stated{said: err.Error(), text: newText(format, args), cause: errors.Unwrap(err)}
}

// part is a piece of a format: text as it is, or the verb of an argument.
type part struct {
	text string
	arg  int // which one, -1 for none
}

// parse takes a format apart. Verbs have at most flags, widths and the number
// of their argument.
func parse(format string) []part {
	var parts []part
	for next := 0; format != ""; {
		before, rest, found := strings.Cut(format, "%")
		if before != "" {
			parts = append(parts, part{before, -1})
		}
		if !found {
			break
		}
		end := strings.IndexFunc(rest, func(r rune) bool { return r == '%' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' })
		if end < 0 {
			return append(parts, part{"%" + rest, -1})
		}
		verb := rest[:end+1]
		format = rest[end+1:]
		if verb == "%" {
			parts = append(parts, part{"%", -1})
			continue
		}
		if number, plain, ok := strings.Cut(strings.TrimPrefix(verb, "["), "]"); ok && verb[0] == '[' {
			if n, err := strconv.Atoi(number); err == nil && n > 0 {
				next, verb = n-1, plain
			}
		}
		if verb == "w" {
			verb = "v"
		}
		parts = append(parts, part{"%" + verb, next})
		next++
	}
	return parts
}

// madeOf returns text where it says what is said, else that alone: what was
// changed since, or told by a peer that does not know texts.
func madeOf(text *Text, said string) Text {
	if text != nil && text.String() == said {
		return *text
	}
	return Text{Plain: said}
}
