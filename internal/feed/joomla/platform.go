package joomla

import (
	"strings"
	"time"

	"github.com/dlclark/regexp2"
)

// Bounds of an expression from outside.
const (
	maxExpression = 1000
	matchTime     = 100 * time.Millisecond
)

// matches reports whether the expression of a target platform matches a
// version of Joomla, as preg_match('/^' . expression . '/', version) does: as
// PCRE, its dots unescaped, without an end, and the ^ before its first
// alternative only. known is false when that cannot be told here.
func matches(expression, version string) (match, known bool) {
	if len(expression) > maxExpression || strings.ContainsRune(expression, 0) {
		return false, false
	}
	pattern, flags, broken := delimited("^" + expression)
	if broken {
		return false, true // PHP warns, and finds nothing
	}
	re, err := regexp2.Compile(pattern, flags)
	if err != nil {
		return false, false
	}
	re.MatchTimeout = matchTime
	match, err = re.MatchString(version)
	return match, err == nil
}

// modifiers are those of PCRE that mean the same here.
var modifiers = map[rune]regexp2.RegexOptions{
	'i': regexp2.IgnoreCase, 'm': regexp2.Multiline, 's': regexp2.Singleline, 'x': regexp2.IgnorePatternWhitespace,
}

// delimited finds where PHP ends a pattern: at the first / without a backslash
// before it. What follows that are modifiers, or an error.
func delimited(text string) (pattern string, flags regexp2.RegexOptions, broken bool) {
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' {
			if i++; i == len(text) {
				return "", 0, true // it escapes PHP's own delimiter
			}
			continue
		}
		if text[i] != '/' {
			continue
		}
		for _, modifier := range text[i+1:] + "/" { // the one that Joomla puts at the end
			flag, ok := modifiers[modifier]
			if !ok {
				return "", 0, true
			}
			flags |= flag
		}
		return text[:i], flags, false
	}
	return text, 0, false
}
