package config

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// unescape resolves the escapes of a double-quoted string, or of a heredoc,
// where a quote needs none. It reports false for what PHP refuses.
func unescape(raw string, quoted bool) (string, bool) {
	if !strings.Contains(raw, `\`) {
		return raw, true
	}
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' || i+1 == len(raw) {
			out = append(out, raw[i])
			continue
		}
		i++
		if c, ok := simpleEscape(raw[i], quoted); ok {
			out = append(out, c)
			continue
		}
		replaced, used, ok := codeEscape(raw[i:])
		if !ok {
			return "", false
		}
		if used == 0 {
			out = append(out, '\\', raw[i])
			continue
		}
		out = append(out, replaced...)
		i += used - 1
	}
	return string(out), true
}

func simpleEscape(c byte, quoted bool) (byte, bool) {
	switch c {
	case 'n':
		return '\n', true
	case 't':
		return '\t', true
	case 'r':
		return '\r', true
	case 'v':
		return '\v', true
	case 'e':
		return 0x1b, true
	case 'f':
		return '\f', true
	case '\\', '$':
		return c, true
	case '"':
		return c, quoted
	}
	return 0, false
}

// codeEscape reads octal, \x and \u{…}; used is 0 when s is none of them.
func codeEscape(s string) (replaced []byte, used int, ok bool) {
	switch {
	case s[0] >= '0' && s[0] <= '7':
		n := countIn(s, "01234567", 3)
		code, _ := strconv.ParseUint(s[:n], 8, 16)
		return []byte{byte(code)}, n, true
	case s[0] == 'x' && countIn(s[1:], hexDigits, 2) > 0:
		n := countIn(s[1:], hexDigits, 2)
		code, _ := strconv.ParseUint(s[1:1+n], 16, 8)
		return []byte{byte(code)}, 1 + n, true
	case strings.HasPrefix(s, "u{"):
		hex, _, closed := strings.Cut(s[2:], "}")
		code, err := strconv.ParseUint(hex, 16, 32)
		if !closed || err != nil || code > utf8.MaxRune {
			return nil, 0, false
		}
		return appendCode(rune(code)), len(hex) + 3, true
	}
	return nil, 0, true
}

const hexDigits = "0123456789abcdefABCDEF"

func countIn(s, digits string, most int) int {
	n := 0
	for n < len(s) && n < most && strings.IndexByte(digits, s[n]) >= 0 {
		n++
	}
	return n
}

// appendCode encodes a code point as PHP does, surrogates included.
func appendCode(r rune) []byte {
	if r >= 0xD800 && r <= 0xDFFF {
		return []byte{0xE0 | byte(r>>12), 0x80 | byte(r>>6)&0x3F, 0x80 | byte(r)&0x3F}
	}
	return utf8.AppendRune(nil, r)
}
