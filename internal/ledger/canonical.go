package ledger

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"upkeep"
)

// largest is the greatest whole number that every JSON reader keeps exact.
const largest = 1<<53 - 1

// Canonical returns the canonical JSON (RFC 8785) of a JSON text, which any
// two programs write alike: members sorted, numbers as ECMAScript writes them,
// nothing escaped that need not be. CodeInvalid when the text is not JSON, or
// holds a whole number beyond 2^53 or a text that is not UTF-8, of which
// readers would make different things.
func Canonical(text []byte) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "not json: %w", err)
	}
	if decoder.More() {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "not json: more than one value")
	}
	if !utf8.Valid(text) {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "a text is not utf-8")
	}
	return appendValue(nil, value)
}

func appendValue(to []byte, value any) (_ []byte, err error) {
	switch value := value.(type) {
	case nil:
		return append(to, "null"...), nil
	case bool:
		return strconv.AppendBool(to, value), nil
	case json.Number:
		return appendNumber(to, value)
	case string:
		return appendString(to, value), nil
	case []any:
		to = append(to, '[')
		for i, element := range value {
			if i > 0 {
				to = append(to, ',')
			}
			if to, err = appendValue(to, element); err != nil {
				return nil, err
			}
		}
		return append(to, ']'), nil
	default:
		return appendObject(to, value.(map[string]any)) // all that a decoder gives besides
	}
}

func appendObject(to []byte, members map[string]any) (_ []byte, err error) {
	names := make([]string, 0, len(members))
	for name := range members {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
	})
	to = append(to, '{')
	for i, name := range names {
		if i > 0 {
			to = append(to, ',')
		}
		to = append(appendString(to, name), ':')
		if to, err = appendValue(to, members[name]); err != nil {
			return nil, err
		}
	}
	return append(to, '}'), nil
}

func appendNumber(to []byte, number json.Number) ([]byte, error) {
	value, err := number.Float64()
	if err != nil {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "number %s is out of range", number)
	}
	if value == math.Trunc(value) && math.Abs(value) > largest {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "number %s is beyond 2^53: write it as a text", number)
	}
	if value == 0 {
		value = 0 // ECMAScript writes minus zero without its sign
	}
	text, err := json.Marshal(value) // writes numbers as ECMAScript does
	return append(to, text...), err
}

// appendString writes a text with the only escapes RFC 8785 has.
func appendString(to []byte, text string) []byte {
	const hexDigits = "0123456789abcdef"
	to = append(to, '"')
	for i := range len(text) {
		switch c := text[i]; c {
		case '"', '\\':
			to = append(to, '\\', c)
		case '\b':
			to = append(to, `\b`...)
		case '\f':
			to = append(to, `\f`...)
		case '\n':
			to = append(to, `\n`...)
		case '\r':
			to = append(to, `\r`...)
		case '\t':
			to = append(to, `\t`...)
		default:
			if c < 0x20 {
				to = append(to, `\u00`...)
				c1, c2 := hexDigits[c>>4], hexDigits[c&15]
				to = append(to, c1, c2)
				continue
			}
			to = append(to, c)
		}
	}
	return append(to, '"')
}
