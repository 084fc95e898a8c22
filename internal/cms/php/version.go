// Package php reads what PHP programs wrote without running PHP: versions in
// PHP's order and serialized values. Everything it reads may be hostile: sizes
// and depths are bounded.
package php

import (
	"cmp"
	"math"
	"strings"
)

// CompareVersions orders a and b as PHP's version_compare does: -1, 0 or 1.
// It is no semantic versioning: 6.9 < 6.9.0, 1.0-1 > 1.0 and 1.0a < 1.0.
func CompareVersions(a, b string) int {
	// PHP compares C strings: what follows a NUL does not exist.
	a, _, _ = strings.Cut(a, "\x00")
	b, _, _ = strings.Cut(b, "\x00")
	if a == "" || b == "" {
		return cmp.Compare(min(len(a), 1), min(len(b), 1))
	}
	return compareCanonical(canonicalVersion(a), canonicalVersion(b))
}

// release is the pseudo part that stands for "a number follows here".
const release = "#N#"

func compareCanonical(a, b string) int {
	moreA, moreB := true, true
	for a != "" && b != "" && moreA && moreB {
		var partA, partB string
		partA, a, moreA = cutPart(a)
		partB, b, moreB = cutPart(b)
		if order := comparePart(partA, partB); order != 0 {
			return order
		}
	}
	switch {
	case moreA && startsWithDigit(a):
		return 1
	case moreA:
		return CompareVersions(a, release)
	case moreB && startsWithDigit(b):
		return -1
	case moreB:
		return CompareVersions(release, b)
	}
	return 0
}

// cutPart splits at the first dot. Without one the rest is the last part
// again, which the caller never reads.
func cutPart(version string) (part, rest string, more bool) {
	part, rest, more = strings.Cut(version, ".")
	if !more {
		return part, part, false
	}
	return part, rest, true
}

func comparePart(a, b string) int {
	switch digitA, digitB := startsWithDigit(a), startsWithDigit(b); {
	case digitA && digitB:
		return cmp.Compare(leadingInt(a), leadingInt(b))
	case digitA:
		return cmp.Compare(formOrder(release), formOrder(b))
	case digitB:
		return cmp.Compare(formOrder(a), formOrder(release))
	}
	return cmp.Compare(formOrder(a), formOrder(b))
}

// formOrder ranks the words PHP knows, by prefix, in its own search order.
func formOrder(part string) int {
	switch {
	case strings.HasPrefix(part, "dev"):
		return 0
	case strings.HasPrefix(part, "a"):
		return 1
	case strings.HasPrefix(part, "b"):
		return 2
	case strings.HasPrefix(part, "RC"), strings.HasPrefix(part, "rc"):
		return 3
	case strings.HasPrefix(part, "#"):
		return 4
	case strings.HasPrefix(part, "p"):
		return 5
	}
	return -1
}

// canonicalVersion puts dots between digits and other characters and in the
// place of separators, as php_canonicalize_version does.
func canonicalVersion(version string) string {
	if version[0] == '#' {
		return version
	}
	out := make([]byte, 1, 2*len(version))
	out[0] = version[0]
	dot := func() {
		if out[len(out)-1] != '.' {
			out = append(out, '.')
		}
	}
	last := version[0]
	for i := 1; i < len(version); i++ {
		c := version[i]
		switch {
		case isSeparator(c), !IsDigit(c) && !isLetter(c) && !isBoundary(last, c):
			dot()
		case isBoundary(last, c):
			dot()
			out = append(out, c)
		default:
			out = append(out, c)
		}
		last = c
	}
	return string(out)
}

// isBoundary reports whether a number ends or begins between two characters.
func isBoundary(last, c byte) bool {
	fromWord := !IsDigit(last) && last != '.' && IsDigit(c)
	return fromWord || IsDigit(last) && !IsDigit(c) && c != '.'
}

// leadingInt is strtol, which stops at the largest number it can hold.
func leadingInt(s string) int64 {
	var n int64
	for i := 0; i < len(s) && IsDigit(s[i]); i++ {
		digit := int64(s[i] - '0')
		if n > (math.MaxInt64-digit)/10 {
			return math.MaxInt64
		}
		n = n*10 + digit
	}
	return n
}

func startsWithDigit(s string) bool { return s != "" && IsDigit(s[0]) }

func isSeparator(c byte) bool { return c == '-' || c == '_' || c == '+' }

// IsDigit reports whether c is a decimal digit, whatever the locale.
func IsDigit(c byte) bool { return c >= '0' && c <= '9' }

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
