package secret

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// veil stands for a secret wherever one would be printed.
const veil = "•••"

// Text is a text that does not print: every way of writing it, to a log, as
// JSON or with any fmt verb, gives "•••". Reveal is the only way out, and easy
// to search for. The text is behind a pointer because fmt prints the unexported
// fields of a struct without asking their methods, but not through a pointer.
type Text struct{ text *string }

// NewText holds text.
func NewText(text string) Text { return Text{&text} }

// Reveal returns the text itself, for the one place that needs it.
func (t Text) Reveal() string {
	if t.text == nil {
		return ""
	}
	return *t.text
}

// String returns "•••".
func (t Text) String() string { return veil }

// Format writes "•••" whatever the verb.
func (t Text) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, veil) }

// LogValue returns "•••".
func (t Text) LogValue() slog.Value { return slog.StringValue(veil) }

// MarshalText writes "•••", also as a map key and in XML.
func (t Text) MarshalText() ([]byte, error) { return []byte(veil), nil }

// MarshalJSON writes "•••".
func (t Text) MarshalJSON() ([]byte, error) { return []byte(`"` + veil + `"`), nil }

// UnmarshalText takes a text that came from outside, such as a configuration.
func (t *Text) UnmarshalText(text []byte) error {
	*t = NewText(string(text))
	return nil
}

// Redactor takes known secrets out of text written by others, such as a tool's
// error output. The zero value takes out nothing.
type Redactor struct{ replacer *strings.Replacer }

// shortest is the length below which replacing a secret would only make
// noise of the text, and tell the secret by its place.
const shortest = 4

// NewRedactor takes out the given secrets. Those shorter than 4 bytes stay.
func NewRedactor(secrets ...Text) Redactor {
	var pairs []string
	for _, secret := range secrets {
		if text := secret.Reveal(); len(text) >= shortest {
			pairs = append(pairs, text, veil)
		}
	}
	return Redactor{strings.NewReplacer(pairs...)}
}

// Redact returns text with every known secret replaced by "•••".
func (r Redactor) Redact(text string) string {
	if r.replacer == nil {
		return text
	}
	return r.replacer.Replace(text)
}
