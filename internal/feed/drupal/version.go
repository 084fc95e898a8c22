package drupal

import (
	"regexp"
	"strconv"
	"strings"
)

// numeric is what PHP takes for a number.
var numeric = regexp.MustCompile(`^[ \t\n\r\v\f]*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?[ \t\n\r\v\f]*$`)

func number(text string) float64 {
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil {
		return -1
	}
	return n
}

// extensionVersion is what Drupal 8 and later see in a version.
type extensionVersion struct {
	major, minor, extra string
	hasMinor, hasExtra  bool
}

// corePrefix is the only one that a version may still have.
const corePrefix = "8.x-"

// parseVersion reads a version as ExtensionVersion::createFromVersionString
// does; false for what it refuses.
func parseVersion(text string) (v extensionVersion, ok bool) {
	if strings.HasPrefix(text, corePrefix) && text != "8.x-dev" {
		text = text[len(corePrefix):]
	} else if at := strings.Index(text, ".x-"); (at == 1 || at == 2) && strings.Split(text, ".x-")[1] != "dev" {
		return v, false
	}
	parts := strings.Split(text, ".")
	if len(parts) < 2 || len(parts) > 3 || !numeric.MatchString(parts[0]) {
		return v, false
	}
	v.major = parts[0]
	if len(parts) == 3 {
		v.minor, v.hasMinor = parts[1], true
		if !numeric.MatchString(v.minor) {
			return v, false
		}
	}
	last := strings.Split(parts[len(parts)-1], "-")
	if len(last) > 1 {
		v.extra, v.hasExtra = last[1], true
	}
	return v, numeric.MatchString(last[0]) || v.extra == "dev"
}

// legacyMajor is the major of a version as Drupal 7 reads it: 3 of 7.x-3.4, 7
// of 7.105.
var legacyMajor = regexp.MustCompile(`^(?:\d+\.x-)?(\d+)\.`)

// isDev reports whether a version is a snapshot of a branch.
func isDev(version string) bool { return strings.HasSuffix(version, "dev") }

// branchMajor is the major of a supported branch, such as "8.x-1." or "9.5.".
func branchMajor(branch string) (string, bool) {
	if !strings.HasSuffix(branch, ".") {
		return "", false
	}
	v, ok := parseVersion(branch + "0")
	return v.major, ok
}

// highest is PHP's max of two majors.
func highest(a, b string) string {
	if number(b) > number(a) {
		return b
	}
	return a
}
